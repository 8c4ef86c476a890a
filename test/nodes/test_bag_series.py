"""Bags one after another: numbers, room on the disk, and a disk that refuses."""

import errno
import os

import pytest

from rena_ros.bags.reader import BagReader
from rena_ros.bags.writer import TopicQos
from rena_ros.base.errors import RenaError
from rena_ros.nodes.bag_series import BagSeries

TEXT = "std_msgs/msg/String"
TOPICS = {"/said": (TEXT, TopicQos()), "/robot_description": (TEXT, TopicQos(transient_local=True))}
MB = 1_000_000


def cdr(text):
    """A std_msgs/String as CDR: the header of little endian, then length with the closing zero, text, zero."""
    return b"\0\1\0\0" + (len(text) + 1).to_bytes(4, "little") + text.encode() + b"\0"


class Stand:
    """A series with a disk and a clock that the test sets."""

    def __init__(self, folder):
        self.folder, self.free, self.now_s, self.lines = folder, 1000 * MB, 0.0, []

    def series(self):
        return BagSeries(
            self.folder, {"kind": "mimic"}, TOPICS, split_bytes=1 << 30, min_free_bytes=100 * MB,
            log=self.lines.append, free_bytes=lambda path: self.free, clock=lambda: self.now_s,
        )  # fmt: skip


@pytest.fixture
def stand(tmp_path):
    return Stand(tmp_path / "bags")


def said(bag, topic="/said"):
    with BagReader(bag) as reader:
        assert reader.metadata == {"kind": "mimic"}
        return [(message.stamp_ns, reader.decode(message).data) for message in reader.messages(topic)]


def test_each_start_makes_the_bag_with_the_next_free_number(stand):
    (stand.folder / "0006").mkdir(parents=True)
    (stand.folder / "notes.txt").touch()
    for word in ("one", "two"):
        series = stand.series()
        assert series.write("/said", 5, cdr(word))
        series.close()
    assert said(stand.folder / "0007") == [(5, "one")]
    assert said(stand.folder / "0008") == [(5, "two")]


def test_a_nearly_full_disk_ends_the_bag_whole_and_the_next_one_begins_when_there_is_room(stand):
    series = stand.series()
    series.write("/robot_description", 1, cdr("urdf"))
    series.write("/said", 2, cdr("before"))
    assert series.tend() and not series.problem
    stand.free = 99 * MB
    assert series.tend(), "what was written before is safe"
    assert series.problem.startswith("disk nearly full: 99 MB are free")
    assert said(stand.folder / "0000") == [(2, "before")]
    assert not series.write("/said", 3, cdr("meanwhile")) and not series.tend()
    stand.free = 105 * MB
    assert not series.tend() and series.problem, "just enough is not enough: the bag would end at once"
    stand.free = 120 * MB
    series.tend()
    assert not series.problem and series.write("/said", 4, cdr("after"))
    series.close()
    assert said(stand.folder / "0001") == [(4, "after")]
    ((stamp_ns, text),) = said(stand.folder / "0001", "/robot_description")
    assert text == "urdf" and stamp_ns > 4, "it is sent once only, and belongs to the beginning of each bag"
    assert len(stand.lines) == 2 and series.messages == 3


def test_a_disk_that_is_full_at_the_start_makes_no_bag_until_there_is_room(stand):
    stand.free = 0
    series = stand.series()
    assert series.problem and series.bag is None
    stand.free = 1000 * MB
    series.tend()
    assert series.bag == stand.folder / "0000"
    series.close()


def test_a_disk_that_refuses_is_one_line_and_tried_again_later(stand, monkeypatch):
    series = stand.series()

    def refuse(handle, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert series.write("/said", 1, cdr("before")) and series.tend() and series.write("/said", 2, cdr("too late"))
    with monkeypatch.context() as patched:
        patched.setattr("rena_ros.bags.output.os.write", refuse)
        assert not series.tend()
        assert not series.write("/said", 2, cdr("meanwhile"))
        stand.now_s = 1.0
        series.tend()
        assert series.bags == [stand.folder / "0000"], "not at once"
        stand.now_s = 6.0
        series.tend()
        assert series.problem and list(stand.folder.iterdir()) == [stand.folder / "0000"], "no empty bag is left"
    assert "the disk is full" in stand.lines[0] and "rena bag recover" in stand.lines[0]
    stand.now_s = 20.0
    series.tend()
    assert not series.problem and series.write("/said", 3, cdr("after"))
    series.close()
    assert said(stand.folder / "0001") == [(3, "after")]
    assert said(stand.folder / "0000") == [(1, "before")], "flushed before the disk was full, and mended at the end"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RenaError, match="cannot record into"):
        Stand(tmp_path / "file").series()
