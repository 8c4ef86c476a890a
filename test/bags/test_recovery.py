"""Bags cut off at any byte: mended, then read by rosbags and by mcap, which checks every checksum."""

import errno
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from bag_stand import CUSTOM, TYPES, declare, read_by_mcap, read_by_rosbags, read_unfinished, rows, write
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from rena_ros.bags import recovery
from rena_ros.bags.definitions import definition, jazzy_types
from rena_ros.bags.reader import BagReader
from rena_ros.bags.recovery import is_finished, recover
from rena_ros.bags.writer import BagWriter
from rena_ros.base.errors import RenaError

ROWS = rows(100)


def checked(bag):
    """The rows of a mended bag, as three readers agree on them."""
    assert is_finished(bag)
    files = sorted(bag.glob("*.mcap"), key=lambda path: int(path.stem.split("_")[-1]))
    with BagReader(bag) as reader:
        ours = [(message.topic, message.stamp_ns, message.data) for message in reader.messages()]
    theirs = read_by_rosbags(bag)
    assert ours == theirs == [row for file in files for row in read_by_mcap(file)]
    with Reader(bag) as reader:
        assert reader.message_count == len(theirs)
    assert not [path for path in bag.iterdir() if path.suffix not in (".mcap", ".yaml")]
    return theirs


def unfinished(directory, *, split_bytes=1 << 30, wanted=ROWS):
    """A bag as a killed writer leaves it: metadata.yaml from its beginning, no index, all chunks closed."""
    writer = declare(BagWriter(directory, CUSTOM, split_bytes=split_bytes))
    for number, row in enumerate(wanted, 1):
        writer.write(*row)
        if number % 7 == 0:
            writer.flush()
    writer.flush()
    copy = directory.with_name("copy")
    shutil.copytree(directory, copy)
    writer.close()
    shutil.rmtree(directory)
    return copy.rename(directory)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A killed bag, read only."""
    return unfinished(tmp_path_factory.mktemp("killed") / "take")


def cut(killed, folder, size):
    """A copy of the killed bag whose file ends at a byte."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(killed, folder)
    os.truncate(folder / "take_0.mcap", size)
    return folder


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
@example(share=0.0)
@example(share=1.0)
def test_a_bag_cut_off_at_any_byte_keeps_all_whole_chunks(share, killed, tmp_path):
    whole = (killed / "take_0.mcap").stat().st_size
    bag = cut(killed, tmp_path / "take", round(share * whole))
    expected = read_unfinished(bag / "take_0.mcap")
    assert not is_finished(bag)
    done = recover(bag)
    assert checked(bag) == expected == ROWS[: len(expected)]
    assert done.mended and done.messages == len(expected) and done.files == 1
    with BagReader(bag) as reader:
        assert reader.metadata == CUSTOM
    again = recover(bag)
    assert not again.mended and again.messages == len(expected)


@pytest.mark.parametrize("lost", ["nothing", "metadata", "half the metadata", "all of the last file"])
def test_a_split_bag_is_mended_whatever_is_lost_of_it(lost, tmp_path):
    bag = unfinished(tmp_path / "take", split_bytes=20_000)
    files = len(list(bag.glob("*.mcap")))
    expected = ROWS
    if lost == "metadata":
        (bag / "metadata.yaml").unlink()
    if lost == "half the metadata":
        os.truncate(bag / "metadata.yaml", (bag / "metadata.yaml").stat().st_size // 2)
    if lost == "all of the last file":
        last = bag / f"take_{files - 1}.mcap"
        expected = ROWS[: -len(read_unfinished(last))]
        os.truncate(last, 0)
    with pytest.raises(RenaError, match="rena bag recover"):
        BagReader(bag)
    assert files > 2 and recover(bag).files == files - (lost == "all of the last file")
    assert checked(bag) == expected
    with BagReader(bag) as reader:
        assert reader.metadata == CUSTOM


def test_a_finished_bag_stays_as_it_is(bag):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in bag[0].iterdir()}
    assert not recover(bag[0]).mended
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in bag[0].iterdir()} == before


