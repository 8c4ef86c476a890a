"""What `rena dataset show` finds, on data in which each thing was put; and that its page needs nothing else."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from session_stand import jpeg, pixels_at

from rena_ros import cli
from rena_ros.datasets.dataset import Dataset
from rena_ros.datasets.shards import Shard, begin, write_shard
from rena_ros.datasets.show_numbers import (
    correlations,
    dead,
    drift,
    pairs,
    position_errors,
    running_median,
    spread,
    without_effect,
)
from rena_ros.perception.face_reader import READING_NAMES

SERVOS = ("brow_left_raise", "brow_right_raise", "jaw", "stuck")
BROWS, JAW = (
    (READING_NAMES.index("browOuterUpLeft"), READING_NAMES.index("browOuterUpRight")),
    READING_NAMES.index("jawOpen"),
)
N = 400


@pytest.fixture(scope="module")
def arrays():
    """The left brow follows its servo, the right one at half the height and 0.1 higher; the jaw drifts by 0.2."""
    rng = np.random.default_rng(2)
    goals = np.zeros((N, 4), np.float32)
    goals[:, 0] = goals[:, 1] = rng.random(N)
    goals[:, 2] = rng.random(N)
    goals[:, 3] = 0.5
    features = np.zeros((N, 55), np.float32)
    features[:, BROWS[0]] = goals[:, 0]
    features[:, BROWS[1]] = 0.1 + goals[:, 1] / 2
    features[:, JAW] = 0.5 * goals[:, 2] + np.linspace(0, 0.2, N)
    positions = goals * 0.5 + np.float64(0.01) * (np.arange(4) == 2)
    return {
        "goals": goals,
        "positions": positions,
        "features": features,
        "landmarks": np.full((N, 478, 3), np.nan, np.float32),
        "groups": np.array(["g"] * N, "U32"),
        "attempts": np.zeros(N, np.uint8),
        "identities": np.zeros(N, np.int32),
    }


@pytest.fixture(scope="module")
def dataset(arrays):
    meta = {"lower_rad": [0.0] * 4, "span_rad": [0.5] * 4}
    return Dataset(**arrays, names=SERVOS, feature_names=READING_NAMES, meta=meta, directory=Path(), index=np.arange(N))


def test_dead_channels_and_correlations(dataset):
    assert dead(dataset.goals).tolist() == [False, False, False, True]
    alive = [READING_NAMES[i] for i in np.flatnonzero(~dead(dataset.features))]
    assert alive == ["browOuterUpLeft", "browOuterUpRight", "jawOpen"]
    table = correlations(dataset.goals, dataset.features)
    np.testing.assert_allclose(table[0, list(BROWS)], 1, atol=1e-6)
    assert table[2, JAW] == pytest.approx(np.corrcoef(dataset.goals[:, 2], dataset.features[:, JAW])[0, 1])
    assert np.isnan(table[3]).all() and np.isnan(table[:, 0]).all()
    silent = dataset.goals.copy()
    silent[:, 3] = np.random.default_rng(1).random(N)
    assert without_effect(correlations(silent, dataset.features)).tolist() == [False, False, False, True]
    assert not without_effect(table)[3]  # it never moved, so its effect is not known


def test_left_and_right(dataset):
    (servo,) = pairs(dataset.names, dataset.goals)
    assert (servo.name, servo.offset, servo.ratio) == ("brow_raise", 0, 1)
    brow = next(pair for pair in pairs(READING_NAMES, dataset.features) if pair.name == "browOuterUp")
    assert brow.offset == pytest.approx(dataset.goals[:, 0].mean() / 2 - 0.1, abs=1e-6)
    assert (brow.ratio, brow.correlation) == (pytest.approx(2, rel=1e-5), pytest.approx(1))


def test_drift_is_what_the_goals_do_not_explain(dataset):
    found = drift(dataset)
    assert [found.names[i] for i in found.strongest(1)] == ["jawOpen"]
    # The jaw's 0.2 from first to last, in its own spread; the goals cannot explain it.
    assert found.slopes[JAW] == pytest.approx(0.2 / dataset.features[:, JAW].std(), rel=0.15)
    assert np.abs(np.delete(found.slopes, JAW)).max() < 1e-6
    np.testing.assert_allclose(position_errors(dataset)[:, 2], 0.01, atol=1e-6)


def test_a_running_median_passes_over_single_values():
    values = np.r_[np.zeros(50), np.ones(50)]
    values[20] = 9
    smooth = running_median(values)
    assert smooth.shape == (100,) and smooth[20] == 0 and smooth[80] == 1
    assert spread(1000, 3).tolist() == [0, 500, 999] and spread(2, 64).tolist() == [0, 1]


def test_the_page_holds_everything_itself(tmp_path, arrays, capsys):
    meta = dict.fromkeys(("robot", "strategy", "face_model", "command", "versions"), "x") | {"seed": 1}
    meta |= {"samples": N, "shard_size": N, "names": list(SERVOS), "feature_names": list(READING_NAMES)}
    meta |= {"lower_rad": [0.0] * 4, "span_rad": [0.5] * 4, "robot_rest": [0.1] * 55, "landmarks_missing": N}
    data = tmp_path / "a <b>"
    data.mkdir()
    begin(data, meta | {"image": {"width": 64, "height": 48}, "refused": {"blurred": 3}})
    write_shard(data, Shard(0, arrays, [jpeg(pixels_at(i)) if i else b"no picture" for i in range(N)]))
    np.savez(data / "rest.npz", stamps_ns=np.arange(4) * 3600 * 10**9, features=np.full((4, 55), 0.1, np.float32))
    assert cli.main(["dataset", "show", str(data)]) == 0
    text = (tmp_path / "a <b>.html").read_text(encoding="utf-8")
    assert "Dataset a &lt;b&gt;" in text and "<b>" not in text
    assert not re.findall(r'(?:src|href)="(?!#|data:)', text) and "@import" not in text
    drawings = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(drawings) == 6
    ids = [one.get("id") for drawing in drawings for one in ElementTree.fromstring(drawing).iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    for remark in (
        "servos that do not move: stuck",
        "readings that drift: jawOpen",
        "without landmarks: 400",
        "3 blurred",
    ):
        assert remark in text
