"""The training loop: from samples and settings to the best network, one epoch at a time."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import RestReading
from rena_ros.learning import checkpoint
from rena_ros.learning.forward import ForwardModel, faces_to_show, learned_forward
from rena_ros.learning.losses import FaceLoss
from rena_ros.learning.network import Network, tied_servos
from rena_ros.learning.optimiser import make_optimiser, update_average
from rena_ros.learning.readings import readings_of, with_robot_rest
from rena_ros.learning.samples import Samples, fingerprint
from rena_ros.learning.settings import Settings
from rena_ros.measures.errors import rmse

GRADIENT_NORM = 1.0
NOISE_OF_THE_POSE = 0.3  # the head pose is read more exactly than a coefficient: its noise is this share of the others'
_CHUNK = 2048  # samples prepared, or predicted, at a time


class Diverged(RenaError):
    """The loss of a training is no longer finite."""


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve: mean training loss, and RMSE of the validation goals if there are any."""

    loss: float
    rmse: float | None


class Trainer:
    """One run, from random weights or from those of another model (``start``).

    ``history`` holds the finished epochs; ``train_epoch()`` trains the next one and saves the run. With a validation
    part ``best`` holds the weights of the epoch with the least validation error, without one those of the last epoch;
    both are the averaged weights where the settings have an average. Servos that the training goals never move apart
    are tied, whatever else the loss may want of them: eyes that look apart would be the least error in some readings.
    """

    def __init__(
        self,
        checkpoint_path: Path,
        settings: Settings,
        servo_names: tuple[str, ...],
        start: checkpoint.Tensors | None = None,
    ):
        self.checkpoint_path, self.settings, self.start = checkpoint_path, settings, start
        self.loss = FaceLoss(servo_names, settings.consistency)
        self.history: list[Epoch] = []
        self.best_epoch = -1

    def begin(
        self,
        training: Samples,
        validation: Samples,
        rest: RestReading | None = None,
        others: Samples | None = None,
    ) -> None:
        """Continue the run from its checkpoint, or start it where there is none.

        Both parts hold what the network reads (``NetworkConfig.reads``). ``rest``: the robot's own neutral face, for
        ``rest_dropout``. ``others``: faces whose readings alone are used, for ``round_trip``. Raises RenaError for the
        checkpoint of a run on other data, of another format, or a damaged one.
        """
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            self.network = Network(self.settings.network)
        if self.start is None:
            self.network.fit_inputs(readings_of(training, self.network.config.reads))
        else:
            # With the model's own scale: what its layers learned is about inputs in that scale.
            self.network.load_state_dict(self.start)
        self.goals = torch.from_numpy(training.goals)
        self.tied = tied_servos(self.goals)
        self.network.tie(self.tied)
        self.numbers = self._numbers(training)
        self.rest_numbers = None
        if self.settings.rest_dropout and rest is not None and self.network.config.rest:
            self.rest_numbers = self._numbers(with_robot_rest(training, rest))
        self.noise = torch.full((self.numbers.shape[1],), float(self.settings.input_noise))
        self.noise[self.network.inputs.pose_columns] *= NOISE_OF_THE_POSE
        self.averaged = copy.deepcopy(self.network) if self.settings.average else self.network
        self.steps_per_epoch = -(-len(training) // self.settings.batch_size)
        steps = self.settings.epochs * self.steps_per_epoch
        self.optimiser, self.schedule = make_optimiser(self.network, self.settings, steps)
        self.forward = None
        if self.settings.round_trip:
            self.forward = learned_forward(training, others, self.settings.seed)
            self.to_show = faces_to_show(self.forward, training)
            self.other_numbers = self._numbers(others) if others is not None else None
            self.others_to_show = torch.from_numpy(others.features) if others is not None else self.to_show
        self.validation_samples = validation
        self.fingerprint = fingerprint(training, validation, *([others] if others is not None else []))
        self.best = checkpoint.snapshot(self.averaged)
        if not self.checkpoint_path.exists():
            return
        self.best, progress = checkpoint.load(self.checkpoint_path, self._networks, self.optimiser, self.schedule)
        if progress["data"] != self.fingerprint:
            remedy = "use another --out, or remove it to start again"
            raise RenaError(f"{self.checkpoint_path} was trained on other data; {remedy}")
        self.history, self.best_epoch = [Epoch(**epoch) for epoch in progress["history"]], progress["best_epoch"]

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return len(self.history) >= self.settings.epochs

    @property
    def best_rmse(self) -> float | None:
        """Validation RMSE of the best epoch; None before the first epoch and without a validation part."""
        return self.history[self.best_epoch].rmse if self.history else None

    def train_epoch(self) -> Epoch:
        """Train one epoch, keep its weights if they are the best so far, and save the run.

        Raises Diverged when the loss is no longer finite, RenaError when the checkpoint cannot be written.
        """
        loss, error = self._pass_over_samples(), None
        if self.settings.validation:
            error = rmse(self.predict(self.validation_samples), self.validation_samples.goals)
        best = self.best_rmse
        self.history.append(Epoch(loss, error))
        if error is None or best is None or error < best:
            self.best_epoch, self.best = len(self.history) - 1, checkpoint.snapshot(self.averaged)
        progress = {
            "data": self.fingerprint,
            "history": [vars(epoch) for epoch in self.history],
            "best_epoch": self.best_epoch,
        }
        checkpoint.save(self.checkpoint_path, self._networks, self.optimiser, self.schedule, self.best, progress)
        return self.history[-1]

    def predict(self, samples: Samples) -> FloatArray:
        """Return goals (n, 25) for samples, clipped to [0, 1]; their goals are not looked at."""
        network = self.averaged.eval()
        with torch.no_grad():
            goals: FloatArray = network.goals(self._numbers(samples)).clamp(0, 1).numpy()
        return goals

    def best_network(self) -> Network:
        """Load the best weights into the network that predicts, in place of the present ones, and return it."""
        self.averaged.load_state_dict(self.best)
        return self.averaged.eval()

    @property
    def _networks(self) -> dict[str, Network]:
        return {"network": self.network} | ({"averaged": self.averaged} if self.settings.average else {})

    def _numbers(self, samples: Samples) -> Tensor:
        """Return what the network's layers work on, (n, k): the same in every epoch, so it is computed once."""
        parts = [samples.part(slice(first, first + _CHUNK)) for first in range(0, len(samples), _CHUNK)]
        with torch.no_grad():
            made = [self.network.inputs(readings_of(part, self.network.config.reads)) for part in parts]
        return torch.cat(made) if made else torch.empty(0, self.network.inputs.size)

    def _pass_over_samples(self) -> float:
        """Pass once over the training samples; returns the mean loss.

        Order and noise depend on the seed and the epoch's number alone, so a continued run draws the same ones.
        """
        settings, epoch, rows = self.settings, len(self.history), len(self.numbers)
        seed = int(np.random.SeedSequence([settings.seed, epoch]).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        total = 0.0
        self.network.train()
        batches = torch.randperm(rows, generator=generator).split(settings.batch_size)
        for step, batch in enumerate(batches, epoch * self.steps_per_epoch):
            numbers = self.numbers[batch]
            if self.rest_numbers is not None:
                swapped = torch.rand((len(batch), 1), generator=generator) < settings.rest_dropout
                numbers = torch.where(swapped, self.rest_numbers[batch], numbers)
            if settings.input_noise:
                numbers = numbers + self.noise * torch.randn(numbers.shape, generator=generator)
            self.optimiser.zero_grad()
            goals = self.network.goals(numbers)
            loss = self.loss(goals, self.goals[batch])
            if self.forward is not None:
                loss = loss + settings.round_trip * self._missed(self.forward, goals, batch, generator)
            loss.backward()
            # At the peak of the cycle a single bad batch could otherwise ruin the weights for good.
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
            self.optimiser.step()
            self.network.tie(self.tied)
            self.schedule.step()
            if settings.average:
                update_average(self.averaged, self.network, settings.average, step)
            total += float(loss.detach()) * len(batch)
        if not np.isfinite(total):
            raise Diverged(f"the loss is not finite in epoch {epoch + 1}; use a lower --learning-rate")
        return total / rows

    def _missed(self, forward: ForwardModel, goals: Tensor, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean error of the round trip: of this batch, and of as many rows of other faces."""
        missed = forward.round_trip(goals, self.to_show[batch])
        if self.other_numbers is None:
            return missed
        rows = torch.randint(len(self.other_numbers), (len(batch),), generator=generator)
        numbers = self.other_numbers[rows]
        numbers = numbers + self.noise * torch.randn(numbers.shape, generator=generator)
        return missed + forward.round_trip(self.network.goals(numbers), self.others_to_show[rows])
