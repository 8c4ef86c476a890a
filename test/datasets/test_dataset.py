"""Datasets on disk: shards are whole or absent, data come back as written, misuse gets a clear error."""

import contextlib
import json
import os
import re
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.datasets.dataset import FORMAT, image_path, load_dataset, shard_path
from rena_ros.datasets.shards import Shard, begin, locked, missing, write_shard

NAMES = ["jaw", "neck"]


def meta(samples: int, **changes) -> dict:
    recipe = {"seed": 3, "shard_size": 4, "names": NAMES, "feature_names": [f"f{i}" for i in range(55)]}
    recipe |= {"robot": "r", "strategy": "s", "face_model": "m", "versions": {"numpy": "1"}}
    recipe |= {"image": {"width": 64, "height": 48}, "robot_rest": [0.1] * 55}
    return {**recipe, "samples": samples, "command": "rena collect --out there", "commit": "c", **changes}


def shard(first: int, samples: int) -> Shard:
    rng = np.random.default_rng([9, first])
    arrays = {
        "goals": rng.random((samples, 2), np.float32),
        "positions": rng.random((samples, 2)),
        "features": rng.random((samples, 55), np.float32),
        "landmarks": rng.random((samples, 478, 3), np.float32),
        "groups": np.array([f"group {first + i}" for i in range(samples)], "U32"),
        "attempts": np.zeros(samples, np.uint8),
    }
    return Shard(first, arrays, [f"jpeg {first + i}".encode() for i in range(samples)])


def write(directory, samples: int) -> None:
    directory.mkdir(exist_ok=True)
    begin(directory, meta(samples))
    for part in missing(directory, samples, 4):
        write_shard(directory, shard(part.start, len(part)))


def test_samples_come_back_as_written(tmp_path):
    write(tmp_path, 10)
    dataset = load_dataset(tmp_path)
    assert len(dataset) == 10
    for name in ("goals", "positions", "features", "landmarks", "groups", "attempts"):
        there = np.concatenate([shard(first, n).arrays[name] for first, n in ((0, 4), (4, 4), (8, 2))])
        np.testing.assert_array_equal(getattr(dataset, name), there)
        assert getattr(dataset, name).dtype == there.dtype
    assert dataset.names == ("jaw", "neck")
    assert dataset.meta["seed"] == 3
    assert [dataset.image(i).read_bytes() for i in (0, 9)] == [b"jpeg 0", b"jpeg 9"]


def identified(part: Shard) -> Shard:
    """The same samples, with the identity that was drawn and the reading of its neutral face."""
    rng, n = np.random.default_rng([8, part.first]), len(part.jpegs)
    rests = {"rest_features": rng.random((n, 55), np.float32), "rest_landmarks": rng.random((n, 478, 3), np.float32)}
    return replace(part, arrays={**part.arrays, "identities": part.first + np.arange(n, dtype=np.int32), **rests})


def test_identities_and_their_rests_come_back_as_written(tmp_path):
    begin(tmp_path, meta(8))
    shards = [identified(shard(first, 4)) for first in (0, 4)]
    for one in shards:
        write_shard(tmp_path, one)
    dataset = load_dataset(tmp_path).part(np.array([6, 1]))
    for name in ("identities", "rest_features", "rest_landmarks"):
        there = np.concatenate([one.arrays[name] for one in shards])[[6, 1]]
        np.testing.assert_array_equal(getattr(dataset, name), there)
        assert getattr(dataset, name).dtype == there.dtype


def test_a_dataset_without_identities_shows_the_robots_own_face(tmp_path):
    write(tmp_path, 6)
    train, _ = load_dataset(tmp_path).split(2)
    assert train.identities.tolist() == [0] * 4
    assert train.rest_features is None and train.rest_landmarks is None


