"""camera, blendshapes and policy as one process: every picture becomes a reading, a command and an image."""

import json

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2, TimeReference
from std_msgs.msg import Header
from test_camera import FRAMES, NEWEST, RELIABLE, greys, written

from rena_ros.nodes.camera import Picture
from rena_ros.nodes.chain import Chain
from rena_ros.nodes.messages import nanoseconds
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot
from rena_ros.twin.actuators import goals_of
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory):
    """A drawn face that opens and closes its mouth."""
    face = TwinFace(ROBOT, 320, 240)
    goals = (goals_of(ROBOT, {"jaw": 0.5 - 0.5 * np.cos(2 * np.pi * k / FRAMES)}) for k in range(FRAMES))
    frames = [face.render(one)[:, :, ::-1] for one in goals]
    return written(tmp_path_factory.mktemp("clip") / "face.avi", frames)


def stamps(messages) -> list[int]:
    return [nanoseconds(message.header.stamp) for message in messages]


def test_every_picture_becomes_a_reading_a_command_and_an_image(processes, face_clip):
    listen = processes.listen
    commands, readings = (listen(JointState, name, RELIABLE) for name in ("servos/command/mimic", "face/blendshapes"))
    images, infos = listen(Image, "camera/image_raw", NEWEST), listen(CameraInfo, "camera/camera_info", NEWEST)
    landmarks, timings = listen(PointCloud2, "face/landmarks", NEWEST), listen(TimeReference, "timing", RELIABLE)
    parameters = {"camera": {"source": str(face_clip), "realtime": False, "listeners": 1}}
    chain = processes.start("chain", "--nodes", json.dumps(parameters))
    assert processes.ended(chain)[0] == 0
    assert stamps(images) == stamps(readings) == stamps(infos) == stamps(landmarks) and len(images) == FRAMES
    assert {tuple(reading.name) for reading in readings} == {READING_NAMES}
    caused = [stamp for stamp in stamps(commands) if stamp in stamps(images)]
    assert caused == stamps(images)  # not skipped, and once each
    jaw = [command.position[ROBOT.index["jaw"]] for command in commands]
    assert max(jaw) - min(jaw) > 0.05
    finished = {stage: {} for stage in ("camera", "blendshapes", "policy")}
    for timing in timings:
        finished[timing.source][nanoseconds(timing.time_ref)] = nanoseconds(timing.header.stamp)
    for stamp in stamps(images):
        assert stamp < finished["camera"][stamp] < finished["blendshapes"][stamp] < finished["policy"][stamp]


def test_a_picture_without_a_face_says_so_and_the_robot_eases_to_neutral(processes, tmp_path):
    readings = processes.listen(JointState, "face/blendshapes", RELIABLE)
    commands = processes.listen(JointState, "servos/command/mimic", RELIABLE)
    clip = written(tmp_path / "grey.avi", greys(160, 120))
    parameters = {"camera": {"source": str(clip), "loop": True, "listeners": 0}, "policy": {"lost_after_s": 0.1}}
    chain = processes.start("chain", "--nodes", json.dumps(parameters))
    processes.until(lambda: len(readings) > 3 and commands)
    assert all(not reading.name for reading in readings)
    code, said = processes.leave(chain)
    assert code == 0 and "Traceback" not in said


def test_what_the_chain_does_not_take_is_one_line_and_code_2(processes, tmp_path):
    code, said = processes.ended(processes.start("chain", "--nodes", "{"))
    assert code == 2 and "as JSON" in said and len(said.splitlines()) == 1
    absent = json.dumps({"camera": {"source": str(tmp_path / "absent.mp4")}})
    code, said = processes.ended(processes.start("chain", "--nodes", absent))
    assert code == 2 and "absent.mp4" in said.splitlines()[-1] and "Traceback" not in said


def test_a_clip_waits_for_what_listens_to_the_commands(processes, face_clip):
    parameters = {"camera": {"source": str(face_clip), "listeners": 0, "wait_s": 1.0}}
    code, said = processes.ended(processes.start("chain", "--nodes", json.dumps(parameters)))
    assert code == 0 and "no node listens to the commands after 1 s; the clip begins" in said


def test_a_picture_that_a_newer_one_replaced_is_published_but_not_read(ros_domain, monkeypatch, face_clip):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    waiting = {"source": str(face_clip), "listeners": 100, "wait_s": 600.0}
    chain = Chain({"camera": waiting}, context=context)
    camera, _, policy = chain.nodes
    sent, followed = [], []
    monkeypatch.setattr(camera, "send", sent.append)
    monkeypatch.setattr(policy, "follow", lambda reading, aspect, stamp: followed.append((reading, stamp)))
    face = TwinFace(ROBOT, 320, 240).render(ROBOT.neutral_goals)
    pictures = [Picture(face, Header(stamp=Time(sec=k)), k, Time(sec=k)) for k in (1, 2)]
    for picture in pictures:
        chain.receive(picture)
    chain.on_picture()
    chain.on_picture()  # nothing waits any more
    assert sent == pictures
    ((reading, stamp),) = followed
    assert reading is not None and stamp.sec == 2
    for node in chain.nodes:
        getattr(node, "leave", lambda: None)()
        node.destroy_node()
    context.try_shutdown()
