"""The recorder node: what it writes, which samples it confirms, and how it ends."""

import contextlib
import os
import signal

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from mcap.exceptions import EndOfFile
from mcap.reader import NonSeekingReader
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import UInt32

from rena_ros.bags.reader import BagReader
from rena_ros.base.files import ros_path
from rena_ros.nodes.images import to_image_msg
from rena_ros.nodes.messages import diagnostics_msg, nanoseconds, status_msg
from rena_ros.recording.marker import SampleMarker
from rena_ros.robot.file import load_robot

RGB = np.zeros((48, 64, 3), np.uint8)
RGB[:, 32:] = (200, 60, 20)


def sample(index, second):
    marker = SampleMarker(index, 0, 1, "mouth", {"jaw": 0.5}, image_ns=second * 10**9)
    statuses = [
        status_msg("sample", 0, marker.verdict, marker.values()),
        status_msg("goals", 0, "", marker.goal_values()),
    ]
    return diagnostics_msg(statuses, Time(sec=second))


def reading(second):
    message = JointState(name=["jawOpen"], position=[0.5])
    message.header.stamp = Time(sec=second)
    return message


def publishers(processes, **kinds):
    """Publishers of the peer once the recorder listens to them, by the last part of their topics."""
    made = {
        name: processes.peer.create_publisher(kind, topic, QoSProfile(depth=10))
        for name, (kind, topic) in kinds.items()
    }
    processes.until(lambda: all(publisher.get_subscription_count() for publisher in made.values()))
    return made


def status_of(processes):
    heard = processes.listen(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))

    def newest():
        found = [status for message in heard for status in message.status if status.name == "bench/recorder: recorder"]
        return found[-1] if found else DiagnosticStatus()

    return newest


def test_a_confirmed_sample_survives_a_kill_and_other_pictures_are_not_written(processes, tmp_path):
    stored = processes.listen(UInt32, "sample/stored", QoSProfile(depth=100))
    node = processes.start("recorder", directory=tmp_path / "bags", pictures="samples", min_free_mb=0)
    out = publishers(
        processes,
        image=(Image, "camera/image_raw"), info=(CameraInfo, "camera/camera_info"),
        reading=(JointState, "face/blendshapes"), sample=(DiagnosticArray, "sample"),
    )  # fmt: skip
    second = 0

    def confirmed():
        """Show one more picture and mark it: the first ones may be lost while the nodes discover each other."""
        nonlocal second
        second += 1
        stamp = Time(sec=second)
        out["image"].publish(to_image_msg(RGB, stamp, "camera"))
        out["info"].publish(CameraInfo(width=64))
        out["reading"].publish(reading(second))
        if second % 2:
            out["sample"].publish(sample(second, second))
        return bool(stored)

    processes.until(confirmed)
    node.send_signal(signal.SIGKILL)
    processes.until(lambda: node.poll() is not None)
    kept = []
    with open(tmp_path / "bags" / "0000" / "0000_0.mcap", "rb") as file, contextlib.suppress(EndOfFile):
        for _, channel, message in NonSeekingReader(file).iter_messages(log_time_order=False):
            kept.append((channel.topic, message))
    pictures = [
        deserialize_message(message.data, CompressedImage)
        for topic, message in kept
        if topic == "/bench/camera/image_raw/compressed"
    ]
    assert pictures and all(picture.header.stamp.sec % 2 for picture in pictures)
    assert {message.data for message in stored} <= {picture.header.stamp.sec for picture in pictures}
    assert {"/bench/sample", "/bench/face/blendshapes"} <= {topic for topic, _ in kept}
    assert pictures[0].format == "jpeg"
    shown = cv2.imdecode(np.frombuffer(pictures[0].data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert abs(shown[:, :24].astype(int)).max() < 12 and abs(shown[:, 40:].astype(int) - (200, 60, 20)).max() < 12


def test_a_finished_bag_holds_compressed_pictures_as_they_came_and_says_what_it_is_of(processes, tmp_path):
    status = status_of(processes)
    node = processes.start(
        "recorder", directory=tmp_path, min_free_mb=0, kind="collect", seed=7, transport="compressed"
    )
    out = publishers(
        processes, image=(CompressedImage, "camera/image_raw/compressed"), command=(JointState, "servos/command")
    )
    picture = CompressedImage(format="png", data=b"not even a picture")

    def written():
        picture.header.stamp = processes.peer.get_clock().now().to_msg()
        out["image"].publish(picture)
        out["command"].publish(JointState(name=["jaw"], position=[0.1]))
        values = {one.key: one.value for one in status().values}
        return status().level == DiagnosticStatus.OK and int(values.get("messages", 0)) > 100

    processes.until(written)
    code, output = processes.leave(node)
    assert code == 0 and "recorded" in output and "Traceback" not in output
    with BagReader(tmp_path / "0000") as bag:
        kept = next(iter(bag.messages("/bench/camera/image_raw/compressed")))
        image = bag.decode(kept)
        assert (bytes(image.data), image.format) == (b"not even a picture", "png")
        # published just after it was stamped
        assert 0 <= kept.stamp_ns - nanoseconds(image.header.stamp) < 10 * 10**9
        assert bag.counts["/bench/servos/command"] > 0
        assert bag.metadata["robot"] == load_robot().source.read_text(encoding="utf-8")
        assert (bag.metadata["kind"], bag.metadata["seed"], bag.metadata["namespace"]) == ("collect", "7", "/bench")
        assert "groups" in bag.metadata["strategy"]


@pytest.mark.parametrize("name", ["bags", os.fsdecode(b"caf\xe9")])  # the latter is no UTF-8
def test_nothing_is_recorded_on_a_nearly_full_disk(processes, tmp_path, name):
    status, folder = status_of(processes), tmp_path / name
    node = processes.start("recorder", directory=ros_path(folder), min_free_mb=1_000_000)
    processes.until(lambda: status().level == DiagnosticStatus.ERROR)
    assert status().message.startswith("disk nearly full")
    assert processes.leave(node)[0] == 0
    assert list(folder.iterdir()) == []
