"""Learning rates over a whole training run."""

import math

WARM_UP = 0.25  # share of the steps in which the rate rises
FIRST = 1 / 25  # the first rate, as a share of the peak
LAST = 1e-4  # the last, as a share of the first


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate of ``step`` (0 .. steps - 1): a cosine up to ``peak``, then one down to nearly nothing.

    A function of the step alone, so a run that is taken up again needs no state for it. Smith and Topin,
    "Super-Convergence", with the cosines that torch's OneCycleLR uses.
    """
    top = WARM_UP * steps - 1
    if step <= top:
        return _cosine(peak * FIRST, peak, step / top)
    return _cosine(peak, peak * FIRST * LAST, (step - top) / (steps - 1 - top))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
