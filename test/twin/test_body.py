"""The twin's real body: what it draws for a goal, by the formula; and its file, with every fault by line."""

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.robot.file import load_robot
from rena_ros.twin.body import Body, as_filed, foreign, load_body

ROBOT = load_robot()


def drawn(body: Body, **goals: float) -> dict[str, float]:
    """What the body draws for these goals, all other servos at neutral."""
    row = ROBOT.neutral_goals.astype(np.float64)
    for name, goal in goals.items():
        row[ROBOT.index[name]] = goal
    return dict(zip(ROBOT.names, body.drawn(row).tolist(), strict=True))


def test_the_body_of_the_robot_file_changes_no_bit():
    goals = np.random.default_rng(0).random(25).astype(np.float32)
    for body in (as_filed(ROBOT), load_body("", ROBOT), load_body(None, ROBOT)):
        assert body.look == "rena"
        np.testing.assert_array_equal(body.drawn(goals), goals)


def test_a_file_sets_single_servos(tmp_path):
    path = tmp_path / "body.yaml"
    path.write_text("gain: {jaw: 0.5, neck_yaw: 0.8}\noffset: {neck_yaw: 0.1, pucker: -0.2}\nreversed: [neck_yaw]\n")
    found = drawn(load_body(path, ROBOT), jaw=0.6, neck_yaw=0.75, pucker=0.5, neck_roll=0.2)
    assert found["jaw"] == pytest.approx(0.3)  # neutral 0
    assert found["neck_yaw"] == pytest.approx(0.5 - 0.8 * 0.25 + 0.1, abs=2e-3)  # neutral in the middle, turned around
    assert found["pucker"] == pytest.approx(0.3)
    assert found["neck_roll"] == 0.2
    assert drawn(load_body(path, ROBOT))["pucker"] == 0  # stopped


def test_a_foreign_body_stays_within_its_spread():
    bodies = [foreign(ROBOT, seed) for seed in range(50)]
    gain, offset = np.abs([body.gain for body in bodies]), np.array([body.offset for body in bodies])
    assert 0.85 <= gain.min() < 0.86 and 1.14 < gain.max() <= 1.15
    assert -0.05 <= offset.min() < -0.049 and 0.049 < offset.max() <= 0.05
    for body in bodies:
        (turned,) = np.flatnonzero(body.gain < 0)
        assert ROBOT.servos[turned].region in ("eyes", "head")  # those with as much room on both sides of neutral
    np.testing.assert_array_equal(foreign(ROBOT, 7).gain, bodies[7].gain)


def test_single_servos_take_precedence_over_the_seed(tmp_path):
    path = tmp_path / "body.yaml"
    path.write_text("look: performer\nseed: 7\ngain: {jaw: 1.0}\noffset: {jaw: 0}\nreversed: []\n")
    body, seeded = load_body(path, ROBOT), foreign(ROBOT, 7)
    assert body.look == "performer"
    others = np.array(ROBOT.names) != "jaw"
    np.testing.assert_array_equal(body.gain[others], np.abs(seeded.gain)[others])
    np.testing.assert_array_equal(body.offset[others], seeded.offset[others])
    assert drawn(body, jaw=0.3)["jaw"] == 0.3


def test_all_faults_of_a_body_file_are_listed(tmp_path):
    path = tmp_path / "body.yaml"
    path.write_text("look: martian\nseed: -1\ngain: {jaw: 0}\noffset: {jow: 0.1}\nreversed: [tail]\nspeed: 3\n")
    with pytest.raises(RenaError) as error:
        load_body(path, ROBOT)
    for line, word in enumerate(("look", "seed", "jaw", "did you mean jaw", "tail", "speed"), 1):
        assert any(f"line {line}:" in text and word in text for text in str(error.value).splitlines()), word
    with pytest.raises(RenaError, match=r"cannot read the body file .*none\.yaml"):
        load_body(tmp_path / "none.yaml", ROBOT)


def test_the_body_that_ships_is_a_foreign_robot():
    body = load_body(ROBOT.source.parent / "foreign.yaml", ROBOT)
    np.testing.assert_array_equal(body.gain, foreign(ROBOT, 1).gain)
    assert body.look == "performer" and np.count_nonzero(body.gain < 0) == 1
