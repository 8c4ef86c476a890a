"""The network: positional encoding and self-attention over the 52 coefficients, then three KAN layers.

Equations are those of Zhu et al., "Awakening Facial Emotional Expressions in Human-Robot".

Equations 2 and 3 print the exponent as 10000^{2i}, without the "/ d" of Vaswani et al. It is read here
as the misprint of 10000^{2i/d}: taken literally, every pair of dimensions but the first is constant
(pos / 10^8 and smaller), and the remaining (sin pos, cos pos) puts the coefficients p and p + 44 almost
on top of each other (44 is 7.003 turns), so the encoding could not do what the paper wants of it, to make
the 52 coefficients distinct.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of the network. ``readout``: numbers that each coefficient's token hands on to the KAN.

    ``floor``: how small a coefficient still tells something, see ``log_odds``.
    """

    coefficients: int = 52
    pose: int = 3
    servos: int = 25
    token: int = 16
    readout: int = 2
    hidden: int = 128
    intervals: int = 5
    floor: float = 0.003


# The least half range that an input is given when it is normalised. A coefficient that the robot hardly moves
# would otherwise be blown up, and a real person, who does move it, would drive the network to where it has
# never been.
LEAST_SPREAD_LOG_ODDS, LEAST_SPREAD_RAD = 0.5, 0.1


def log_odds(coefficients: Tensor, floor: float) -> Tensor:
    """Coefficients in [0, 1] -> their log odds, in about +-ln(1 / floor).

    MediaPipe's coefficients come out of a sigmoid and crowd at its ends: much of what they tell lies between
    .001 and .1. A ``floor`` keeps what is smaller, and only noise in a real face, from being told apart.
    """
    held = coefficients.clamp(0, 1)
    return torch.log((held + floor) / (1 - held + floor))


def positional_encoding(positions: int, size: int) -> Tensor:
    """Eq. 2 and 3, float32 (positions, size), size even: sines in the even, cosines in the odd dimensions."""
    angles = torch.arange(positions)[:, None] / 10000.0 ** (torch.arange(0, size, 2) / size)
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)


def cubic_basis(x: Tensor, intervals: int) -> Tensor:
    """Cubic B-splines on a uniform grid over [-1, 1]: (...,) -> (..., intervals + 3).

    Closed form instead of the Cox-de Boor recursion. Inside [-1, 1] the values sum to one; the argument is
    held at the ends of the grid, beyond which the splines would fade to nothing.
    """
    step = 2 / intervals
    centres = torch.linspace(-1 - step, 1 + step, intervals + 3, device=x.device)
    u = (x.clamp(-1, 1)[..., None] - centres).abs() / step
    outer, inner = F.relu(2 - u), F.relu(1 - u)
    return (outer * outer * outer - 4 * (inner * inner * inner)) / 6


class SelfAttention(nn.Module):
    """Eq. 4, one head, with the tokens added to what was attended to: (n, tokens, size) -> same shape."""

    def __init__(self, size: int):
        super().__init__()
        self.query_key_value = nn.Linear(size, 3 * size, bias=False)
        self.scale = 1 / math.sqrt(size)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.query_key_value(tokens).chunk(3, dim=-1)
        weights = torch.softmax(query @ key.transpose(-2, -1) * self.scale, dim=-1)  # (n, tokens, tokens)
        return tokens + weights @ value


class KanLayer(nn.Module):
    """Eq. 7 for every pair of input and output, summed over the inputs: (n, inputs) -> (n, outputs).

    w_b silu(x) + w_s sum_i c_i B_i(x) is one matrix product over [B | silu]; w_s and c_i occur only as a
    product, so that product is what is learned.
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
        basis = cubic_basis(x, self.intervals).flatten(1)  # (n, inputs * (intervals + 3))
        return torch.cat((basis, F.silu(x)), dim=1) @ torch.cat((self.spline, self.base)) + self.bias


class Network(nn.Module):
    """Features (n, 55) as ``READING_NAMES`` lists them -> goals (n, 25).

    Goals are not clamped here: beyond [0, 1] a gradient must remain, and ``Policy`` clips once.
    """

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
        """Learn from training features (n, 55) how to bring each input to about [-1, 1]; part of the graph.

        From the 0.5th to the 99.5th percentile, so that no single odd frame sets a scale.
        """
        low, high = torch.quantile(self._inputs(features), torch.tensor([0.005, 0.995]), dim=0)
        least = torch.full_like(low, LEAST_SPREAD_LOG_ODDS)
        least[self.config.coefficients :] = LEAST_SPREAD_RAD
        self.centre.copy_((low + high) / 2)
        self.spread.copy_(torch.maximum((high - low) / 2, least))

    def forward(self, features: Tensor) -> Tensor:
        normalised = (self._inputs(features) - self.centre) / self.spread
        coefficients, pose = normalised.split((self.config.coefficients, self.config.pose), dim=1)
        # tanh: a real person's coefficients may lie far outside what the robot ever showed.
        tokens = torch.tanh(coefficients)[..., None] * self.embedding + self.positions  # (n, 52, token)
        x = self.readout(self.attention(tokens)).flatten(1)  # (n, 52 * readout)
        x = torch.cat((torch.tanh(x), pose), dim=1)
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))  # keeps what the next layer sees on its grid
        return self.layers[-1](x)

    def _inputs(self, features: Tensor) -> Tensor:
        coefficients, pose = features.split((self.config.coefficients, self.config.pose), dim=1)
        return torch.cat((log_odds(coefficients, self.config.floor), pose), dim=1)
