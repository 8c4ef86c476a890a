"""Whole-file writes: a file is there completely or stays as it was, and nothing else is left in its folder."""

import json
import math
import os
import stat

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.base.files import back_up, read_text, replacing, sha256_of, write_json, write_text


def test_a_device_is_written_to_and_never_replaced(full_device):
    with pytest.raises(RenaError, match=f"{full_device}: No space left"):
        write_text(full_device, "text")
    assert full_device.is_char_device()


def test_a_folder_is_not_replaced_and_a_new_file_is_made(tmp_path):
    with pytest.raises(RenaError, match="Is a directory"):
        write_text(tmp_path, "text")
    write_text(tmp_path / "new", "text")
    assert (tmp_path / "new").read_text() == "text"


def test_text_is_utf8_with_its_own_line_ends_in_any_locale(tmp_path, monkeypatch):
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    path = tmp_path / "face.yaml"
    write_text(path, "name: Möhre\r\nid: 1\n")
    assert path.read_bytes() == b"name: M\xc3\xb6hre\r\nid: 1\n"
    assert read_text(path, "robot file", newline="") == "name: Möhre\r\nid: 1\n"
    assert read_text(path, "robot file") == "name: Möhre\nid: 1\n"


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(RenaError, match=r"cannot read the robot file .*gone\.yaml: No such file"):
        read_text(tmp_path / "gone.yaml", "robot file")
    (tmp_path / "picture").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RenaError, match=r"the robot file .*picture is not a text file in UTF-8"):
        read_text(tmp_path / "picture", "robot file")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("odd")])
def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path, error):
    path = tmp_path / "model"
    path.write_text("old")

    def write_half():
        with replacing(path) as fresh:
            fresh.write_text("half of it")
            raise error

    with pytest.raises(RenaError if isinstance(error, OSError) else type(error)):
        write_half()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_permissions_and_links_survive_a_replacement(tmp_path):
    path, link = tmp_path / "face.yaml", tmp_path / "link.yaml"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_text(link, "new")
    assert link.is_symlink() and path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_backups_of_one_second_do_not_overwrite_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form, *_: "20260101-120000")
    path = tmp_path / "face.yaml"
    for text in ("first", "second"):
        path.write_text(text)
        back_up(path)
    assert [copy.read_text() for copy in sorted(tmp_path.glob("*.bak"), key=os.path.getmtime)] == ["first", "second"]


def test_json_is_whole_and_refuses_nan(tmp_path, capsys):
    write_json(tmp_path / "report.json", {"a": [1, 2.5]})
    assert json.loads((tmp_path / "report.json").read_text()) == {"a": [1, 2.5]}
    write_json(tmp_path.__class__("-"), {"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "odd.json", math.nan)
    assert not (tmp_path / "odd.json").exists()


def test_a_hash_is_that_of_hashlib(tmp_path):
    (tmp_path / "model").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1: the digest of "abc".
    assert sha256_of(tmp_path / "model") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
