"""Whether a figure grows over the time of a run. Pure.

The first sixth of a run is settling and does not count. Of the rest, the median of the last third is compared with the
median of the first third: single spikes, such as an open file while a cable is unplugged, do not count.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import Array
from rena_ros.bench.report import rounded


@dataclass(frozen=True)
class Growth:
    """The ``early`` and ``late`` medians of a figure; ``allowed``: the highest late median that is no growth."""

    name: str
    early: float
    late: float
    allowed: float

    @property
    def grew(self) -> bool:
        """Whether the figure grew by more than is allowed."""
        return self.late > self.allowed

    def as_dict(self) -> dict:
        """Return the figures, rounded, and ``grew``, ready for JSON."""
        return rounded({**vars(self), "grew": self.grew}, 3)


def measure_growth(name: str, values: Array, absolute: float, relative: float = 0.0) -> Growth:
    """Compare early and late ``values`` (m,), m >= 6, taken at even intervals; NaN: nothing to measure.

    Allowed: ``absolute`` more than the early median, or ``relative`` (0.1 = 10 %) more, whichever is higher.
    Raises ValueError for fewer than 6 numbers.
    """
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if len(values) < 6:
        raise ValueError(f"{name}: {len(values)} values are too few to tell whether it grows")
    settled = values[len(values) // 6 :]
    third = len(settled) // 3
    early, late = float(np.median(settled[:third])), float(np.median(settled[-third:]))
    return Growth(name, early, late, early + max(absolute, relative * abs(early)))