def test_rests_of_some_shards_only_or_of_another_shape_are_refused(tmp_path):
    write(tmp_path, 8)
    whole = identified(shard(4, 4))
    write_shard(tmp_path, whole)
    with pytest.raises(RenaError, match="only some of its shards hold identities"):
        load_dataset(tmp_path)
    write_shard(tmp_path, identified(shard(0, 4)))
    write_shard(tmp_path, replace(whole, arrays={**whole.arrays, "rest_features": np.zeros((4, 54), np.float32)}))
    with pytest.raises(RenaError, match="do not fit each other"):
        load_dataset(tmp_path)


def test_the_last_samples_are_the_test_set(tmp_path):
    write(tmp_path, 10)
    dataset = load_dataset(tmp_path)
    train, test = dataset.split(test=3)
    assert (len(train), len(test)) == (7, 3)
    np.testing.assert_array_equal(test.goals, dataset.goals[7:])
    assert test.groups.tolist() == ["group 7", "group 8", "group 9"]
    assert test.image(0) == dataset.image(7)
    assert test.part(np.array([2])).image(0) == dataset.image(9)
    with pytest.raises(RenaError, match=r"10 samples, too few .*keep fewer \(--test 1\) or collect more"):
        dataset.split(test=10)


def test_the_same_samples_give_the_same_bytes(tmp_path):
    write(tmp_path / "a", 6)
    write(tmp_path / "b", 6)
    for first in (0, 4):
        assert shard_path(tmp_path / "a", first).read_bytes() == shard_path(tmp_path / "b", first).read_bytes()


def test_missing_partial_and_damaged_shards_are_made_again(tmp_path):
    write(tmp_path, 10)
    assert missing(tmp_path, 10, 4) == []
    assert missing(tmp_path, 12, 4) == [range(8, 12)]  # grown: the last shard was partial
    shard_path(tmp_path, 4).unlink()
    with pytest.raises(RenaError, match="6 of 10 samples; finish it with the same command: rena collect --out there"):
        load_dataset(tmp_path)
    damaged = shard_path(tmp_path, 0)
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(RenaError, match="is damaged"):
        load_dataset(tmp_path)
    assert missing(tmp_path, 10, 4) == [range(0, 4), range(4, 8)]
    write(tmp_path, 10)
    np.testing.assert_array_equal(load_dataset(tmp_path).goals[:4], shard(0, 4).arrays["goals"])


