"""Whole-file writes: a file is there completely or stays as it was, and nothing else is left in its folder."""

import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.base.files import (
    back_up,
    printable,
    read_text,
    replacing,
    ros_path,
    sha256_of,
    user_path,
    write_json,
    write_text,
)

# Names that files have: emoji, bytes that are no UTF-8, colon, quotes, spaces, newline, percent, hyphen, tilde.
ODD_NAMES = [
    *(
        "clip \U0001f600.mp4",
        os.fsdecode(b"caf\xe9.mp4"),
        "talk-14:30.mp4",
        "a b.mp4",
        "'\"`$x.mp4",
        "a\nb.mp4",
        "50%20.mp4",
    ),
    *(
        "-v.mp4",
        "~",
        "~root",
        "file:x.mp4",
        "file:/x.mp4",
        "FILE:///x",
        "\\udce9",
        "\u0085\u2028\x7f\ufeff",
        "#1",
        "a: b",
        "@x",
    ),
]


def test_a_device_is_written_to_and_never_replaced(full_device):
    with pytest.raises(RenaError, match=f"{full_device}: No space left"):
        write_text(full_device, "text")
    assert full_device.is_char_device()


def test_a_folder_is_not_replaced_and_a_new_file_is_made(tmp_path):
    with pytest.raises(RenaError, match="Is a directory"):
        write_text(tmp_path, "text")
    write_text(tmp_path / "new", "text")
    assert (tmp_path / "new").read_text(encoding="utf-8") == "text"


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
    path.write_text("old", encoding="utf-8")

    def write_half():
        with replacing(path) as fresh:
            fresh.write_text("half of it", encoding="utf-8")
            raise error

    with pytest.raises(RenaError if isinstance(error, OSError) else type(error)):
        write_half()
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_permissions_and_links_survive_a_replacement(tmp_path):
    path, link = tmp_path / "face.yaml", tmp_path / "link.yaml"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    write_text(link, "new")
    assert link.is_symlink() and path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_backups_of_one_second_do_not_overwrite_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form, *_: "20260101-120000")
    path = tmp_path / "face.yaml"
    for text in ("first", "second"):
        path.write_text(text, encoding="utf-8")
        back_up(path)
    assert [copy.read_text() for copy in sorted(tmp_path.glob("*.bak"), key=os.path.getmtime)] == [
        "first",
        "second",
    ]


def test_json_is_whole_and_refuses_nan(tmp_path, capsys):
    write_json(tmp_path / "report.json", {"a": [1, 2.5]})
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == {"a": [1, 2.5]}
    write_json(tmp_path.__class__("-"), {"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "odd.json", math.nan)
    assert not (tmp_path / "odd.json").exists()


def test_a_hash_is_that_of_hashlib(tmp_path):
    (tmp_path / "model").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1: the digest of "abc".
    assert sha256_of(tmp_path / "model") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("folder", ["", "/tmp/x/", "../"])
def test_every_path_survives_as_a_text_of_ros(name, folder):
    text = ros_path(folder + name)
    assert text.encode("utf-8").decode("utf-8") == text
    assert os.path.abspath(user_path(text)) == os.path.abspath(folder + name)
    assert text == folder + name or text.startswith("file:///")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~/x", "/home/lab/x"),
        ("~", "/home/lab"),
        ("~no such user/x", "~no such user/x"),
        ("a~/x", "a~/x"),
        ("clip.mp4", "clip.mp4"),
        ("file:///a%20b%25%E9", os.fsdecode(b"/a b%\xe9")),  # RFC 8089, section 2 and appendix B
        ("file:/a", "/a"),
        ("FILE://localhost/a", "/a"),
        ("file:///~/x", "/~/x"),
        ("file:a", "file:a"),  # no URI: its path is not absolute
        ("file://elsewhere/a", "file:/elsewhere/a"),  # on another machine, so a name here (Path joins the slashes)
        ("a%20b", "a%20b"),
        (Path("~"), "~"),
    ],
)
def test_a_user_s_path_is_understood(text, path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/lab")
    assert str(user_path(text)) == path


@pytest.mark.parametrize("text", ["a\0b", "file:///a%00b", "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(text):
    with pytest.raises(RenaError, match="no file can be called"):
        user_path(text)


FIND_THE_FILE = """
from rena_ros.base.files import ros_path, user_path
path = user_path("\\u00e9\\U0001f600")
print(path.exists(), ascii(ros_path(path)))
"""


def test_a_utf_8_text_is_found_under_a_locale_of_ascii(tmp_path):
    (tmp_path / "\u00e9\U0001f600").touch()
    (tmp_path / "find.py").write_text(FIND_THE_FILE, encoding="utf-8")
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "find.py"], cwd=tmp_path, env=ascii_only, capture_output=True, text=True)
    assert done.stdout.strip() == r"True '\xe9\U0001f600'", done.stderr


def test_an_odd_name_in_a_message_is_printed_with_escapes():
    name = os.fsdecode(b"caf\xe9")
    assert printable(f"{name} \U0001f600\n\x85") == "caf\\udce9 \U0001f600\\n\\x85"
    assert str(RenaError(f"there is no {name}")) == "there is no caf\\udce9"
