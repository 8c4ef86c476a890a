"""The training loop: from samples and settings to the best network, one epoch at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.optim.lr_scheduler import OneCycleLR

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.learning import checkpoint
from rena_ros.learning.losses import FaceLoss
from rena_ros.learning.metrics import rmse
from rena_ros.learning.network import Network
from rena_ros.learning.samples import Samples, fingerprint
from rena_ros.learning.settings import Settings

GRADIENT_NORM = 1.0
WARM_UP = 0.25  # share of the steps in which the learning rate rises


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve: mean training loss, and RMSE of the validation goals if there are any."""

    loss: float
    rmse: float | None


def one_cycle(optimiser: torch.optim.Optimizer, peak: float, steps: int) -> OneCycleLR:
    """Return the schedule of a whole run: a cosine from peak / 25 up to ``peak``, then one down to peak / 250,000.

    Source: Smith and Topin, "Super-Convergence". The momentum stays as it is.
    """
    # With a rise of exactly one step OneCycleLR divides by zero.
    warm_up = WARM_UP if steps * WARM_UP != 1 else WARM_UP + 0.05
    return OneCycleLR(  # div_factor: peak / first rate; final_div_factor: first rate / last rate
        optimiser, peak, steps, pct_start=warm_up, cycle_momentum=False, div_factor=25, final_div_factor=1e4
    )


class Trainer:
    """One run, from random weights or from those of another model (``start``).

    ``history`` holds the finished epochs; ``train_epoch()`` trains the next one and saves the run. With a validation
    part ``best`` holds the weights of the epoch with the least validation error, without one those of the last epoch.
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

    def begin(self, training: Samples, validation: Samples) -> None:
        """Continue the run from its checkpoint, or start it where there is none.

        Raises RenaError for the checkpoint of a run on other data, of another format, or a damaged one.
        """
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            self.network = Network(self.settings.network)
        self.features, self.goals = torch.from_numpy(training.features), torch.from_numpy(training.goals)
        if self.start is None:
            self.network.fit_scale(self.features)
        else:
            # With the model's own scale: what its layers learned is about inputs in that scale.
            self.network.load_state_dict(self.start)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), weight_decay=self.settings.weight_decay)
        steps = self.settings.epochs * -(-len(self.features) // self.settings.batch_size)
        self.schedule = one_cycle(self.optimiser, self.settings.learning_rate, steps)
        self.validation_samples, self.fingerprint = validation, fingerprint(training, validation)
        self.best = checkpoint.snapshot(self.network)
        if not self.checkpoint_path.exists():
            return
        self.best, progress = checkpoint.load(self.checkpoint_path, self.network, self.optimiser, self.schedule)
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

        Raises RenaError when the loss is no longer finite, or when the checkpoint cannot be written.
        """
        loss, error = self._pass_over_samples(), None
        if self.settings.validation:
            error = rmse(self.predict(self.validation_samples.features), self.validation_samples.goals)
        best = self.best_rmse
        self.history.append(Epoch(loss, error))
        if error is None or best is None or error < best:
            self.best_epoch, self.best = len(self.history) - 1, checkpoint.snapshot(self.network)
        progress = {
            "data": self.fingerprint,
            "history": [vars(epoch) for epoch in self.history],
            "best_epoch": self.best_epoch,
        }
        checkpoint.save(self.checkpoint_path, self.network, self.optimiser, self.schedule, self.best, progress)
        return self.history[-1]

    def predict(self, features: FloatArray) -> FloatArray:
        """Return goals (n, 25) for features (n, 55), clipped to [0, 1]."""
        self.network.eval()
        with torch.no_grad():
            return self.network(torch.from_numpy(features)).clamp(0, 1).numpy()

    def best_network(self) -> Network:
        """Load the best weights into the network, in place of the present ones, and return it."""
        self.network.load_state_dict(self.best)
        return self.network.eval()

    def _pass_over_samples(self) -> float:
        """Pass once over the training samples; returns the mean loss.

        Order and noise depend on the seed and the epoch's number alone, so a continued run draws the same ones.
        """
        settings, epoch, rows = self.settings, len(self.history), len(self.features)
        seed = int(np.random.SeedSequence([settings.seed, epoch]).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        total = 0.0
        self.network.train()
        for batch in torch.randperm(rows, generator=generator).split(settings.batch_size):
            features = self.features[batch]
            if settings.noise:
                features = features + settings.noise * torch.randn(features.shape, generator=generator)
            self.optimiser.zero_grad()
            loss = self.loss(self.network(features), self.goals[batch])
            loss.backward()
            # At the peak of the cycle a single bad batch could otherwise ruin the weights for good.
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
            self.optimiser.step()
            self.schedule.step()
            total += float(loss.detach()) * len(batch)
        if not np.isfinite(total):
            raise RenaError(f"the loss is not finite in epoch {epoch + 1}; use a lower --learning-rate")
        return total / rows
