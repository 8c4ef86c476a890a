"""`rena bag`: what it prints, and its exit codes."""

import os
import shutil

import pytest
from bag_stand import CUSTOM, JOINTS, declare, rows, write

from rena_ros.bags.writer import BagWriter
from rena_ros.cli import main


@pytest.fixture
def session(tmp_path):
    """A session of a finished bag, one cut off and an empty folder."""
    write(tmp_path / "session/bags/0000", rows(20))
    shutil.copytree(tmp_path / "session/bags/0000", tmp_path / "session/bags/0001")
    (tmp_path / "session/bags/0001/0000_0.mcap").rename(tmp_path / "session/bags/0001/0001_0.mcap")
    file = tmp_path / "session/bags/0001/0001_0.mcap"
    os.truncate(file, file.stat().st_size - 20)
    (tmp_path / "session/bags/0002").mkdir()
    return tmp_path / "session"


def test_recover_mends_every_bag_of_a_session(session, capsys):
    assert main(["bag", "recover", str(session)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{session}/bags/0000: is finished, 20 messages in 1 file(s)"
    assert second.startswith(f"{session}/bags/0001: mended, 20 messages in 1 file(s)")
    assert main(["bag", "recover", str(session / "bags/0001")]) == 0
    assert "is finished" in capsys.readouterr().out


def test_recover_goes_on_after_a_bag_that_is_being_recorded(session, capsys):
    with declare(BagWriter(session / "bags/0000b", CUSTOM)):
        assert main(["bag", "recover", str(session)]) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err == (
        f"rena bag recover: {session}/bags/0000b is being recorded at this moment; end the recording first\n"
    )


def test_info_shows_topics_and_what_the_bag_says_of_itself(session, capsys):
    assert main(["bag", "info", str(session)]) == 0
    out = capsys.readouterr().out
    for words in (f"{session}/bags/0000: finished", "20 messages, 0.1 s", JOINTS, "sensor_msgs/msg/JointState"):
        assert words in out
    assert f"{session}/bags/0001: was cut off; mend it: rena bag recover {session}/bags/0001" in out
    assert out.count("seed: 42") == 2 and f"robot: {len(CUSTOM['robot'])} characters, 2 line(s)" in out


@pytest.mark.parametrize("tool", ["info", "recover"])
def test_no_bag_is_one_line(tool, tmp_path, capsys):
    assert main(["bag", tool, str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"rena bag {tool}: there is no bag in {tmp_path}; give the folder of a bag, or that of a session\n"
    )
