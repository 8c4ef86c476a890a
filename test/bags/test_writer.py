"""Bags as rosbags and mcap, which know nothing of our writer, read them."""

import errno
import threading

import pytest
from bag_stand import (
    CUSTOM,
    JOINTS,
    PICTURES,
    TYPES,
    declare,
    read_by_mcap,
    read_by_rosbags,
    read_unfinished,
    rows,
    stamp,
    write,
)
from mcap.reader import SeekingReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader

from rena_ros.bags import output
from rena_ros.bags.output import OutputFile
from rena_ros.bags.writer import BagWriter, TopicQos
from rena_ros.base.errors import RenaError

HASHES = {  # from the JSON files that ROS installs beside its messages
    "sensor_msgs/msg/JointState": "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e",
    "sensor_msgs/msg/CompressedImage": "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
}


@pytest.mark.parametrize("split_bytes", [1 << 30, 20_000], ids=["one file", "split"])
def test_rosbags_and_mcap_read_what_was_written(split_bytes, tmp_path):
    bag = write(tmp_path / "take", rows(100), split_bytes=split_bytes)
    files = [bag / f"take_{number}.mcap" for number in range(len(list(bag.glob("*.mcap"))))]
    assert len(files) == 1 if split_bytes > 20_000 else len(files) > 2
    assert read_by_rosbags(bag) == rows(100)
    assert [row for file in files for row in read_by_mcap(file)] == rows(100)
    assert sorted(path.name for path in bag.iterdir()) == sorted(["metadata.yaml", *(file.name for file in files)])
    for file in files:
        with file.open("rb") as stream:
            summary = SeekingReader(stream).get_summary()
        assert {channel.topic for channel in summary.channels.values()} == set(TYPES)
        assert {schema.encoding for schema in summary.schemas.values()} == {"ros2msg"}
        assert all(index.message_index_offsets for index in summary.chunk_indexes)
        assert summary.statistics.message_count == len(read_by_mcap(file))


def test_metadata_is_that_of_jazzy(bag):
    directory, wanted = bag
    with Reader(directory) as reader:
        metadata = reader.storage.metadata
        assert metadata.custom == CUSTOM and metadata.ros_distro == "jazzy"
        assert (reader.start_time, reader.end_time) == (stamp(0), stamp(99) + 1)
        qos = {c.topic: c.ext.offered_qos_profiles[0] for c in reader.connections}
        hashes = {c.msgtype: c.digest for c in reader.connections}
        counts = {c.topic: c.msgcount for c in reader.connections}
    assert counts == {topic: sum(row[0] == topic for row in wanted) for topic in TYPES}
    assert (qos[JOINTS].reliability, qos[JOINTS].durability) == (QosReliability.RELIABLE, QosDurability.VOLATILE)
    assert qos[PICTURES].reliability is QosReliability.BEST_EFFORT and qos[PICTURES].depth == 2
    assert qos[PICTURES].durability is QosDurability.TRANSIENT_LOCAL
    assert hashes == HASHES


def test_what_is_flushed_can_be_read_while_the_writer_goes_on(tmp_path):
    with declare(BagWriter(tmp_path / "take", CUSTOM)) as writer:
        for row in rows(50):
            writer.write(*row)
        writer.flush()
        writer.write(*rows(51)[50])
        assert read_unfinished(tmp_path / "take/take_0.mcap") == rows(50)
        assert sum(writer.messages.values()) == 51
        assert writer.bytes_written == (tmp_path / "take/take_0.mcap").stat().st_size


def test_metadata_is_there_from_the_first_moment(tmp_path):
    writer = BagWriter(tmp_path / "take", CUSTOM)
    assert CUSTOM["robot"].splitlines()[0] in (tmp_path / "take/metadata.yaml").read_text()
    writer.close()
    writer.close()
    assert read_by_rosbags(tmp_path / "take") == []


def test_a_chunk_is_closed_when_it_is_old(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("rena_ros.bags.writer.time.monotonic", lambda: now[0])
    with declare(BagWriter(tmp_path / "take", CUSTOM)) as writer:
        empty = writer.bytes_written
        for number, row in enumerate(rows(4)):
            now[0] = number / 10
            assert writer.bytes_written == empty
            writer.write(*row)
        assert writer.bytes_written > empty


def test_the_disk_is_waited_for_in_a_thread(tmp_path, monkeypatch, until):
    threads = []
    monkeypatch.setattr(OutputFile, "sync", lambda self: threads.append(threading.current_thread()))
    writer = declare(BagWriter(tmp_path / "take", CUSTOM))
    writer.write(*rows(1)[0])
    writer.flush()
    until(lambda: threads)
    assert threading.current_thread() not in threads
    writer.close()
    assert threads[-1] is threading.current_thread()


@pytest.mark.parametrize("where", ["write", "fdatasync"])
def test_a_full_disk_is_said_with_its_folder_and_the_remedy(where, tmp_path, monkeypatch, until):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = declare(BagWriter(tmp_path / "take", CUSTOM))
    for row in rows(10):
        writer.write(*row)
    writer.flush()
    monkeypatch.setattr(output.os, where, full)

    def refused():
        try:
            writer.write(*rows(1)[0])
            writer.flush()
        except RenaError as error:
            return str(error)
        return ""

    messages = []
    until(lambda: messages.append(refused()) or messages[-1])
    assert "the disk is full" in messages[-1] and f"rena bag recover {tmp_path / 'take'}" in messages[-1]
    with pytest.raises(RenaError, match="the disk is full"):
        writer.write(*rows(1)[0])
    writer.close()
    with pytest.raises(RenaError, match="exists already"):
        BagWriter(tmp_path / "take", {})


def test_types_that_jazzy_lacks_and_topics_of_two_types_are_refused(tmp_path):
    with BagWriter(tmp_path / "take", {}) as writer:
        writer.add_topic("/a", "std_msgs/msg/String", TopicQos())
        with pytest.raises(RenaError, match="no message type"):
            writer.add_topic("/b", "lab_msgs/msg/Own", TopicQos())
        with pytest.raises(RenaError, match="already recorded as std_msgs/msg/String"):
            writer.add_topic("/a", "std_msgs/msg/UInt32", TopicQos())
        with pytest.raises(KeyError):
            writer.write("/b", 0, b"")


def test_a_folder_that_exists_or_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "take").mkdir()
    with pytest.raises(RenaError, match="exists already"):
        BagWriter(tmp_path / "take", {})
    (tmp_path / "file").touch()
    with pytest.raises(RenaError, match="name another folder"):
        BagWriter(tmp_path / "file/take", {})
