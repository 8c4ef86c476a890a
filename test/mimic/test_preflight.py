"""Checks before any process starts; errors through the real command, with exit code 2."""

import fcntl
import os

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.cli import main
from rena_ros.mimic import preflight
from rena_ros.mimic.film import encode


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a clip and files that are no video and no folder."""
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "clip.mp4", (np.full((480, 640, 3), 10 * i, np.uint8) for i in range(15)), (640, 480))
    (tmp_path / "notes.mp4").write_text("not a video")
    (tmp_path / "some.onnx").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--source gone.mp4", ["no such source: gone.mp4"]),
        ("--source notes.mp4", ["cannot read any picture", "notes.mp4"]),
        ("--source 99", ["/dev/video99 does not exist"]),
        ("--source clip.mp4 --robot /dev/ttyUSB99", ["no serial port /dev/ttyUSB99"]),
        ("--source clip.mp4 --model gone.onnx", ["no model", "gone.onnx", "rena train"]),
        ("--source clip.mp4 --model some.onnx --out notes.mp4/out", ["cannot write to", "Not a directory"]),
        ("--source clip.mp4 --model some.onnx --json no/f.json", ["there is no folder"]),
    ],
)
def test_what_cannot_work_is_one_clear_line(capsys, folder, arguments, parts):
    assert main(["mimic", *arguments.split()]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.startswith("rena mimic: ")
    assert all(part in said for part in parts)


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
    with open(tmp_path / ".spool" / "lock") as free:
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


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_duration_is_a_positive_number(text, capsys):
    with pytest.raises(SystemExit):
        main(["mimic", "--duration", text])
    assert "--duration" in capsys.readouterr().err