def test_stale_metadata_of_a_finished_file_is_written_again(tmp_path):
    first = unfinished(tmp_path / "other" / "take")
    bag = write(tmp_path / "take", ROWS)
    metadata = (bag / "metadata.yaml").read_text()
    shutil.copy(first / "metadata.yaml", bag)  # killed between the file's footer and metadata.yaml
    assert not is_finished(bag)
    assert recover(bag).cut_bytes == 0
    assert checked(bag) == ROWS
    assert (bag / "metadata.yaml").read_text() == metadata


@pytest.mark.parametrize("what", ["a message", "the length of a chunk"])
def test_a_damaged_chunk_is_cut_out_and_what_follows_it_is_kept(what, killed, tmp_path, monkeypatch):
    monkeypatch.setattr(recovery, "_MUCH", 7 * 50)
    bag = cut(killed, tmp_path / "take", (killed / "take_0.mcap").stat().st_size)
    file = bag / "take_0.mcap"
    data = file.read_bytes()
    hit = data.index(ROWS[50][2])  # in the eighth chunk of seven messages
    if what != "a message":
        hit = data.rindex(b"\x06", 0, data.index(ROWS[49][2]) - 31 - 40)  # before a message's and the chunk's own head
        assert int.from_bytes(data[hit + 1 : hit + 9], "little") < 30_000
    damaged = data[:hit] + bytes(9) + data[hit + 9 :]
    file.write_bytes(damaged)
    done = recover(bag)
    assert done.cut_bytes > 7 * 50
    assert (bag / "take_0.mcap.damaged").read_bytes() == damaged
    (bag / "take_0.mcap.damaged").unlink()
    assert checked(bag) == ROWS[:49] + ROWS[56:]


def test_a_file_that_is_no_mcap_at_all_leaves_no_message(killed, tmp_path):
    bag = cut(killed, tmp_path / "take", 0)
    (bag / "take_0.mcap").write_bytes(b"\x06\x40\0\0\0\0\0\0\0 nothing of MCAP" * 9)
    assert recover(bag).messages == 0
    assert checked(bag) == []


def test_zeros_at_the_end_as_a_power_cut_leaves_them_are_cut_off(killed, tmp_path):
    bag = cut(killed, tmp_path / "take", (killed / "take_0.mcap").stat().st_size)
    with (bag / "take_0.mcap").open("ab") as file:
        file.write(bytes(5000))
    assert recover(bag).cut_bytes == 5000
    assert checked(bag) == ROWS


@pytest.mark.parametrize("moment", ["before", "after"], ids=["before the exchange", "after it"])
def test_a_second_cut_while_mending_loses_nothing(moment, killed, tmp_path, monkeypatch):
    bag = cut(killed, tmp_path / "take", (killed / "take_0.mcap").stat().st_size)
    name = "replace" if moment == "before" else "fsync"
    actual = getattr(os, name)

    def killed_here(*args):
        if moment == "after":
            actual(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"rena_ros.base.files.os.{name}", killed_here)
        with pytest.raises(KeyboardInterrupt):
            recover(bag)
    (bag / ".take_0.mcap.4711").write_bytes(b"what a real kill leaves")
    assert not is_finished(bag)
    recover(bag)
    assert checked(bag) == ROWS


def test_a_bag_is_not_mended_while_it_is_recorded(tmp_path):
    writer = declare(BagWriter(tmp_path / "take", CUSTOM))
    writer.write(*ROWS[0])
    writer.flush()
    with pytest.raises(RenaError, match="is being recorded at this moment"):
        recover(tmp_path / "take")
    writer.close()
    assert not recover(tmp_path / "take").mended


def tells_open_files(folder: Path) -> bool:
    """Whether the file system grants leases (fcntl(2)), by which a file that is open for writing is known."""
    (folder / "unused").touch()
    with (folder / "unused").open("rb") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            return False
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def test_a_file_that_another_program_writes_is_not_mended(killed, tmp_path):
    if not tells_open_files(tmp_path):
        pytest.skip("this file system does not tell which files are open")
    bag = cut(killed, tmp_path / "take", 4000)
    with (bag / "take_0.mcap").open("ab"), pytest.raises(RenaError, match="is being recorded at this moment"):
        recover(bag)
    assert recover(bag).mended


