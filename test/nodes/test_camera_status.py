"""The camera's diagnostic status from what was published when; times are given, nothing waits."""

import pytest

from rena_ros.nodes.camera_status import CameraStatus

OK, WARN = b"\x00", b"\x01"


def values(status):
    return {value.key: value.value for value in status.values}


def test_pictures_that_come_are_counted():
    camera = CameraStatus("lab/camera", "talk-14:30.mp4", 30.0, 100.0)
    for k in range(30):
        camera.add(640, 360, 100 + k / 30)
    status = camera.message(101.0, {"time_jumps": 1})
    assert (status.name, status.level) == ("lab/camera: camera", OK)
    assert values(status) == {
        "rate_hz": "30.0", "size": "640x360", "source": "talk-14:30.mp4", "frames": "30", "time_jumps": "1",
    }  # fmt: skip
    assert values(camera.message(102.0, {}))["rate_hz"] == "0.0"


def test_without_pictures_the_reason_is_a_warning():
    camera = CameraStatus("camera", "0", 30.0, 100.0)
    camera.reason = "camera /dev/video0 is not there"
    status = camera.message(101.0, {})
    assert status.level == WARN and "camera /dev/video0 is not there" in status.message
    camera.add(640, 480, 101.5)
    assert camera.message(102.0, {}).level == OK
    assert camera.message(104.0, {}).level == WARN  # it came once, and comes no more


@pytest.mark.parametrize("rate_hz", [0.2, 0.5])
def test_a_slow_source_is_not_a_silent_one(rate_hz):
    camera = CameraStatus("camera", "0", rate_hz, 100.0)
    camera.add(640, 480, 100.0)
    assert camera.message(100 + 1.5 / rate_hz, {}).level == OK
    assert camera.message(100 + 4 / rate_hz, {}).level == WARN


def test_the_end_of_a_clip_is_no_fault():
    camera = CameraStatus("camera", "x.mp4", 30.0, 100.0)
    camera.add(640, 480, 100.0)
    camera.over = True
    status = camera.message(110.0, {})
    assert status.level == OK and "over" in status.message


def test_a_name_that_is_no_utf_8_can_be_sent():
    status = CameraStatus("camera", "caf\udce9.mp4", 30.0, 100.0).message(101.0, {})
    assert values(status)["source"].encode() == b"caf\\udce9.mp4"
