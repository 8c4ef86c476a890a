"""Bags that rosbags has written, and ours, through our reader."""

import pytest
from bag_stand import CUSTOM, JOINTS, PICTURES, TYPES, declare, rows, stamp, write
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from sensor_msgs.msg import JointState

from rena_ros.bags.definitions import jazzy_types
from rena_ros.bags.reader import BagReader
from rena_ros.bags.writer import BagWriter
from rena_ros.base.errors import RenaError

KINDS = [(StoragePlugin.MCAP, mode) for mode in CompressionMode]
KINDS += [(StoragePlugin.SQLITE3, mode) for mode in CompressionMode if mode is not CompressionMode.STORAGE]


def write_by_rosbags(directory, wanted, plugin=StoragePlugin.MCAP, mode=CompressionMode.NONE):
    writer = Writer(directory, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    writer.set_custom_data("seed", "42")
    with writer:
        topics = {name: writer.add_connection(name, kind, typestore=jazzy_types()) for name, kind in TYPES.items()}
        for topic, stamp_ns, data in wanted:
            writer.write(topics[topic], stamp_ns, data)
    return directory


def read(path, *topics, **limits):
    with BagReader(path) as bag:
        return [(message.topic, message.stamp_ns, message.data) for message in bag.messages(*topics, **limits)]


@pytest.mark.parametrize(("plugin", "mode"), KINDS, ids=lambda kind: kind.name.lower())
def test_bags_of_every_storage_and_compression_are_read(plugin, mode, tmp_path):
    bag = write_by_rosbags(tmp_path / "take", rows(30), plugin, mode)
    assert read(bag) == rows(30)
    with BagReader(bag) as reader:
        assert reader.topics == TYPES and reader.counts == {JOINTS: 24, PICTURES: 6}
        assert (reader.start_ns, reader.end_ns) == (stamp(0), stamp(29))
        assert reader.metadata == {"seed": "42"}


def test_topics_and_times_are_chosen(bag):
    directory, wanted = bag
    assert read(directory, PICTURES) == [row for row in wanted if row[0] == PICTURES]
    assert read(directory, JOINTS, PICTURES, start_ns=stamp(10), stop_ns=stamp(20)) == wanted[10:20]
    assert read(directory, "/other") == []


def test_a_split_bag_is_read_by_time(tmp_path):
    late = rows(100)[:60] + rows(100)[61:] + [rows(100)[60]]  # a picture that came late, in another file
    bag = write(tmp_path / "take", late, split_bytes=20_000)
    assert len(list(bag.glob("*.mcap"))) > 2
    assert read(bag) == rows(100)
    assert read(bag, start_ns=stamp(59), stop_ns=stamp(62)) == rows(100)[59:62]


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_a_single_file_is_read(suffix, tmp_path):
    plugin = StoragePlugin.MCAP if suffix == ".mcap" else StoragePlugin.SQLITE3
    (file,) = write_by_rosbags(tmp_path / "take", rows(30), plugin).glob(f"*{suffix}")
    assert read(file) == rows(30)
    with BagReader(file) as reader:
        assert reader.metadata == ({"seed": "42"} if suffix == ".mcap" else {})


def test_messages_are_decoded_as_ros_decodes_them(bag):
    with BagReader(bag[0]) as reader:
        assert reader.metadata == CUSTOM
        for message in reader.messages(JOINTS):
            ours, theirs = reader.decode(message), deserialize_message(message.data, JointState)
            assert list(ours.position) == list(theirs.position) and ours.name == theirs.name
            assert ours.header.stamp.nanosec == theirs.header.stamp.nanosec
        picture = next(reader.messages(PICTURES))
        assert reader.decode(picture).format == "jpeg"
        with pytest.raises(RenaError, match=f"{JOINTS} .* is damaged"):
            reader.decode(type(picture)(JOINTS, TYPES[JOINTS], 0, b"\x00\x01\x00\x00\x01"))
        with pytest.raises(RenaError, match="lab_msgs/msg/Own"):
            reader.decode(type(picture)(JOINTS, "lab_msgs/msg/Own", 0, b""))


def test_a_type_of_the_bag_itself_is_decoded(tmp_path):
    with Writer(tmp_path / "take", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        own = writer.add_connection("/own", "lab_msgs/msg/Own", msgdef="uint32 value\n", rihs01="RIHS01_00")
        writer.write(own, 5, b"\x00\x01\x00\x00\x07\x00\x00\x00")
    with BagReader(tmp_path / "take") as reader:
        assert reader.decode(next(reader.messages())).value == 7


def test_a_bag_that_is_being_recorded_is_refused(tmp_path):
    writer = declare(BagWriter(tmp_path / "take", CUSTOM))
    for path in (tmp_path / "take", tmp_path / "take/take_0.mcap"):
        with pytest.raises(RenaError, match="is being recorded at this moment"):
            BagReader(path)
    writer.close()
    with BagReader(tmp_path / "take") as reader:
        assert (dict(reader.counts), reader.start_ns, reader.end_ns) == (dict.fromkeys(TYPES, 0), 0, 0)


def test_a_bag_that_was_cut_off_is_refused_with_the_remedy(bag):
    file = bag[0] / "take_0.mcap"
    file.write_bytes(file.read_bytes()[:-100])
    for path in (bag[0], file):
        with pytest.raises(RenaError, match=f"was cut off; mend it: rena bag recover {bag[0]}$"):
            BagReader(path)


def test_a_damaged_message_is_refused(bag):
    file = bag[0] / "take_0.mcap"
    file.write_bytes(file.read_bytes().replace(b"jpeg", b"jpng", 1))
    with pytest.raises(RenaError, match="is damaged"):
        read(bag[0])


@pytest.mark.parametrize("name", ["missing", "folder", "text.txt"])
def test_what_is_no_bag_is_refused(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").touch()
    with pytest.raises(RenaError, match=r"no bag.*name a"):
        BagReader(tmp_path / name)
