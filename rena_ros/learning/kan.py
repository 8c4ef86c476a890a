"""Kolmogorov-Arnold layers with cubic splines, Eq. 5 to 7 of the paper."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


class Kan(nn.Module):
    """Such layers one after the other, Eq. 6; ``widths``: of the inputs, the hidden layers, the outputs."""

    def __init__(self, widths: tuple[int, ...], intervals: int):
        super().__init__()
        self.layers = nn.ModuleList(KanLayer(inputs, outputs, intervals) for inputs, outputs in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs: (n, widths[0]) -> (n, widths[-1]). Inputs beyond [-1, 1] lie outside the splines."""
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))  # keeps the inputs of the next layer on its grid
        return self.layers[-1](x)
