"""Checks before any process starts; errors through the real command, with exit code 2."""

import fcntl
import os
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from rena_ros.base.claims import claim
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.cli import main
from rena_ros.mimic import preflight
from rena_ros.mimic.film import encode
from rena_ros.processes.checks import check_names


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a clip and files that are no video and no folder."""
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "clip.mp4", (np.full((480, 640, 3), 10 * i, np.uint8) for i in range(15)), (640, 480))
    (tmp_path / "notes.mp4").write_text("not a video", encoding="utf-8")
    (tmp_path / "some.onnx").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--source gone.mp4", ["there is no video file", "gone.mp4", "performer"]),
        ("--source notes.mp4", ["notes.mp4 is not a video"]),
        ("--source 99", ["/dev/video99 is not there"]),
        ("--source /dev/v4l/by-id/usb-none", ["/dev/v4l/by-id/usb-none is not there", "--source performer"]),
        ("--source /dev/null", ["/dev/null is not a camera"]),
        ("--source .", ["is a folder"]),
        ("--source clip.mp4 --robot /dev/ttyUSB99", ["no serial port /dev/ttyUSB99"]),
        ("--source clip.mp4 --model gone.onnx", ["no model", "gone.onnx", "rena train"]),
        ("--source clip.mp4 --model some.onnx", ["some.onnx is not a model"]),
        ("--source clip.mp4 --out notes.mp4/out", ["cannot write to", "Not a directory"]),
        ("--source clip.mp4 --json no/f.json", ["there is no folder"]),
        ("--source clip.mp4 --namespace my-robot", ["the namespace my-robot is no ROS name", "my_robot"]),
        ("--source clip.mp4 --params-file gone.yaml", ["cannot read the parameter file gone.yaml"]),
        ("--source clip.mp4 --params-file notes.mp4", ["the parameter file notes.mp4"]),
    ],
)
def test_what_cannot_work_is_one_clear_line(capsys, folder, arguments, parts):
    assert main(["mimic", *arguments.split()]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.startswith("rena mimic: ")
    assert all(part in said for part in parts)


def test_a_domain_that_is_none_is_one_clear_line(capsys, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    assert main(["mimic"]) == 2
    assert capsys.readouterr().err.startswith("rena mimic: ROS_DOMAIN_ID=abc is no ROS domain")


@pytest.mark.parametrize(("taken", "holder"), [("run {}/lab", "another run of Rena"), ("{}/lab/policy", "/lab/policy")])
def test_a_second_run_in_a_domain_is_refused_before_it_touches_anything(
    taken, holder, capsys, folder, monkeypatch, ros_domain
):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros_domain))
    with claim(taken.format(ros_domain)):
        assert main(["mimic", "--source", "clip.mp4", "--namespace", "lab", "--out", "out"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"rena mimic: {holder} runs on this machine in ROS domain {ros_domain}, namespace /lab")
    assert "ROS_DOMAIN_ID=… rena mimic, or --namespace NAME" in said and len(said.splitlines()) == 1
    assert not (folder / "out").exists()
    names = ["/lab/policy", "/lab/camera"]
    with check_names(names, ros_domain, "/lab", "rena x"), check_names(names, ros_domain, "/", "rena x"):
        pass  # it holds nothing any longer, and another namespace is free


def test_a_full_disk(monkeypatch, tmp_path):
    usage = type("usage", (), {"free": 5_000_000})
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RenaError, match="only 5 MB are free"):
        preflight.prepare_out(tmp_path)


def test_a_second_run_into_the_same_place(tmp_path):
    lock = preflight.prepare_out(tmp_path)
    with pytest.raises(RenaError, match="another `rena mimic` is writing"):
        preflight.prepare_out(tmp_path)
    os.close(lock)
    os.close(preflight.prepare_out(tmp_path))
    with open(tmp_path / ".spool" / "lock", encoding="utf-8") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_results_of_an_earlier_run_are_deleted(tmp_path):
    for name in ("mimic.mp4", "summary.json"):
        (tmp_path / name).touch()
    os.close(preflight.prepare_out(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"log", ".spool"}


def test_a_clip_has_its_duration(folder):
    source = preflight.check_source("clip.mp4")
    assert source.name == str(folder / "clip.mp4")
    assert source.duration_s == pytest.approx(0.5)


@pytest.mark.parametrize("name", [b"talk-14:30.mp4", b"caf\xe9.mp4", "😀.mp4".encode(), b"~x.mp4", b"a%20b.mp4"])
def test_a_clip_may_be_called_anything_and_reaches_the_node(folder, name):
    os.rename(folder / "clip.mp4", folder / os.fsdecode(name))
    source = preflight.check_source(os.path.join(".", os.fsdecode(name)))
    assert source.duration_s == pytest.approx(0.5)
    assert source.name.encode("utf-8").decode() and os.fsencode(user_path(source.name)) == bytes(folder) + b"/" + name


def test_a_still_picture_is_one(folder):
    cv2.imwrite(str(folder / "face.png"), np.zeros((48, 64, 3), np.uint8))
    source = preflight.check_source("face.png")
    assert source.still and source.duration_s is None
    assert not preflight.check_source("clip.mp4").still


def test_a_link_to_a_video_device_is_a_camera(tmp_path, monkeypatch):
    """The device itself is not here: what os.stat says of it is (character device, major number 81)."""
    real, device = os.stat, os.stat_result((0o20666, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    camera = tmp_path / "my camera"

    def stat(path, **options):
        if str(path) != str(camera):
            return real(path, **options)
        return SimpleNamespace(st_mode=device.st_mode, st_rdev=os.makedev(81, 0))

    monkeypatch.setattr("rena_ros.perception.camera.os.stat", stat)
    monkeypatch.setattr("rena_ros.perception.camera.os.access", lambda *_: True)
    assert preflight.check_source(str(camera)) == preflight.Source(str(camera), None, camera=True)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_duration_is_a_positive_number(text, capsys):
    with pytest.raises(SystemExit):
        main(["mimic", "--duration", text])
    assert "--duration" in capsys.readouterr().err
