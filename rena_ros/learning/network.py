"""The network: positional encoding and self-attention over the 52 coefficients, then three KAN layers.

The equations are those of Zhu et al., "Awakening Facial Emotional Expressions in Human-Robot".

Equations 2 and 3 print the exponent as 10000^{2i}, without the "/ d" of Vaswani et al. This module reads it as
a misprint of 10000^{2i/d}. Taken literally, every pair of dimensions except the first is constant (pos / 10^8 and
smaller), and the first, (sin pos, cos pos), is almost the same for the coefficients p and p + 44 (44 rad are 7.003
turns). The encoding would then not make the 52 coefficients distinct, which is its purpose in the paper.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network. ``settings`` describes the fields that options set; ``floor``: see ``log_odds``."""

    coefficients: int = 52
    pose: int = 3
    servos: int = 25
    token: int = 16
    readout: int = 2
    hidden: int = 128
    intervals: int = 5
    floor: float = 0.003


# Least half range of an input in the normalisation. Without it a coefficient that the robot hardly moves would be
# magnified, and the face of a real person, which does move it, would lie far outside the training data.
LEAST_SPREAD_LOG_ODDS, LEAST_SPREAD_RAD = 0.5, 0.1


def log_odds(coefficients: Tensor, floor: float) -> Tensor:
    """Return the log odds of coefficients in [0, 1], same shape, within about +-ln(1 / floor).

    MediaPipe's coefficients are outputs of a sigmoid and gather at its ends: much of their information lies between
    .001 and .1. Below ``floor`` the log odds hardly change, because such values are only noise in a real face.
    Coefficients outside [0, 1] are clamped.
    """
    clamped = coefficients.clamp(0, 1)
    return torch.log((clamped + floor) / (1 - clamped + floor))


def positional_encoding(positions: int, size: int) -> Tensor:
    """Return Eq. 2 and 3, float32 (positions, size), size even: sines in even dimensions, cosines in odd ones."""
    angles = torch.arange(positions)[:, None] / 10000.0 ** (torch.arange(0, size, 2) / size)
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)


def cubic_basis(x: Tensor, intervals: int) -> Tensor:
    """Return the cubic B-splines on a uniform grid over [-1, 1] at ``x``: (...,) -> (..., intervals + 3).

    The closed form replaces the Cox-de Boor recursion. The values sum to one. ``x`` is clamped to [-1, 1], because
    the splines fall to zero outside the grid.
    """
    step = 2 / intervals
    centres = torch.linspace(-1 - step, 1 + step, intervals + 3, device=x.device)
    u = (x.clamp(-1, 1)[..., None] - centres).abs() / step
    outer, inner = F.relu(2 - u), F.relu(1 - u)
    return (outer * outer * outer - 4 * (inner * inner * inner)) / 6


class SelfAttention(nn.Module):
    """Self-attention of Eq. 4 with one head and a residual connection."""

    def __init__(self, size: int):
        super().__init__()
        self.query_key_value = nn.Linear(size, 3 * size, bias=False)
        self.scale = 1 / math.sqrt(size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens plus their attention: (n, tokens, size) -> same shape."""
        query, key, value = self.query_key_value(tokens).chunk(3, dim=-1)
        weights = torch.softmax(query @ key.transpose(-2, -1) * self.scale, dim=-1)  # (n, tokens, tokens)
        return tokens + weights @ value


class KanLayer(nn.Module):
    """Kolmogorov-Arnold layer: Eq. 7 for every pair of input and output, summed over the inputs, plus a bias.

    w_b silu(x) + w_s sum_i c_i B_i(x) is one matrix product over [B | silu]. w_s and c_i occur only as a product,
    so the layer learns that product.
    """

    def __init__(self, inputs: int, outputs: int, intervals: int):
        super().__init__()
        self.intervals = intervals
        self.spline = nn.Parameter(torch.empty(inputs * (intervals + 3), outputs))
        self.base = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.spline, std=0.1 / math.sqrt(inputs))
        nn.init.normal_(self.base, std=1 / math.sqrt(inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs: (n, inputs) -> (n, outputs)."""
        basis = cubic_basis(x, self.intervals).flatten(1)  # (n, inputs * (intervals + 3))
        return torch.cat((basis, F.silu(x)), dim=1) @ torch.cat((self.spline, self.base)) + self.bias


class Network(nn.Module):
    """The whole network: features in the order of ``READING_NAMES`` -> goals in that of the robot's servos.

    The goals are not clamped here: outside [0, 1] training needs a gradient, and ``Policy`` clips them once.
    """

    centre: Tensor
    spread: Tensor
    positions: Tensor

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        self.register_buffer("centre", torch.zeros(config.coefficients + config.pose))
        self.register_buffer("spread", torch.ones(config.coefficients + config.pose))
        self.register_buffer("positions", positional_encoding(config.coefficients, config.token))
        self.embedding = nn.Parameter(torch.randn(config.coefficients, config.token) / math.sqrt(config.token))
        self.attention = SelfAttention(config.token)
        self.readout = nn.Linear(config.token, config.readout)
        widths = (config.coefficients * config.readout + config.pose, config.hidden, config.hidden, config.servos)
        self.layers = nn.ModuleList(KanLayer(inputs, outputs, config.intervals) for inputs, outputs in pairwise(widths))

    def fit_scale(self, features: Tensor) -> None:
        """Set the normalisation of each input to about [-1, 1] from training features (n, 55).

        It spans the 0.5th to the 99.5th percentile, so that no single outlier sets a scale. It is part of the
        exported graph.
        """
        low, high = torch.quantile(self._inputs(features), torch.tensor([0.005, 0.995]), dim=0)
        least = torch.full_like(low, LEAST_SPREAD_LOG_ODDS)
        least[self.config.coefficients :] = LEAST_SPREAD_RAD
        self.centre.copy_((low + high) / 2)
        self.spread.copy_(torch.maximum((high - low) / 2, least))

    def forward(self, features: Tensor) -> Tensor:
        """Return goals (n, 25), not clamped, for features (n, 55)."""
        normalised = (self._inputs(features) - self.centre) / self.spread
        coefficients, pose = normalised.split((self.config.coefficients, self.config.pose), dim=1)
        # tanh: a real person's coefficients may lie far outside the range of the robot's own.
        tokens = torch.tanh(coefficients)[..., None] * self.embedding + self.positions  # (n, 52, token)
        x = self.readout(self.attention(tokens)).flatten(1)  # (n, 52 * readout)
        x = torch.cat((torch.tanh(x), pose), dim=1)
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))  # keeps the inputs of the next layer on its grid
        return self.layers[-1](x)

    def _inputs(self, features: Tensor) -> Tensor:
        """Return the log odds of the coefficients and the pose, (n, 55)."""
        coefficients, pose = features.split((self.config.coefficients, self.config.pose), dim=1)
        return torch.cat((log_odds(coefficients, self.config.floor), pose), dim=1)