def test_no_room_for_the_copy_is_said(killed, tmp_path, monkeypatch):
    bag = cut(killed, tmp_path / "take", 20_000)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "rewrite", full)
        with pytest.raises(RenaError, match=r"it is unchanged; mending needs 0\.0 MB of free space"):
            recover(bag)
    assert (bag / "take_0.mcap").stat().st_size == 20_000
    assert recover(bag).mended


def mcap_of_ros(path, **options):
    """What `ros2 bag record` leaves when it is killed: no checksums by default, no chunks with the preset fastwrite."""
    with path.open("wb") as file:
        writer = McapWriter(file, chunk_size=5000, enable_crcs=False, **options)
        writer.start("ros2", "libmcap 1.1.0")
        channels = {}
        for topic, msgtype in TYPES.items():
            schema = writer.register_schema(msgtype, "ros2msg", definition(msgtype)[0].encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema, {"offered_qos_profiles": ""})
        for topic, stamp_ns, data in ROWS:
            writer.add_message(channels[topic], stamp_ns, data, stamp_ns)
        writer.flush()


@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4], ids=["plain", "lz4"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunks", "no chunks"])
def test_what_ros2_bag_record_leaves_without_metadata_is_mended(chunked, compression, tmp_path):
    bag = tmp_path / "rosbag2_2026"
    bag.mkdir()
    mcap_of_ros(bag / "rosbag2_2026_0.mcap", use_chunking=chunked, compression=compression)
    with (bag / "rosbag2_2026_0.mcap").open("ab") as file:
        file.write(b"\x06" + (10**6).to_bytes(8, "little") + b"torn")
    assert recover(bag).cut_bytes == 13
    assert checked(bag) == ROWS


@pytest.mark.parametrize(
    ("plugin", "mode"),
    [
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    ],
    ids=lambda part: part.name.lower(),
)
def test_lost_metadata_is_made_again_for_every_storage(plugin, mode, tmp_path):
    bag = tmp_path / "take"
    writer = Writer(bag, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topics = {name: writer.add_connection(name, kind, typestore=jazzy_types()) for name, kind in TYPES.items()}
        for topic, stamp_ns, data in ROWS:
            writer.write(topics[topic], stamp_ns, data)
    (bag / "metadata.yaml").unlink()
    assert recover(bag).cut_bytes == 0
    assert read_by_rosbags(bag) == ROWS


def test_a_sqlite3_bag_with_a_journal_is_rolled_back(tmp_path):
    bag = tmp_path / "take"
    program = (
        "import os, sqlite3, sys\n"
        "base = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "base.executescript('PRAGMA cache_size=1; BEGIN; UPDATE messages SET data=zeroblob(3000)')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    with Writer(bag, version=9) as writer:
        topics = {name: writer.add_connection(name, kind, typestore=jazzy_types()) for name, kind in TYPES.items()}
        for topic, stamp_ns, data in ROWS:
            writer.write(topics[topic], stamp_ns, data)
    killed = subprocess.run([sys.executable, "-c", program, bag / "take.db3"])
    assert killed.returncode == -signal.SIGKILL and (bag / "take.db3-journal").stat().st_size
    assert not is_finished(bag)
    recover(bag)
    assert is_finished(bag) and read_by_rosbags(bag) == ROWS


def test_a_damaged_database_is_said_with_a_way_out(tmp_path):
    bag = tmp_path / "take"
    bag.mkdir()
    (bag / "take.db3").write_bytes(b"no database" * 1000)
    with pytest.raises(RenaError, match=r"cannot be mended: file is not a database.*\.recover"):
        recover(bag)
    sqlite3.connect(bag / "other.db3").close()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "holds no bag"),
        (["a_0.mcap", "b_0.db3"], "two bags"),
        (["a_0.mcap.zstd", "a_1.mcap"], r"zstd -d -o .*/a_0.mcap .*/a_0.mcap.zstd$"),
    ],
)
def test_what_cannot_be_mended_is_said(files, words, tmp_path):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(RenaError, match=words):
        recover(tmp_path)


def test_files_that_metadata_lists_and_that_are_gone_are_named(tmp_path):
    bag = write(tmp_path / "take", ROWS, split_bytes=20_000)
    gone = read_by_mcap(bag / "take_1.mcap")
    Path(bag / "take_1.mcap").unlink()
    assert recover(bag).missing == ("take_1.mcap",)
    assert checked(bag) == [row for row in ROWS if row not in gone]
