"""Servos that never move apart in the samples never do so in a model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rena_ros.learning.network import ARCHITECTURES, Network, NetworkConfig, tied_servos
from rena_ros.learning.samples import samples_of
from rena_ros.learning.settings import settings_with
from rena_ros.learning.trainer import Trainer


def test_servos_with_equal_goals_are_found():
    goals = torch.rand((9, 6), generator=torch.Generator().manual_seed(1))
    goals[:, 3], goals[:, 5] = goals[:, 1], goals[:, 1]
    assert tied_servos(goals) == [[1, 3, 5]]
    goals[4, 5] += 1e-3
    assert tied_servos(goals) == [[1, 3]]


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if not name.startswith("landmark")])
def test_tied_servos_give_the_mean_of_what_each_gave(architecture):
    torch.manual_seed(2)
    network, numbers = Network(NetworkConfig(architecture=architecture, hidden=8)).eval(), torch.rand((5, 55))
    with torch.no_grad():
        before = network.goals(numbers)
        network.tie([[2, 7]])
        after = network.goals(numbers)
    mean = before[:, [2, 7]].mean(dim=1)
    torch.testing.assert_close(after[:, 2], mean)
    torch.testing.assert_close(after[:, 7], mean)
    others = [i for i in range(25) if i not in (2, 7)]
    assert torch.equal(after[:, others], before[:, others])


def test_a_training_keeps_them_together(dataset, tmp_path):
    samples = samples_of(dataset)
    goals = samples.goals.copy()
    goals[:, 7] = goals[:, 2]
    settings = settings_with({"architecture": "kan", "hidden": 8, "epochs": 2, "validation": 0})
    trainer = Trainer(tmp_path / "checkpoint.safetensors", settings, dataset.names)
    trainer.begin(replace(samples, goals=goals), samples.part(slice(0)))
    while not trainer.finished:
        trainer.train_epoch()
    predicted = trainer.predict(samples)
    np.testing.assert_allclose(predicted[:, 2], predicted[:, 7], atol=1e-6)
    assert np.abs(predicted[:, 2] - predicted[:, 3]).max() > 0.01
