"""Plots of a training run and of an evaluation, as PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from rena_ros.base.arrays import FloatArray
from rena_ros.base.files import replacing
from rena_ros.measures.errors import share_below


def learning_curves(path: Path, losses: Sequence[float], errors: Sequence[float | None], best_epoch: int) -> None:
    """Plot the training loss of every epoch, and its validation RMSE if there is a validation part."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = np.arange(1, len(losses) + 1)
    left.plot(epochs, losses)
    left.set(xlabel="epoch", ylabel="training loss", yscale="log")
    percent = [100 * error for error in errors if error is not None]
    if percent:
        right.plot(epochs, percent)
        right.axvline(best_epoch + 1, color="grey", linewidth=1, label=f"best: {percent[best_epoch]:.2f} %")
        right.legend()
    right.set(xlabel="epoch", ylabel="validation RMSE of goals, %", yscale="log")
    _save(figure, path)


def line_styles(count: int) -> list[dict[str, Any]]:
    """Return the style of each of several curves, so that no two look alike: after ten colours the dashes change."""
    return [{"color": f"C{i % 10}", "linestyle": ("-", "--", ":")[i // 10 % 3]} for i in range(count)]


def cumulative_errors(path: Path, errors: dict[str, FloatArray]) -> None:
    """Plot the share of samples with an RMSE below a value over that value, for each model's errors (n,)."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, values), style in zip(errors.items(), line_styles(len(errors)), strict=True):
        ordered = np.sort(values)
        axes.plot(100 * ordered, share_below(values, ordered), label=name, **style)
    axes.set(xlabel="RMSE of a sample's goals, %", ylabel="share of held-out samples", ylim=(0, 1), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    _save(figure, path)


def servo_errors(path: Path, servo_names: tuple[str, ...], errors: dict[str, FloatArray]) -> None:
    """Plot the RMSE of every servo as bars, one row for each servo, for each model's errors (25,)."""
    figure, axes = plt.subplots(figsize=(7, 9), layout="constrained")
    rows, height = np.arange(len(servo_names)), 0.8 / len(errors)
    for i, (name, values) in enumerate(errors.items()):
        axes.barh(rows + i * height, 100 * np.asarray(values), height, label=name)
    axes.set_yticks(rows + 0.4 - height / 2, servo_names)
    axes.invert_yaxis()
    axes.set(xlabel="held-out RMSE of goals, %")
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as fresh:
        figure.savefig(fresh, dpi=120, format="png")
    plt.close(figure)
