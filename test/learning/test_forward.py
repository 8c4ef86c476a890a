"""Learning from faces whose goals are not known: the forward model, and what the round trip does to a training."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.learning import train_command
from rena_ros.learning.forward import ForwardModel, faces_to_show, learned_forward
from rena_ros.learning.samples import Samples, joined, samples_of


def train(*words: object) -> int:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return train_command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def samples(dataset) -> Samples:
    return samples_of(dataset)


@pytest.fixture(scope="module")
def forward(samples) -> ForwardModel:
    return learned_forward(samples.part(slice(400)), None, seed=0)


def test_it_predicts_the_face_of_goals_that_it_has_not_seen(forward, samples):
    held_out = samples.part(slice(400, None))
    with torch.no_grad():
        coefficients, pose = forward(torch.from_numpy(held_out.goals))
    error = (coefficients.numpy() - held_out.features[:, :52]).std(axis=0)
    assert np.median(error / held_out.features[:, :52].std(axis=0)) < 0.5
    assert (
        np.std(pose.numpy() - held_out.features[:, 52:], axis=0) < 0.6 * held_out.features[:, 52:].std(axis=0)
    ).all()


def test_the_same_seed_gives_the_same_face(forward, samples):
    again = learned_forward(samples.part(slice(400)), None, seed=0)
    goals = torch.from_numpy(samples.goals[:8])
    assert torch.equal(forward(goals)[0], again(goals)[0])


def test_the_round_trip_is_least_for_the_goals_that_were_shown_and_draws_goals_inside(forward, samples):
    goals, features = torch.from_numpy(samples.goals[:200]), torch.from_numpy(samples.features[:200])
    true, wrong = forward.round_trip(goals, features), forward.round_trip(goals.roll(1, 0), features)
    assert true < 0.3 * wrong
    beyond = torch.full((1, 25), 6.0, requires_grad=True)
    forward.round_trip(beyond, features[:1]).backward()
    assert beyond.grad is not None and (beyond.grad > 0).all()


def test_people_are_no_part_of_the_robots_own_face(forward, samples):
    training, other = samples.part(slice(400)), samples.part(slice(400, 500))
    people = replace(other, identities=np.ones(100, np.int32), features=other.features[::-1].copy())
    both = joined(replace(training, identities=np.zeros(400, np.int32)), people)
    again = learned_forward(both, None, seed=0)
    assert torch.equal(again(torch.from_numpy(other.goals))[0], forward(torch.from_numpy(other.goals))[0])
    with pytest.raises(RenaError, match="no training sample shows it"):
        learned_forward(people, None, seed=0)


def test_a_person_is_answered_with_what_the_robot_shows_of_the_persons_goals(forward, samples):
    own, person = samples.part(slice(400)), samples.part(slice(400, 500))
    both = joined(
        replace(own, identities=np.zeros(400, np.int32)), replace(person, identities=np.full(100, 7, np.int32))
    )
    wanted = faces_to_show(forward, both).numpy()
    np.testing.assert_array_equal(wanted[:400], own.features)
    np.testing.assert_array_equal(wanted[400:, 52:], person.features[:, 52:])
    with torch.no_grad():
        shown = forward(torch.from_numpy(person.goals))[0].numpy()
    np.testing.assert_array_equal(wanted[400:, :52], shown)
    np.testing.assert_array_equal(faces_to_show(forward, own).numpy(), own.features)  # no identities: all its own


def test_rena_train_learns_from_faces_without_their_goals(dataset_directory, tmp_path):
    words = ("--data", dataset_directory, "--architecture", "kan", "--test", 100, "--validation", 50, "--epochs", 2)
    run = tmp_path / "run"
    assert train(*words, "--round-trip", 0.05, "--faces", dataset_directory, "--mirror", "--out", run) == 0
    origin = Policy(run / "model.onnx").provenance
    assert origin["faces"] == [origin["data"]] and origin["settings"]["round_trip"] == 0.05
    assert json.loads((run / "run.json").read_text())["round_trip"] == 0.05
    with pytest.raises(RenaError, match="give --round-trip a weight"):
        train(*words, "--faces", dataset_directory, "--out", tmp_path / "other")
