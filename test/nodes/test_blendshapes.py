"""The blendshapes node as a process: the image's own stamp, absence reported, landmarks, compressed images."""

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState, PointCloud2, TimeReference

from rena_ros.nodes.images import to_image_msg
from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=100)


@pytest.fixture(scope="module")
def face():
    """A picture of the twin with one eye closed, and what FaceReader reads in it."""
    robot = load_robot()
    goals = robot.neutral_goals.copy()
    goals[robot.index["lid_left"]] = 1.0
    picture = TwinFace(robot).render(goals)
    with FaceReader(video=False) as reader:
        return picture, reader.read(picture)


class BlendshapesPeer:
    """The node as a process, and a peer that shows it images and keeps its readings."""

    def __init__(self, processes):
        self.until = processes.until
        self.readings = processes.listen(JointState, "face/blendshapes", RELIABLE)
        self.images = processes.peer.create_publisher(Image, "camera/image_raw", NEWEST)
        self.node = processes.start("blendshapes")
        self.until(lambda: self.images.get_subscription_count() and processes.peer.count_publishers("face/blendshapes"))

    def read(self, frame: np.ndarray, second: int) -> JointState:
        """The node's reading of one image; best effort may lose images while the nodes discover each other."""
        sent, found = [], []

        def arrived() -> bool:
            found.extend(reading for reading in self.readings if reading.header.stamp in sent)
            if not found:
                sent.append(Time(sec=second, nanosec=7 + len(sent)))
                self.images.publish(to_image_msg(frame, sent[-1], "camera"))
            return bool(found)

        self.until(arrived)
        return found[0]


def test_readings_carry_the_stamp_of_their_image(processes, face):
    picture, expected = face
    empty = np.full_like(picture, 90)
    timings = processes.listen(TimeReference, "timing", RELIABLE)
    diagnostics = processes.listen(DiagnosticArray, "/diagnostics", RELIABLE)
    peer = BlendshapesPeer(processes)
    absent = peer.read(empty, 100)
    assert (list(absent.name), list(absent.position)) == ([], [])
    present = peer.read(picture, 101)
    assert tuple(present.name) == READING_NAMES
    np.testing.assert_allclose(present.position, expected.features, atol=1e-6)
    assert list(peer.read(empty, 102).name) == []

    clouds = processes.listen(PointCloud2, "face/landmarks", NEWEST)
    second = iter(range(200, 1000))
    processes.until(lambda: peer.read(picture, next(second)) and clouds)
    points = np.frombuffer(clouds[0].data, np.float32).reshape(-1, 3)
    np.testing.assert_allclose(points, expected.landmarks, atol=1e-6)
    assert [field.name for field in clouds[0].fields] == ["x", "y", "z"]
    assert clouds[0].header.frame_id == "camera_image"  # fractions of the image, not metres from the camera
    assert (clouds[0].width, clouds[0].point_step, clouds[0].header.stamp.sec >= 200) == (478, 12, True)

    processes.until(lambda: len({timing.time_ref.sec for timing in timings}) >= 4)
    assert {timing.source for timing in timings} == {"blendshapes"}
    processes.until(lambda: diagnostics and value(diagnostics[-1], "frames_read") != "0")
    assert diagnostics[-1].status[0].name == "bench/blendshapes: perception"
    assert float(value(diagnostics[-1], "frame_ms")) > 0
    assert processes.leave(peer.node) == (0, "")


def value(message: DiagnosticArray, key: str) -> str:
    return next(pair.value for pair in message.status[0].values if pair.key == key)


def test_mirror_is_set_while_it_runs(processes, face):
    picture, expected = face
    peer = BlendshapesPeer(processes)
    left, right = READING_NAMES.index("eyeBlinkLeft"), READING_NAMES.index("eyeBlinkRight")
    assert expected.features[left] > expected.features[right] + 0.3
    seen = peer.read(picture, 100)
    assert seen.position[left] > seen.position[right] + 0.3
    assert processes.set_parameter("blendshapes", "mirror", True).successful
    seen = peer.read(picture, 200)
    assert seen.position[right] > seen.position[left] + 0.3
    assert not processes.set_parameter("blendshapes", "max_faces", 2).successful
    code, said = processes.leave(peer.node)
    assert code == 0 and "the parameter mirror is now True" in said


def test_a_missing_face_model_ends_the_node_with_one_line_and_code_2(processes, tmp_path):
    code, said = processes.ended(processes.start("blendshapes", model_path=tmp_path / "absent.task"))
    assert code == 2 and "absent.task" in said and "pip install" in said and "Traceback" not in said


def test_compressed_images_are_read_while_there_are_no_others(processes, face):
    picture, expected = face
    readings = processes.listen(JointState, "face/blendshapes", RELIABLE)
    compressed = processes.peer.create_publisher(CompressedImage, "camera/image_raw/compressed", NEWEST)
    node = processes.start("blendshapes")
    data = cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
    image = CompressedImage(format="rgb8; png compressed bgr8", data=data)
    image.header.stamp = Time(sec=300)

    def arrived() -> bool:
        image.header.stamp.nanosec += 1000
        compressed.publish(image)
        return bool(readings)

    processes.until(arrived)
    np.testing.assert_allclose(readings[0].position, expected.features, atol=1e-6)
    raw = processes.peer.create_publisher(Image, "camera/image_raw", NEWEST)
    processes.until(lambda: not compressed.get_subscription_count())  # a camera need not compress any more
    processes.peer.destroy_publisher(raw)
    processes.until(compressed.get_subscription_count)
    code, said = processes.leave(node)
    assert code == 0 and "/bench/camera/image_raw has no publisher" in said


def test_an_unknown_transport_ends_the_node_with_one_line_and_code_2(processes):
    code, said = processes.ended(processes.start("blendshapes", transport="pigeon"))
    assert code == 2 and "'pigeon' is none of auto, raw, compressed" in said and "Traceback" not in said
