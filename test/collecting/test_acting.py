import argparse
from dataclasses import replace

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.collecting import sequences_command
from rena_ros.collecting.acting import Acting
from rena_ros.collecting.sequences_command import ActingPlan, frame_times_s, record, run
from rena_ros.datasets.sequences import read_sequences, sequence_path, write_sequence
from rena_ros.perception.face_reader import FaceReader
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
TIMES_S = np.arange(0, 20, 1 / 30)


def acted(seed):
    acting = Acting(ROBOT, seed, 20.0)
    return np.array([acting.goals(t_s) for t_s in TIMES_S])


def test_goals_are_valid_and_follow_from_the_seed():
    first = acted(1)
    assert first.min() >= 0 and first.max() <= 1 and np.isfinite(first).all()
    assert (first == acted(1)).all() and not np.allclose(first, acted(2))


def test_actors_move_every_servo_and_hold_still_too():
    many = np.array([acted(seed) for seed in range(8)])
    assert (np.ptp(many, axis=(0, 1)) > 0.15).all()
    mouth = ROBOT.index["corner_left_up"]
    assert np.mean(np.abs(np.diff(many[:, :, mouth], axis=1)) < 0.005) > 0.4


def test_a_blink_shuts_both_eyes():
    acting = Acting(ROBOT, 3, 20.0)
    whole = [blink for blink in acting.blinks if blink.depth == 1.0]
    assert whole
    for blink in whole:
        goals = acting.goals(blink.start_s + blink.closing_s + blink.closed_s / 2)
        assert goals[ROBOT.index["lid_left"]] == goals[ROBOT.index["lid_right"]] == pytest.approx(1.0)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_to_act_is_refused(seconds):
    with pytest.raises(ValueError, match="sequence"):
        Acting(ROBOT, 0, seconds)


def test_frames_come_in_order_whatever_the_camera():
    rates = set()
    for seed in range(60):
        times_s = frame_times_s(np.random.default_rng(seed), 4.0)
        assert (np.diff(times_s) > 0).all() and times_s[0] >= 0
        rates.add(round(1 / float(np.median(np.diff(times_s))) / 5) * 5)
    assert {25, 30, 60} <= rates


def test_a_recording_follows_from_its_plan(tmp_path):
    plan = ActingPlan(tmp_path, 1, 5001, 2, 0.3)
    with FaceReader() as reader:
        first, again = record(plan, 1, reader), record(plan, 1, reader)
    assert (first.features == again.features).all() and first.person == 5002
    assert first.landmarks.shape == (len(first.times_s), 478, 3)


def test_a_collection_is_continued(tmp_path, monkeypatch):
    with FaceReader() as reader:
        made = record(ActingPlan(tmp_path, 1, 5001, 2, 1.0), 0, reader)
    asked = []

    def share_out(_perform, numbers, _workers, recorded):
        for number in numbers:
            asked.append(number)
            write_sequence(sequence_path(tmp_path, number), replace(made, person=5001 + number))
            recorded()

    monkeypatch.setattr(sequences_command, "share_out", share_out)
    args = argparse.Namespace(out=tmp_path, minutes=2 / 60, people=2, first_person=5001, seed=1, workers=1)
    assert run(args) == 0 and asked == [0, 1]
    sequence_path(tmp_path, 0).unlink()
    assert run(args) == 0 and asked == [0, 1, 0]
    assert [one.person for one in read_sequences(tmp_path)] == [5001, 5002]
    args.seed = 2
    with pytest.raises(RenaError, match=r"another recipe \(seed\)"):
        run(args)
