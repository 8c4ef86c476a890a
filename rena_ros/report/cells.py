"""Means and spreads of the runs of a report, and whether two of them differ by more than their spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Result = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A figure over seeds. ``spread``: standard deviation with n - 1; 0 for one run. ``lost``: runs that diverged."""

    mean: float
    spread: float
    runs: int
    lost: int = 0

    def percent(self, digits: int = 2) -> str:
        """Return the figure in percent, such as "5.21 ± 0.03"."""
        spread = f" ± {100 * self.spread:.{digits}f}" if self.runs > 1 else ""
        lost = f" ({self.lost} diverged)" if self.lost else ""
        return f"{100 * self.mean:.{digits}f}{spread}{lost}"


@dataclass(frozen=True)
class Results:
    """The results of all runs of a report, in the order of its plan; by kind what its faces and its films look like.

    Films of models trained on people stand under the name of their kind with ON_PEOPLE behind it. ``floor``: as
    ``visibility`` gives it. ``sequences``: as the films, of drawn persons.
    """

    runs: tuple[Result, ...]
    faces: dict[str, Result] = field(default_factory=dict)
    films: dict[str, Result] = field(default_factory=dict)
    floor: Result = field(default_factory=dict)
    sequences: dict[str, Result] = field(default_factory=dict)

    def where(self, kind: str, data: str, size: int, consistency: float) -> list[Result]:
        """Return the results of one setting, one for each seed."""
        wanted = {"kind": kind, "data": data, "size": size, "consistency": consistency}
        return [one for one in self.runs if all(one["run"][key] == value for key, value in wanted.items())]

    def cell(self, setting: tuple[str, str, int, float], part: str, figure: str = "rmse") -> Cell | None:
        """Return a figure of one setting on a part; None where no run has it."""
        found = self.where(*setting)
        return cell_of([one["parts"][part][figure] for one in found if part in one["parts"]], found)


def cell_of(values: Sequence[float], runs: Sequence[Result] = ()) -> Cell | None:
    """Return the cell of some values; None where there is none. ``runs``: also those that have no value."""
    if not values:
        return None
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Cell(float(np.mean(values)), spread, len(values), sum("diverged" in one for one in runs))


def median_of(runs: Sequence[Result], figure: Callable[[Result], float | None]) -> float | None:
    """Return the median of a figure over runs, None where none has it."""
    values = [value for value in map(figure, runs) if value is not None]
    return float(np.median(values)) if values else None


def differs(a: Cell, b: Cell) -> bool:
    """Return whether two figures lie further apart than both their spreads together."""
    return abs(a.mean - b.mean) > a.spread + b.spread


def compared(name_a: str, a: Cell, name_b: str, b: Cell) -> str:
    """Return one sentence about two errors: which is lower, by how much, and whether that exceeds the spread."""
    difference = 100 * abs(a.mean - b.mean)
    shown = f"{name_a} {a.percent()} % against {name_b} {b.percent()} %"
    if max(a.runs, b.runs) < 2:
        return f"{shown}: a difference of {difference:.2f}, from one seed each, so nothing is said about its spread."
    if not differs(a, b):
        return f"{shown}: the difference of {difference:.2f} lies within the spread of the seeds."
    lower = name_a if a.mean < b.mean else name_b
    return f"{shown}: {lower} is lower by {difference:.2f}, more than the spread of the seeds."
