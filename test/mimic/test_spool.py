"""Spool files: records are read back sorted; an incomplete last record or a full disk affects no other record."""

import numpy as np

from rena_ros.mimic.spool import SpoolReader, SpoolWriter


def test_records_come_back_sorted_by_stamp(tmp_path):
    writer = SpoolWriter(tmp_path, ("a", "b"))
    for stamp, data in ((30, b"three"), (10, b""), (20, b"two")):
        writer.append("a", stamp, data)
    writer.append("b", -5, np.arange(3, dtype=np.float32).tobytes())
    writer.close()
    a, b = SpoolReader(tmp_path, "a"), SpoolReader(tmp_path, "b")
    assert a.stamps_ns.tolist() == [10, 20, 30]
    assert [a[i] for i in range(len(a))] == [b"", b"two", b"three"]
    assert np.frombuffer(b[0], np.float32).tolist() == [0, 1, 2]
    assert len(SpoolReader(tmp_path, "never written")) == 0


def test_every_cut_of_the_file_leaves_the_whole_records_before_it(tmp_path):
    writer = SpoolWriter(tmp_path, ("a",))
    ends = [0]
    for i in range(4):
        writer.append("a", i, bytes([i]) * (i * 3))
        ends.append(ends[-1] + 12 + i * 3)
    writer.close()
    whole = (tmp_path / "a.spool").read_bytes()
    assert len(whole) == ends[-1]
    for size in range(len(whole) + 1):
        (tmp_path / "a.spool").write_bytes(whole[:size])
        reader = SpoolReader(tmp_path, "a")
        assert len(reader) == sum(end <= size for end in ends[1:])
        assert all(reader[i] == bytes([i]) * (i * 3) for i in range(len(reader)))


def test_a_full_disk_is_recorded_once_and_raises_nothing(tmp_path, full_device):
    (tmp_path / "a.spool").symlink_to(full_device)
    writer = SpoolWriter(tmp_path, ("a", "b"))
    for i in range(20):
        writer.append("a", i, b"x" * 10_000)
    assert writer.failure == "No space left on device"
    writer.close()
    assert writer.failure == "No space left on device"
