"""What changes the weights: an optimiser with the schedule of its learning rate, and the average of the weights."""

import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from rena_ros.learning.settings import Settings

WARM_UP = 0.25  # share of the steps in which the learning rate rises


def make_optimiser(network: nn.Module, settings: Settings, steps: int) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """Return the optimiser of a run of ``steps`` steps and the schedule of its learning rate.

    "adam" is the paper's: Kingma and Ba's, at a constant rate, without weight decay.
    """
    if settings.optimiser == "adam":
        # fused: one pass over the weights in place of a dozen, with the same result up to rounding.
        optimiser: torch.optim.Optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate, fused=True)
        return optimiser, ConstantLR(optimiser, factor=1.0, total_iters=0)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay, fused=True)
    return optimiser, one_cycle(optimiser, settings.learning_rate, steps)


def one_cycle(optimiser: torch.optim.Optimizer, peak: float, steps: int) -> OneCycleLR:
    """Return the schedule of a whole run: a cosine from peak / 25 up to ``peak``, then one down to peak / 250,000.

    Source: Smith and Topin, "Super-Convergence". The momentum stays as it is.
    """
    # With a rise of exactly one step OneCycleLR divides by zero.
    warm_up = WARM_UP if steps * WARM_UP != 1 else WARM_UP + 0.05
    return OneCycleLR(  # div_factor: peak / first rate; final_div_factor: first rate / last rate
        optimiser, peak, steps, pct_start=warm_up, cycle_momentum=False, div_factor=25, final_div_factor=1e4
    )


def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards those of the network after step ``step`` (from 0).

    The exponential moving average a <- d a + (1 - d) w. The first steps are averaged over fewer, d = (1 + step) /
    (10 + step), because otherwise the random weights of the beginning would stay in it for long.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for averaged, weights in zip(average.parameters(), network.parameters(), strict=True):
            averaged.lerp_(weights, share)
