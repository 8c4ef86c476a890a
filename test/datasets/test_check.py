"""Checking a dataset: a whole one has no fault; every fault of a damaged one is listed, with its file and row."""

import json
import shutil

import numpy as np
import pytest
from session_stand import NAMES, ROBOT, SPAN, features_at, goals_of, jpeg, landmarks_at, pixels_at

from rena_ros import cli
from rena_ros.datasets.dataset import image_path, shard_path
from rena_ros.datasets.shards import Shard, begin, write_shard
from rena_ros.perception.face_reader import READING_NAMES


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A dataset without a fault, 7 samples in shards of 4."""
    directory = tmp_path_factory.mktemp("data") / "whole"
    directory.mkdir()
    recipe = dict.fromkeys(("robot", "strategy", "face_model"), "0") | {"versions": {}, "seed": 1}
    meta = {
        **recipe,
        "command": "rena collect --out there",
        "samples": 7,
        "shard_size": 4,
        "names": list(NAMES),
        "feature_names": list(READING_NAMES),
        "neutral_goals": [0.0] * 3,
        "lower_rad": [0.0] * 3,
        "span_rad": [SPAN] * 3,
        "robot_rest": [0.1] * 55,
        "image": {"width": 64, "height": 48},
    }
    begin(directory, meta)
    for first, count in ((0, 4), (4, 3)):
        numbers = range(first, first + count)
        arrays = {
            "goals": np.stack([goals_of(i) for i in numbers]),
            "positions": np.stack([goals_of(i) * SPAN for i in numbers]).astype(np.float64),
            "features": np.stack([features_at(i) for i in numbers]),
            "landmarks": np.stack([landmarks_at(i) for i in numbers]),
            "groups": np.array(["mouth"] * count, "U32"),
            "attempts": np.zeros(count, np.uint8),
        }
        write_shard(directory, Shard(first, arrays, [jpeg(pixels_at(i)) for i in numbers]))
    (directory / "robot.yaml").write_text(ROBOT)
    return directory


@pytest.fixture
def data(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "data")


def faults(directory, code=1) -> list[str]:
    """What `rena dataset check` prints, as "file row: problem"."""
    report = directory.with_name("report.json")
    assert cli.main(["dataset", "check", str(directory), "--workers", "1", "--json", str(report)]) == code
    listed = json.loads(report.read_text())["faults"]
    return [f"{one['file']}{'' if one['row'] is None else ' ' + str(one['row'])}: {one['problem']}" for one in listed]


def change_meta(directory, **changes):
    path = directory / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_shard(directory, first, **changes):
    """Each change is a function that alters an array in place, or an array."""
    with np.load(shard_path(directory, first)) as file:
        arrays = {name: file[name] for name in file.files}
    for name, change in changes.items():
        if callable(change):
            change(arrays[name])
        else:
            arrays[name] = change
    np.savez(shard_path(directory, first), **{name: array for name, array in arrays.items() if array is not None})


def test_a_whole_dataset_has_no_fault(data, capsys):
    assert faults(data, code=0) == []
    assert "no fault" in capsys.readouterr().out


def test_all_faults_are_listed_not_the_first(data, capsys):
    change_meta(data, robot_rest=[0.1] * 54)
    change_shard(data, 0, goals=lambda a: a.__setitem__((1, 0), 1.5), features=lambda a: a.__setitem__((3, 7), np.nan))
    shard_path(data, 4).write_bytes(b"PK")
    image_path(data, 2).unlink()
    found = faults(data)
    assert [fault.partition(":")[0] for fault in found] == [
        "meta.json", "shards/00000.npz 1", "shards/00000.npz 1", "shards/00000.npz 3", "shards/00004.npz",
        "images/00002.jpg",
    ]  # fmt: skip
    assert found[1].endswith("goals: jaw 1.5 is outside [0, 1]") and "jaw is 0.537 rad from its goal" in found[2]
    assert f"features: {READING_NAMES[7]} nan is not finite" in found[3]
    printed = capsys.readouterr().out
    assert "shards/00000.npz, row 1 (sample 1): goals: jaw 1.5 is outside [0, 1]" in printed
    assert "6 fault(s)" in printed


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"names": ["jaw", "smile", "frown"]}, "names are not those of the robot in"),
        ({"names": ["jaw", "jaw", "sad"]}, "names has jaw twice"),
        ({"span_rad": [SPAN, SPAN, SPAN / 2]}, "span_rad of sad is 0.306796, the robot's is 0.613592"),
        ({"lower_rad": [0.0, float("nan"), 0.0]}, "lower_rad is not a list of 3 finite numbers"),
        ({"feature_names": list(READING_NAMES[::-1])}, "feature_names are not the 55 names"),
        ({"image": {"width": 64}}, ""),
        ({"image": {"width": "64", "height": 48}}, "image does not give width and height"),
        ({"split": {"rule": "thirds"}}, "a split that this version of Rena does not know"),
        ({"landmarks_missing": 2}, "landmarks_missing is 2, but 0 samples have no landmarks"),
        ({"lower_rad": [[1], [2, 3], None]}, "lower_rad is not a list of 3 finite numbers"),
        ({"feature_names": -1}, "feature_names are not the 55 names"),
        ({"source": {"tolerance_rad": "x"}}, "tolerance_rad is 'x', not a number above 0"),
        ({"samples": 0}, "samples is 0, not a number from 1 on"),
        ({"format": 2}, "it does not describe a dataset of format 1"),
    ],
)
def test_a_fault_of_the_meta_is_named(data, changes, problem):
    change_meta(data, **changes)
    found = faults(data, code=1 if problem else 0)
    assert not problem or any(fault.startswith("meta.json: ") and problem in fault for fault in found), found


def set_at(*place):
    *where, value = place
    return lambda array: array.__setitem__(tuple(where), value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"positions": set_at(2, 1, -0.2)}, " 2: positions: smile -0.2 is beyond its limits"),
        ({"positions": set_at(2, 1, np.inf)}, " 2: positions: smile inf is not finite"),
        ({"positions": set_at(0, 0, 0.3)}, " 0: positions: jaw is 0.177 rad from its goal: it had not settled"),
        ({"goals": set_at(1, 1, 0.2), "positions": set_at(1, 2, 0.05)}, None),
        ({"goals": set_at(1, slice(1, 3), 0.1)}, " 1: goals: the antagonists smile and sad both pull"),
        ({"features": set_at(1, 0, -0.1)}, " 1: features: _neutral -0.1 is outside [0, 1]"),
        ({"landmarks": set_at(1, 5, 2, np.nan)}, " 1: landmarks: 1 of 478 points are not finite"),
        ({"groups": set_at(3, "")}, " 3: groups: it names no group"),
        ({"goals": np.zeros((4, 3))}, ": goals is float64, not float32"),
        ({"goals": np.zeros((4, 2), np.float32)}, ": goals has the shape (4, 2), not (4, 3)"),
        ({"goals": None}, ": the array goals is missing"),
        ({"attempts": np.zeros(3, np.uint8)}, ": attempts has 3 rows, 4 are expected: the dataset is unfinished"),
        ({"sample": np.arange(5)}, ": sample has the shape (5,): its first axis is not the 4 samples"),
    ],
)
def test_a_fault_of_a_row_or_array_is_named(data, changes, expected):
    change_shard(data, 0, **changes)
    if expected is None:
        assert faults(data, code=0) == []
    else:
        assert f"shards/00000.npz{expected}" in faults(data)


def copy_rows(directory, pairs):
    """Make samples 4 and later equal to earlier ones: goals, positions and readings, and their pictures."""
    with np.load(shard_path(directory, 0)) as file:
        arrays = {name: file[name] for name in ("goals", "positions", "features")}
    for sample, earlier in pairs:
        change_shard(directory, 4, **{name: set_at(sample - 4, array[earlier]) for name, array in arrays.items()})
        image_path(directory, sample).write_bytes(image_path(directory, earlier).read_bytes())


def test_a_sample_that_is_there_twice_is_named(data):
    copy_rows(data, [(5, 2)])
    assert faults(data) == ["shards/00004.npz 1: it is sample 2 again: the same goals and the same reading"]


def test_an_expression_may_come_again_on_the_twin_but_not_two_in_a_row(data):
    change_meta(data, image={"width": 64, "height": 48, "source": "twin"})
    copy_rows(data, [(5, 2)])
    assert faults(data, code=0) == []
    copy_rows(data, [(6, 3)])
    assert faults(data) == ["shards/00004.npz 2: it is sample 3 again: the same goals and the same reading"]


def test_samples_of_bags_are_told_apart_by_the_stamps_of_their_pictures(data):
    copy_rows(data, [(5, 2)])
    change_shard(data, 0, image_ns=np.arange(4))
    change_shard(data, 4, image_ns=np.array([4, 5, 1]))
    assert faults(data) == ["shards/00004.npz 2: it is sample 1 again: the same stamp of its picture"]


def test_one_picture_of_two_expressions_is_named(data):
    image_path(data, 5).write_bytes(image_path(data, 2).read_bytes())
    assert faults(data) == ["images/00005.jpg: it is the picture of sample 2, which has other goals"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (jpeg(pixels_at(1))[:400], "it cannot be decoded"),
        (jpeg(pixels_at(99)[:24]), "it is 64x24, meta.json says 64x48"),
        (b"GIF89a", "it is no JPEG"),
    ],
)
def test_a_fault_of_a_picture_is_named(data, content, problem):
    image_path(data, 4).write_bytes(content)
    (found,) = faults(data)
    assert found.startswith("images/00004.jpg: ") and problem in found


def test_missing_shards_and_files_of_no_sample_are_named(data):
    shard_path(data, 4).rename(shard_path(data, 8))
    assert faults(data) == [
        "shards/00004.npz: it is missing, and with it samples 4 to 6; finish it with the same command: "
        "rena collect --out there",
        "shards/00008.npz: it belongs to no sample",
    ]


def test_no_dataset_at_all_is_an_error(tmp_path, capsys):
    assert cli.main(["dataset", "check", str(tmp_path)]) == 2
    assert "holds no dataset" in capsys.readouterr().err
