"""The plots of a report, as PNG files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from rena_ros.base.files import replacing
from rena_ros.learning.plots import cumulative_errors, line_styles, servo_errors
from rena_ros.report.cells import Result, Results
from rena_ros.report.kinds import ModelKind
from rena_ros.report.parts import FRESH, TEST
from rena_ros.report.plan import OWN, Protocol, curve_sizes

SHOWN = 5


def draw(
    folder: Path,
    results: Results,
    protocol: Protocol,
    kinds: Mapping[str, ModelKind],
    servo_names: tuple[str, ...],
    samples: int,
) -> list[tuple[str, str]]:
    """Write the plots that the results allow; return (file name, caption) of each. Raises RenaError."""
    runs = dict(_first_runs(results, protocol, kinds))
    plots = []
    if runs:
        errors = {title: np.array(one["parts"][TEST]["quantiles_of_samples"]) for title, one in runs.items()}
        cumulative_errors(folder / "cumulative_errors.png", errors)
        plots.append(("cumulative_errors.png", "Cumulative errors of single samples (the paper's Fig. 7), first seed."))
        servos = {title: np.array(one["parts"][TEST]["per_servo"]) for title, one in _least(runs)}
        servo_errors(folder / "servo_errors.png", servo_names, servos)
        plots.append(("servo_errors.png", f"Error of every servo, first seed: the {len(servos)} best models."))
    trained = {title: one for title, one in runs.items() if "loss" in one}
    if trained:
        _loss_curves(folder / "loss_curves.png", trained)
        plots.append(
            ("loss_curves.png", "Training loss and validation error (the paper's Fig. 6 shows its test loss there).")
        )
    if curves := dict(_curves(results, protocol, kinds, samples)):
        _learning_curve(folder / "learning_curve.png", curves)
        plots.append(("learning_curve.png", "Error over the number of training samples; bars: spread of the seeds."))
    return plots


def _first_runs(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind]) -> Iterator[tuple[str, Result]]:
    for name, kind in kinds.items():
        for one in results.where(name, OWN, protocol.pool, kind.consistency):
            if TEST in one["parts"]:
                yield kind.title, one
                break


def _least(runs: Mapping[str, Result]) -> list[tuple[str, Result]]:
    """Return the SHOWN models of least error; bars of all of them could not be told apart."""
    return sorted(runs.items(), key=lambda item: item[1]["parts"][TEST]["rmse"])[:SHOWN]


Curve = tuple[list[int], list[float], list[float]]  # sizes, errors in %, spreads in %


def _curves(
    results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], samples: int
) -> Iterator[tuple[str, Curve]]:
    part = FRESH if any(FRESH in one["parts"] for one in results.runs) else TEST
    for name, kind in kinds.items():
        sizes = curve_sizes(protocol, samples) if kind.curve else ()
        cells = {size: results.cell((name, OWN, size, kind.consistency), part) for size in sizes}
        there = {size: cell for size, cell in cells.items() if cell is not None}
        if there:
            means, spreads = zip(*((100 * cell.mean, 100 * cell.spread) for cell in there.values()), strict=True)
            yield kind.title, (list(there), list(means), list(spreads))


def _loss_curves(path: Path, runs: Mapping[str, Result]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
    for (title, one), style in zip(runs.items(), line_styles(len(runs)), strict=True):
        left.plot(np.arange(1, len(one["loss"]) + 1), one["loss"], label=title, **style)
        right.plot(np.arange(1, len(one["validation"]) + 1), 100 * np.array(one["validation"]), label=title, **style)
    left.set(xlabel="epoch", ylabel="training loss", xscale="log", yscale="log")
    right.set(xlabel="epoch", ylabel="validation RMSE of goals, %", xscale="log", yscale="log")
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center", fontsize="small")
    _save(figure, path)


def _learning_curve(path: Path, curves: Mapping[str, Curve]) -> None:
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for title, (sizes, means, spreads) in curves.items():
        axes.errorbar(sizes, means, spreads, marker="o", capsize=3, label=title)
    axes.set(xlabel="samples, those for validation included", ylabel="RMSE of goals, %", xscale="log", yscale="log")
    _plain(axes, sorted({size for sizes, _, _ in curves.values() for size in sizes}))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _save(figure, path)


def _plain(axes: plt.Axes, sizes: Sequence[int]) -> None:
    """Label the logarithmic axis of sizes with the sizes themselves."""
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=30)
    axes.minorticks_off()


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as fresh:
        figure.savefig(fresh, dpi=120, format="png")
    plt.close(figure)
