"""The robot's own face as a function: servo goals -> the reading of the face that shows them.

A model of the other direction, from readings to goals, learns with it from faces whose goals are not known: what the
robot would show of the predicted goals must read as the face that was read.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from rena_ros.base.errors import RenaError
from rena_ros.learning.inputs import log_odds
from rena_ros.learning.samples import Samples

HIDDEN, EPOCHS, BATCH, PEAK = 384, 36, 256, 3e-3  # chosen once, by the error of the shown coefficients
FLOOR = 0.003  # of the log odds, as in ``NetworkConfig``
LEAST_SPREAD = 0.05  # of a normalised output
LEAST_STD = 0.02  # of a coefficient: one that hardly varies must not weigh more than those that carry expressions
OF_THE_POSE = 4.0  # weight of a squared radian beside a squared standard deviation of a coefficient
OUTSIDE = 0.05  # share of a goal beyond [0, 1] that still seems to be shown, so that it has a gradient
BEYOND = 0.3  # weight of goals beyond [0, 1]


class ForwardModel(nn.Module):
    """Goals (n, 25) -> the reading that the robot's face would give: coefficients (n, 52) and pose (n, 3) in rad."""

    mean: Tensor
    spread: Tensor
    weight: Tensor

    def __init__(self, features: Tensor, servos: int, coefficients: int = 52):
        """``features`` (n, 55): of the training samples and of all faces that are to be shown, for the weights."""
        super().__init__()
        self.coefficients = coefficients
        sizes = (servos, HIDDEN, HIDDEN, HIDDEN)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(HIDDEN, features.shape[1]))
        wanted = self._outputs(features)
        self.register_buffer("mean", wanted.mean(dim=0))
        self.register_buffer("spread", wanted.std(dim=0) + LEAST_SPREAD)
        self.register_buffer("weight", 1 / (features[:, :coefficients].std(dim=0) + LEAST_STD) ** 2)

    def forward(self, goals: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coefficients (n, 52) in [0, 1] and the pose (n, 3), rad, of goals (n, 25)."""
        outputs = self.layers(goals) * self.spread + self.mean
        log_odds_shown, pose = outputs.split((self.coefficients, outputs.shape[1] - self.coefficients), dim=1)
        return torch.sigmoid(log_odds_shown), pose

    def round_trip(self, goals: Tensor, features: Tensor) -> Tensor:
        """Return how far the face of goals (n, 25), not clamped, is from the face that was read, features (n, 55)."""
        inside = goals.clamp(0, 1)
        coefficients, pose = self(inside + OUTSIDE * (goals - inside))
        read, read_pose = features.split((self.coefficients, pose.shape[1]), dim=1)
        missed = (self.weight * (coefficients - read).square()).mean()
        return missed + OF_THE_POSE * (pose - read_pose).square().mean() + BEYOND * (goals - inside).square().mean()

    def _outputs(self, features: Tensor) -> Tensor:
        return torch.cat((log_odds(features[:, : self.coefficients], FLOOR), features[:, self.coefficients :]), dim=1)

    def fit(self, goals: Tensor, features: Tensor, seed: int, epochs: int = EPOCHS) -> None:
        """Learn the face from goals (n, 25) and their readings (n, 55); the same seed gives the same model."""
        wanted = (self._outputs(features) - self.mean) / self.spread
        generator = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(self.parameters(), weight_decay=0.01)
        steps = epochs * -(-len(goals) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, max(steps, 4))
        for _ in range(epochs):
            for batch in torch.randperm(len(goals), generator=generator).split(BATCH):
                optimiser.zero_grad()
                (self.layers(goals[batch]) - wanted[batch]).square().mean().backward()
                optimiser.step()
                schedule.step()
        self.requires_grad_(False)


def learned_forward(training: Samples, others: Samples | None, seed: int) -> ForwardModel:
    """Return the forward model of the training samples that show the robot; ``others``: further faces to be shown.

    Raises RenaError when none shows the robot's own face.
    """
    own = training.part(np.flatnonzero(~training.people))
    if not len(own):
        raise RenaError(
            "the round trip learns the robot's own face, but no training sample shows it: give it as --data"
        )
    features = torch.from_numpy(own.features)
    shown = features if others is None else torch.cat((features, torch.from_numpy(others.features)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        forward = ForwardModel(shown, own.goals.shape[1])
    forward.fit(torch.from_numpy(own.goals), features, seed)
    return forward


def faces_to_show(forward: ForwardModel, samples: Samples) -> Tensor:
    """Return the readings (n, 55) that the robot's face is to give for samples with goals.

    For its own face: what was read. For a person, whose face reads otherwise with the same goals: what the robot shows
    of the true goals, and the person's pose.
    """
    wanted = torch.from_numpy(samples.features).clone()
    people = torch.from_numpy(samples.people)
    if people.any():
        with torch.no_grad():
            wanted[people, : forward.coefficients] = forward(torch.from_numpy(samples.goals)[people])[0]
    return wanted
