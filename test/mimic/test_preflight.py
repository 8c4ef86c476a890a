"""Errors before any process starts: one clear line each, through the real command, with exit code 2."""

import fcntl
import os

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.cli import main
from rena_ros.mimic import preflight
from rena_ros.mimic.film import encode


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    encode(path, (np.full((480, 640, 3), 10 * i, np.uint8) for i in range(15)), (640, 480))
    return path


def complaint(capsys, *arguments: object) -> str:
    """Run `rena mimic`, which must fail; returns its one line."""
    assert main(["mimic", *map(str, arguments)]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert said.startswith("rena mimic: ")
    return said


def test_no_such_file(capsys, tmp_path):
    assert "no such source: gone.mp4" in complaint(capsys, "--source", "gone.mp4", "--out", tmp_path)


def test_a_file_that_is_no_video(capsys, tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    said = complaint(capsys, "--source", tmp_path / "notes.mp4", "--out", tmp_path)
    assert "cannot read any picture" in said and "notes.mp4" in said


def test_no_camera(capsys, tmp_path):
    assert "/dev/video99 does not exist" in complaint(capsys, "--source", "99", "--out", tmp_path)


def test_no_port(capsys, tmp_path, clip):
    said = complaint(capsys, "--source", clip, "--robot", "/dev/ttyUSB99", "--out", tmp_path)
    assert "no serial port /dev/ttyUSB99" in said


def test_no_model(capsys, tmp_path, clip):
    said = complaint(capsys, "--source", clip, "--model", tmp_path / "gone.onnx", "--out", tmp_path)
    assert "no model" in said and "rena train" in said


def test_a_place_that_cannot_be_written(capsys, tmp_path, clip):
    (tmp_path / "file").touch()
    model = tmp_path / "some.onnx"
    model.touch()
    said = complaint(capsys, "--source", clip, "--model", model, "--out", tmp_path / "file" / "out")
    assert "cannot write to" in said and "Not a directory" in said


def test_no_folder_for_the_figures(capsys, tmp_path, clip):
    model = tmp_path / "some.onnx"
    model.touch()
    said = complaint(capsys, "--source", clip, "--model", model, "--out", tmp_path, "--json", tmp_path / "no/f.json")
    assert "there is no folder" in said


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


def test_a_clip_has_its_duration(clip):
    source = preflight.check_source(str(clip))
    assert source.name == str(clip)
    assert source.duration_s == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_duration_is_a_positive_number(text, capsys):
    with pytest.raises(SystemExit):
        main(["mimic", "--duration", text])
    assert "--duration" in capsys.readouterr().err
