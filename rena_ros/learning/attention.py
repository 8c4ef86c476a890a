"""Positional encoding and self-attention over the 52 coefficients, Eq. 2 to 4 of the paper.

Equations 2 and 3 print the exponent as 10000^{2i}, without the "/ d" of Vaswani et al. This module reads it as
a misprint of 10000^{2i/d}. Taken literally, every pair of dimensions except the first is constant (pos / 10^8 and
smaller), and the first, (sin pos, cos pos), is almost the same for the coefficients p and p + 44 (44 rad are 7.003
turns). The encoding would then not make the 52 coefficients distinct, which is its purpose in the paper.
"""

import math

import torch
from torch import Tensor, nn


def positional_encoding(positions: int, size: int) -> Tensor:
    """Return Eq. 2 and 3, float32 (positions, size), size even: sines in even dimensions, cosines in odd ones."""
    angles = torch.arange(positions)[:, None] / 10000.0 ** (torch.arange(0, size, 2) / size)
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)


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


class CoefficientAttention(nn.Module):
    """Makes each coefficient a token, lets the tokens attend to each other, and reads ``readout`` numbers off each."""

    positions: Tensor

    def __init__(self, coefficients: int, token: int, readout: int):
        super().__init__()
        self.register_buffer("positions", positional_encoding(coefficients, token))
        self.embedding = nn.Parameter(torch.randn(coefficients, token) / math.sqrt(token))
        self.attention = SelfAttention(token)
        self.readout = nn.Linear(token, readout)

    def forward(self, coefficients: Tensor) -> Tensor:
        """Return (n, 52 * readout) for coefficients (n, 52) in [-1, 1]."""
        tokens = coefficients[..., None] * self.embedding + self.positions  # (n, 52, token)
        return self.readout(self.attention(tokens)).flatten(1)
