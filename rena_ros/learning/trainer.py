"""The training loop: from samples and settings to the best network, an epoch at a time."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from rena_ros.base.errors import RenaError
from rena_ros.learning import checkpoint
from rena_ros.learning.losses import FaceLoss
from rena_ros.learning.metrics import rmse
from rena_ros.learning.network import Network, NetworkConfig
from rena_ros.learning.samples import Samples
from rena_ros.learning.schedule import one_cycle

GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Settings:
    """All that a run depends on besides its data.

    AdamW with one cycle of the learning rate, not the paper's Adam at a constant 1e-5: that needs about a
    thousand epochs for what this reaches in tens. ``consistency`` is lambda of Eq. 10. ``noise``: standard
    deviation of what is added to the features in training, in units of a coefficient (and rad): small changes
    of a real face must not mean more than they do.
    """

    epochs: int = 60
    seed: int = 0
    learning_rate: float = 5e-3
    batch_size: int = 256
    weight_decay: float = 0.1
    consistency: float = 0.01
    noise: float = 0.001
    mirror: bool = False
    validation: int = 800
    network: NetworkConfig = field(default_factory=NetworkConfig)


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve. ``loss``: mean training loss; RMSE of goals on the validation part."""

    loss: float
    rmse: float | None


class Trainer:
    """One run. ``history`` holds the epochs that are done; ``step()`` does the next one and saves it.

    With a validation part the weights of its best epoch win, without one those of the last.
    """

    def __init__(self, path: Path, settings: Settings, names: tuple[str, ...], fingerprint: str):
        self.path, self.settings, self.fingerprint = path, settings, fingerprint
        self.loss = FaceLoss(names, settings.consistency)
        self.history: list[Epoch] = []
        self.best_epoch = -1

    def begin(self, training: Samples, validation: Samples) -> None:
        """Take up the run where its checkpoint left it, or begin it. Raises RenaError for a run of other data."""
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            self.network = Network(self.settings.network)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), weight_decay=self.settings.weight_decay)
        self.features, self.goals = torch.from_numpy(training.features), torch.from_numpy(training.goals)
        self.network.fit_scale(self.features)
        self.validation = validation
        self.best = checkpoint.snapshot(self.network)
        if not self.path.exists():
            return
        self.best, state = checkpoint.load(self.path, self.network, self.optimiser)
        if state["data"] != self.fingerprint:
            raise RenaError(f"{self.path} was trained on other data; use another --out, or remove it to begin anew")
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_epoch = state["best_epoch"]

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return len(self.history) >= self.settings.epochs

    def step(self) -> Epoch:
        """Do one epoch, keep the weights if they are the best so far, and save."""
        loss = self._train()
        error = (
            rmse(self.predict(self.validation.features), self.validation.goals) if self.settings.validation else None
        )
        self.history.append(Epoch(loss, error))
        if error is None or self.best_epoch < 0 or error < self.history[self.best_epoch].rmse:
            self.best_epoch, self.best = len(self.history) - 1, checkpoint.snapshot(self.network)
        state = {
            "data": self.fingerprint,
            "history": [vars(epoch) for epoch in self.history],
            "best_epoch": self.best_epoch,
        }
        checkpoint.save(self.path, self.network, self.optimiser, self.best, state)
        return self.history[-1]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Goals (n, 25) for features (n, 55), clipped to [0, 1]."""
        self.network.eval()
        with torch.no_grad():
            return self.network(torch.from_numpy(features)).clamp(0, 1).numpy()

    def best_network(self) -> Network:
        """The network with the weights that won."""
        self.network.load_state_dict(self.best)
        return self.network.eval()

    def _train(self) -> float:
        """One pass over the training samples; the mean loss. Its chance depends on seed and epoch alone."""
        settings, epoch, rows = self.settings, len(self.history), len(self.features)
        seed = int(np.random.SeedSequence([settings.seed, epoch]).generate_state(1)[0])
        chance = torch.Generator().manual_seed(seed)
        batches = torch.randperm(rows, generator=chance).split(settings.batch_size)
        steps, total = settings.epochs * len(batches), 0.0
        self.network.train()
        for i, batch in enumerate(batches):
            for group in self.optimiser.param_groups:
                group["lr"] = one_cycle(epoch * len(batches) + i, steps, settings.learning_rate)
            features = self.features[batch]
            if settings.noise:
                features = features + settings.noise * torch.randn(features.shape, generator=chance)
            self.optimiser.zero_grad()
            loss = self.loss(self.network(features), self.goals[batch])
            loss.backward()
            # At the peak of the cycle a single bad batch can otherwise throw the run off for good.
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
            self.optimiser.step()
            total += float(loss.detach()) * len(batch)
        if not np.isfinite(total):
            raise RenaError(f"the loss is no longer a number after epoch {epoch}; use a lower --learning-rate")
        return total / rows