@pytest.fixture
def no_large_files():
    """While this fixture is active, the system refuses to let a file grow beyond 1 kB, as a full disk does."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextlib.contextmanager
    def active():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    yield active
    signal.signal(signal.SIGXFSZ, handler)


def test_a_refused_shard_is_explained_and_loses_nothing(tmp_path, no_large_files):
    write(tmp_path, 4)
    before = shard_path(tmp_path, 0).read_bytes()
    begin(tmp_path, meta(8))
    with no_large_files(), pytest.raises(RenaError, match=r"00004\.npz: File too large.*make room"):
        write_shard(tmp_path, shard(4, 4))
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["00000.npz"]
    assert shard_path(tmp_path, 0).read_bytes() == before
    assert missing(tmp_path, 8, 4) == [range(4, 8)]
    write(tmp_path, 8)
    assert len(load_dataset(tmp_path)) == 8


def test_a_refused_picture_is_explained_and_its_shard_not_written(tmp_path, no_large_files):
    begin(tmp_path, meta(4))
    large_third = replace(shard(0, 4), jpegs=[b"jpeg", b"jpeg", bytes(2000), b"jpeg"])
    with no_large_files(), pytest.raises(RenaError, match=r"00002\.jpg: File too large.*make room"):
        write_shard(tmp_path, large_third)
    assert not shard_path(tmp_path, 0).exists()


def test_every_file_is_flushed_before_it_appears_and_its_folder_afterwards(tmp_path, monkeypatch):
    begin(tmp_path, meta(4))
    steps = []

    def fsync(handle):
        steps.append(("flush", os.readlink(f"/proc/self/fd/{handle}")))

    def exchange(fresh, path, before=os.replace):
        steps.append(("appear", str(fresh), str(path)))
        before(fresh, path)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", exchange)
    write_shard(tmp_path, shard(0, 4))
    files = [*(image_path(tmp_path, i) for i in range(4)), shard_path(tmp_path, 0)]
    for path, (flushed, appeared, folder) in zip(files, zip(*[iter(steps)] * 3, strict=True), strict=True):
        assert appeared[0] == "appear" and appeared[2] == str(path)
        assert flushed == ("flush", appeared[1])
        assert folder == ("flush", str(path.parent))


@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"strategy": "t"}, {"names": ["jaw"]}, {"versions": {"numpy": "2"}}, {"robot_rest": [0.2] * 55}],
)
def test_a_dataset_of_another_recipe_is_not_continued(tmp_path, change):
    write(tmp_path, 4)
    text = (tmp_path / "meta.json").read_text()
    with pytest.raises(RenaError, match=rf"of another recipe \({next(iter(change))}: "):
        begin(tmp_path, meta(4, **change))
    assert (tmp_path / "meta.json").read_text() == text


def test_a_dataset_can_grow_but_not_shrink(tmp_path):
    write(tmp_path, 10)
    with pytest.raises(RenaError, match="can grow, not shrink"):
        begin(tmp_path, meta(8))
    assert begin(tmp_path, meta(12))["samples"] == 10


def test_a_directory_with_other_files_is_left_unchanged(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with locked(tmp_path), pytest.raises(RenaError, match=r"holds no dataset \(thesis.tex"):
        begin(tmp_path, meta(4))
    assert not (tmp_path / "meta.json").exists()


def test_a_second_writer_is_refused(tmp_path):
    with locked(tmp_path / "new"), pytest.raises(RenaError, match="another rena command"), locked(tmp_path / "new"):
        pass
    with locked(tmp_path / "new"):
        pass


def test_a_directory_without_a_readable_meta_is_refused(tmp_path):
    with pytest.raises(RenaError, match="holds no dataset"):
        load_dataset(tmp_path)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(RenaError, match="is no JSON"):
        load_dataset(tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(RenaError, match=f"format {FORMAT}"):
        load_dataset(tmp_path)


def test_a_session_is_told_from_a_dataset(tmp_path):
    (tmp_path / "session.json").write_text("{}")
    with pytest.raises(RenaError, match=f"is a session, not yet a dataset: rena dataset build {tmp_path} "):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("samples", value) for value in (None, 0, "9", True, 10**12)],
        *[("shard_size", value) for value in (None, 0, 1.5)],
        *[(key, value) for key in ("names", "feature_names") for value in (None, "x", [], [1], ["a"])],
        ("command", None),
        ("seed", float("nan")),
    ],
)
def test_a_meta_that_says_nothing_usable_is_refused_in_one_line(tmp_path, key, value):
    write(tmp_path, 4)
    (tmp_path / "meta.json").write_text(json.dumps({"format": FORMAT, **meta(4), key: value}))
    with pytest.raises(RenaError, match=r"^[^\n]+$"):
        load_dataset(tmp_path)


def test_a_shard_is_refused_in_one_line_whatever_of_it_is_damaged(tmp_path):
    """Bytes of the zip's own records, where Python's zipfile and NumPy raise errors of many kinds."""
    write(tmp_path, 4)
    path, said = shard_path(tmp_path, 0), []
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    heads = np.array([match.start() for match in re.finditer(b"PK", whole)])
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[min(rng.choice(heads) + rng.integers(2, 180), len(whole) - 1)] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            load_dataset(tmp_path)
        except RenaError as error:
            said.append(str(error))
    assert len(said) > 100 and not any("\n" in text for text in said)


def test_nothing_is_unpickled(tmp_path):
    write(tmp_path, 4)
    arrays = {**shard(0, 4).arrays, "groups": np.array([{"a": 1}] * 4, object)}
    np.savez(shard_path(tmp_path, 0), **arrays)
    with pytest.raises(RenaError, match="is damaged"):
        load_dataset(tmp_path)
