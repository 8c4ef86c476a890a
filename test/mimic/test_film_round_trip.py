"""The round trip of a film: the figures by a naive loop, and a robot that mirrors itself."""

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.mimic.film_round_trip import (
    FilmReadings,
    cached_film,
    film_goals,
    goal_jitter,
    main,
    read_film,
    saturation,
    score,
    shown,
)
from rena_ros.robot.file import load_robot

ROBOT = load_robot()


def moving_goals(count: int) -> np.ndarray:
    """Goals of a face that opens and closes its mouth, raises its brows and turns its head."""
    goals = np.repeat(ROBOT.neutral_goals[None], count, axis=0)
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / 20)
    goals[:, ROBOT.index["jaw"]] = 0.8 * wave
    goals[:, ROBOT.index["brow_left_raise"]] = wave**2
    goals[:, ROBOT.index["neck_yaw"]] = 0.5 + 0.2 * wave
    return goals.astype(np.float32)


def test_a_robot_that_mirrors_itself_scores_one():
    goals, times_s = moving_goals(50), np.arange(50) / 30
    person = shown(goals, times_s, ROBOT)
    film = FilmReadings(person.times_s, person.features, np.zeros((len(person.times_s), 478, 3), np.float32))
    found = score(film, goals, ROBOT)
    assert found.mean_r == pytest.approx(1.0, abs=1e-6) and found.trip.lag_ms == 0
    np.testing.assert_array_equal(found.moving, person.features[5:45].std(axis=0) >= 0.03)  # 0.15 s are for lags
    still = score(film, np.repeat(ROBOT.neutral_goals[None], 50, axis=0), ROBOT)
    assert not still.mean_r > 0.5 and still.jitter == 0
    with pytest.raises(RenaError, match="too few moments"):
        score(FilmReadings(film.times_s[:20], film.features[:20], film.landmarks[:20]), goals[:20], ROBOT)


def test_jitter_and_saturation_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    goals = np.clip(rng.normal(0.5, 0.5, (30, 4)), 0, 1)
    neutral = np.array([0.0, 1.0, 0.5, 0.5])
    squares = [(goals[t + 1, i] - 2 * goals[t, i] + goals[t - 1, i]) ** 2 for t in range(1, 29) for i in range(4)]
    assert goal_jitter(goals) == pytest.approx((sum(squares) / len(squares)) ** 0.5)
    ends = [g in (0, 1) and g != neutral[i] for row in goals for i, g in enumerate(row)]
    assert 0 < sum(ends) < len(ends) and saturation(goals, neutral) == pytest.approx(sum(ends) / len(ends))


def test_goals_of_a_film_pass_the_limiter():
    policy = Policy(robot=ROBOT)
    features = np.clip(policy.robot_rest + np.random.default_rng(1).normal(0, 0.3, (20, 55)), 0, 1).astype(np.float32)
    film = FilmReadings(np.arange(20) / 30, features, np.repeat(policy.robot_neutral.landmarks[None], 20, axis=0))
    goals, raw = film_goals(film, policy, "none"), policy.batch(features, film.landmarks)
    a, b = map(list, zip(*ROBOT.antagonist_pairs, strict=True))
    away = np.abs(raw - ROBOT.neutral_goals) > 1e-3
    assert (away[:, a] & away[:, b]).any() and not np.allclose(goals, raw, atol=1e-3)
    free = sorted(set(range(25)) - {*a, *b})
    np.testing.assert_allclose(goals[:, free], raw[:, free], atol=1e-5)


def test_the_policy_sees_what_is_predicted_and_the_person_is_learned_from_what_was_read(monkeypatch):
    class Leading:
        def ahead(self, features, landmarks, t_s):
            return features + np.float32(0.1), landmarks + np.float32(0.01)

    policy, observed, seen = Policy(robot=ROBOT), [], []
    rest = policy.robot_neutral
    film = FilmReadings(np.arange(3) / 30, np.repeat(rest.features[None], 3, 0), np.repeat(rest.landmarks[None], 3, 0))
    monkeypatch.setattr(
        "rena_ros.mimic.film_round_trip.PersonFace.observe", lambda _, f, t_s, m: observed.append((f, m))
    )
    monkeypatch.setattr(Policy, "__call__", lambda _, f, m, r: seen.append((f, m)) or ROBOT.neutral_goals)
    film_goals(film, policy, "person", Leading())
    assert all((f == rest.features).all() and (m == rest.landmarks).all() for f, m in observed)
    assert all(np.allclose(f - rest.features, 0.1) and np.allclose(m - rest.landmarks, 0.01) for f, m in seen)
    assert len(observed) == len(seen) == 3


def test_readings_are_kept_in_the_cache_and_taken_from_it(tmp_path, monkeypatch):
    film = FilmReadings(np.arange(3.0), np.ones((3, 55), np.float32), np.ones((3, 478, 3), np.float32))
    monkeypatch.setattr("rena_ros.mimic.film_round_trip.read_film", lambda source: film)
    cache = tmp_path / "film.npz"
    cached_film("film.mp4", cache)
    monkeypatch.setattr("rena_ros.mimic.film_round_trip.read_film", None)
    np.testing.assert_array_equal(cached_film("film.mp4", cache).features, film.features)
    cache.write_bytes(b"damaged")
    with pytest.raises(RenaError, match="delete it"):
        cached_film("film.mp4", cache)


def test_what_is_no_film_is_refused(tmp_path, capsys):
    with pytest.raises(RenaError, match="is not a film"):
        read_film("0")
    assert main([str(tmp_path / "none.mp4")]) == 1
    assert "film_round_trip: " in capsys.readouterr().err
