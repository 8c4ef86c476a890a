"""The network's parts against independent implementations: SciPy's splines, torch's attention, plain NumPy."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch.nn import functional as F

from rena_ros.learning.attention import SelfAttention, positional_encoding
from rena_ros.learning.inputs import LEAST_SPREAD_LOG_ODDS, Readings, log_odds
from rena_ros.learning.kan import KanLayer, cubic_basis
from rena_ros.learning.network import Network, NetworkConfig


@pytest.mark.parametrize("intervals", [1, 5, 8])
def test_the_cubic_basis_equals_scipys(intervals):
    step = 2 / intervals
    knots = -1 + step * np.arange(-3, intervals + 4)
    x = np.linspace(-1, 1, 201)[:-1]  # SciPy's half-open intervals leave the last point to extrapolation
    expected = np.stack(
        [BSpline(knots, np.eye(intervals + 3)[i], 3, extrapolate=False)(x) for i in range(intervals + 3)], axis=1
    )
    found = cubic_basis(torch.from_numpy(x), intervals).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_inputs_beyond_the_grid_count_as_its_ends():
    inside = cubic_basis(torch.tensor([-1.0, 1.0]), 5)
    beyond = cubic_basis(torch.tensor([-7.0, 1.6]), 5)
    torch.testing.assert_close(beyond, inside)
    torch.testing.assert_close(beyond.sum(dim=1), torch.ones(2))


def test_a_kan_layer_is_equation_7_summed_over_the_inputs():
    torch.manual_seed(0)
    layer = KanLayer(3, 2, 5)
    x = torch.rand(6, 3) * 1.8 - 0.9
    knots, weights = -1 + 0.4 * np.arange(-3, 9), layer.spline.detach().numpy().reshape(3, 8, 2)
    base = layer.base.detach().numpy()
    for row in range(6):
        for q in range(2):
            expected = 0.0
            for p in range(3):
                value = float(x[row, p])
                expected += float(BSpline(knots, weights[p, :, q], 3)(value))
                expected += base[p, q] * value / (1 + math.exp(-value))
            assert float(layer(x)[row, q].detach()) == pytest.approx(expected, abs=1e-5)


def test_the_positional_encoding_is_the_formula_element_by_element():
    found = positional_encoding(52, 16).numpy()
    for position in (0, 1, 17, 51):
        for i in range(8):
            angle = position / 10000 ** (2 * i / 16)
            assert found[position, 2 * i] == pytest.approx(math.sin(angle), abs=1e-5)
            assert found[position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-5)


def test_the_printed_exponent_does_not_make_coefficients_distinct():
    """The reason to read 10000^{2i} as 10000^{2i/d}: as printed, coefficients 0 and 44 almost coincide."""
    angles = np.arange(52)[:, None] / 10000.0 ** (2.0 * np.arange(8))
    printed = np.concatenate((np.sin(angles), np.cos(angles)), axis=1)
    assert np.ptp(printed[:, [i for i in range(16) if i not in (0, 8)]], axis=0).max() < 1e-6
    assert np.linalg.norm(printed[0] - printed[44]) < 0.02
    ours = positional_encoding(52, 16).numpy()
    distances = np.linalg.norm(ours[:, None] - ours[None], axis=2)[~np.eye(52, dtype=bool)]
    assert distances.min() > 0.5


def test_self_attention_equals_torchs():
    torch.manual_seed(1)
    attention, tokens = SelfAttention(16), torch.randn(4, 52, 16)
    query, key, value = attention.query_key_value(tokens).chunk(3, dim=-1)
    torch.testing.assert_close(attention(tokens) - tokens, F.scaled_dot_product_attention(query, key, value))


def test_log_odds_invert_a_sigmoid():
    x = torch.linspace(-8, 8, 33)
    torch.testing.assert_close(log_odds(torch.sigmoid(x), 0.0), x, atol=1e-3, rtol=1e-3)
    ends = log_odds(torch.tensor([-0.5, 0.0, 0.5, 1.0, 2.0]), 0.01)
    top = math.log(1.01 / 0.01)
    torch.testing.assert_close(ends, torch.tensor([-top, -top, 0.0, top, top]))


def test_the_normalisation_maps_training_inputs_to_the_unit_range():
    network = Network(NetworkConfig())
    features = torch.rand(4000, 55)
    features[:, 7] *= 1e-5  # a coefficient that the robot never moves
    network.fit_inputs(Readings(features))
    inputs = torch.cat((log_odds(features[:, :52], network.config.floor), features[:, 52:]), dim=1)
    low, high = np.percentile(inputs.numpy(), [0.5, 99.5], axis=0)
    np.testing.assert_allclose(network.inputs.centre, (low + high) / 2, atol=1e-4)
    usual = np.arange(55) != 7
    np.testing.assert_allclose(network.inputs.spread[usual], ((high - low) / 2)[usual], atol=1e-4)
    assert network.inputs.spread[7] == LEAST_SPREAD_LOG_ODDS > 100 * (high[7] - low[7])


def test_the_network_stays_finite_far_from_its_data():
    torch.manual_seed(2)
    network = Network(NetworkConfig()).eval()
    network.fit_inputs(Readings(torch.rand(100, 55) * 0.01))
    assert network(torch.rand(7, 55)).shape == (7, 25)
    for far in (torch.ones(1, 55), torch.zeros(1, 55), 1e6 * torch.randn(20, 55)):
        assert torch.isfinite(network(far)).all()
