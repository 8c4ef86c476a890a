"""Networks that predict the change of a reading from the history before it: a GRU, and a causal transformer."""

import math

import torch
from torch import Tensor, nn

from rena_ros.learning.sequence_windows import FEATURES, HORIZONS_S, STEP_S, STEPS

VELOCITY_STEPS = (1, 2, 4)
LEAST_SIGMA, MOST_SIGMA = 0.02, 5.0  # of a predicted change, in usual changes of the channel


class SequenceNetwork(nn.Module):
    """History, newest features and horizon -> change at the horizon and its standard deviation, both (n, c).

    A change is a share of what a channel's own velocity, taken over VELOCITY_STEPS, would make of it, and a rest; the
    shares and the rest follow from the whole face. ``history`` (n, STEPS, c), less the newest reading; ``newest``
    (n, FEATURES) as read; ``horizon_s`` (n, 1). ``scale`` (c,): the usual change of each channel.
    """

    scale: Tensor

    def __init__(self, kind: str, scale: Tensor, width: int = 96) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("scale", scale)
        self.encoder = ENCODERS[kind](len(scale), width)
        outputs = (2 + len(VELOCITY_STEPS)) * len(scale)
        self.head = nn.Sequential(nn.Linear(width + FEATURES + 1, 128), nn.SiLU(), nn.Linear(128, outputs))

    def forward(self, history: Tensor, newest: Tensor, horizon_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return the change of each channel and its standard deviation, in the channel's own unit."""
        low, high = HORIZONS_S
        when = (horizon_s - (low + high) / 2) / (high - low)
        state = self.encoder(history / self.scale)
        parts = self.head(torch.cat([state, newest, when], dim=1)).chunk(2 + len(VELOCITY_STEPS), dim=1)
        change, spread, gates = parts[0] * self.scale, parts[1], parts[2:]
        for gate, steps in zip(gates, VELOCITY_STEPS, strict=True):
            change = change - gate * history[:, -1 - steps] * (horizon_s / (steps * STEP_S))
        sigma = LEAST_SIGMA + nn.functional.softplus(spread).clamp(max=MOST_SIGMA)
        return change, sigma * self.scale


class GruEncoder(nn.Module):
    """(n, STEPS, c) -> the state after the newest step, (n, width)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, width, batch_first=True)

    def forward(self, history: Tensor) -> Tensor:
        """Return the last state."""
        return self.gru(history)[1][0]


class TransformerEncoder(nn.Module):
    """(n, STEPS, c) -> the newest token, (n, width); two blocks (Vaswani et al. 2017), normalised before each part."""

    def __init__(self, channels: int, width: int, heads: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(channels, width)
        self.places = nn.Parameter(0.02 * torch.randn(STEPS, width))
        self.register_buffer("future", torch.full((STEPS, STEPS), -1e9).triu(1))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * blocks))
        self.mixes = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(blocks))
        self.joins = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.turns = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(blocks)
        )
        self.leave = nn.LayerNorm(width)

    def forward(self, history: Tensor) -> Tensor:
        """Return what the newest step has seen."""
        x = self.enter(history) + self.places
        for k, (mix, join, turn) in enumerate(zip(self.mixes, self.joins, self.turns, strict=True)):
            x = x + join(self.attend(mix(self.norms[2 * k](x))))
            x = x + turn(self.norms[2 * k + 1](x))
        return self.leave(x[:, -1])

    def attend(self, mixed: Tensor) -> Tensor:
        """Each step looks at itself and at earlier ones: (n, STEPS, 3 width) -> (n, STEPS, width)."""
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in mixed.chunk(3, dim=2))
        alike = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1]) + self.future
        return (alike.softmax(dim=3) @ value).transpose(1, 2).flatten(2)


ENCODERS = {"gru": GruEncoder, "transformer": TransformerEncoder}
