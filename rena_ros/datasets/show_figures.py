"""The figures of `rena dataset show`, as SVG texts; matplotlib draws them."""

import hashlib
import io
import re
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.figure import Figure

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.datasets.show_numbers import Drift, Pair, running_median

matplotlib.rcParams.update(
    {"svg.fonttype": "none", "svg.hashsalt": "rena", "font.size": 8, "font.family": "sans-serif"}
)
BLUE, ORANGE, GREY = "#2b6cb0", "#c05621", "#a0aec0"
_COLUMNS = 6


def histograms(names: Sequence[str], values: FloatArray, limits: tuple[float, float], is_dead: BoolArray) -> str:
    """Return one small histogram for each column of values (n, m), heights as roots of counts; dead ones are grey."""
    rows = -(-len(names) // _COLUMNS)
    height = 1.15 * rows
    figure = Figure(figsize=(11, height))
    edges = {"left": 0.01, "right": 0.99, "top": 1 - 0.2 / height, "bottom": 0.2 / height}
    figure.subplots_adjust(**edges, wspace=0.08, hspace=0.6)  # a constrained layout of so many takes seconds
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, _COLUMNS, i + 1)
        counts, bins = np.histogram(np.clip(values[:, i], *limits), bins=40, range=limits)
        # Most samples are at rest: of the rest nothing would be seen on a linear scale.
        axes.stairs(np.sqrt(counts), bins, fill=True, color=GREY if is_dead[i] else BLUE)
        axes.set_title(f"{name} (dead)" if is_dead[i] else name, fontsize=7, pad=2, color=ORANGE if is_dead[i] else "k")
        axes.set_yticks([])
        axes.tick_params(labelsize=6, pad=1)
        axes.spines[["top", "right", "left"]].set_visible(False)
    return _svg(figure)


def correlation_map(servos: Sequence[str], features: Sequence[str], table: FloatArray) -> str:
    """Return a heat map of correlations (s, m); grey where a channel is dead."""
    figure = Figure(figsize=(11, 0.6 + 0.17 * len(servos) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#e2e8f0")
    image = axes.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(features)), features, rotation=90, fontsize=6)
    axes.set_yticks(range(len(servos)), servos, fontsize=7)
    figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01).ax.tick_params(labelsize=6)
    return _svg(figure)


def symmetry(servos: Sequence[Pair], features: Sequence[Pair]) -> str:
    """Return offset and correlation of left and right, for servos and for coefficients."""
    groups = [("goals", servos), ("coefficients", features)]
    tallest = max(len(servos), len(features), 1)
    figure = Figure(figsize=(11, 1 + 0.17 * tallest), layout="constrained")
    for column, (what, found) in enumerate(groups):
        for half, (key, title, limits) in enumerate(
            (("offset", "mean of left − right", None), ("correlation", "correlation", (-1.05, 1.05)))
        ):
            axes = figure.add_subplot(1, 4, 2 * column + half + 1)
            values = [getattr(pair, key) for pair in found]
            axes.barh(range(len(found)), np.nan_to_num(values), color=BLUE if half else ORANGE)
            axes.set_yticks(range(len(found)), [] if half else [pair.name for pair in found], fontsize=7)
            axes.set_ylim(tallest - 0.4, -0.6)
            axes.set_title(f"{what}: {title}", fontsize=8)
            axes.axvline(0, color="k", linewidth=0.6)
            axes.grid(axis="x", alpha=0.3)
            if limits:
                axes.set_xlim(limits)
            else:
                reach = max(0.1, float(np.abs(values).max(initial=0)) * 1.1)
                axes.set_xlim(-reach, reach)
    return _svg(figure)


def drift_curves(found: Drift, left: FloatArray | None, errors: FloatArray | None) -> str:
    """Return residual of the readings, rest readings over time and distance of the servos from their goals.

    ``left``: hours and change of the mean coefficient since the first reading at rest, (k, 2). ``errors``: rad (n, s).
    """
    plots = 1 + (left is not None) + (errors is not None)
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    axes = figure.add_subplot(1, plots, 1)
    axes.plot(found.residual, ".", color=GREY, markersize=1.5, rasterized=True)
    axes.plot(running_median(found.residual), color=BLUE, label="running median")
    axes.set(xlabel="sample", ylabel="spreads", title="readings: what goals do not explain", ylim=(0, None))
    axes.legend(fontsize=7)
    if left is not None:
        axes = figure.add_subplot(1, plots, 2)
        axes.plot(left[:, 0], left[:, 1], ".-", color=BLUE, markersize=3)
        axes.set(
            xlabel="hours", ylabel="RMS change of coefficients", title="the neutral face over time", ylim=(0, None)
        )
    if errors is not None:
        axes = figure.add_subplot(1, plots, plots)
        worst = 1000 * np.abs(errors).max(axis=1)
        axes.plot(worst, ".", color=GREY, markersize=1.5, rasterized=True)
        axes.plot(running_median(worst), color=BLUE)
        axes.set(xlabel="sample", ylabel="mrad", title="worst servo: distance from its goal", ylim=(0, None))
    return _svg(figure)


def _svg(figure: Figure) -> str:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", dpi=110, metadata={"Date": None})
    text = drawn.getvalue()
    # An id is global in a page that holds several drawings.
    text = text[text.index("<svg") :]
    salt = f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}-"
    text = re.sub(r'\bid="', f'id="{salt}', text)
    return re.sub(r'(url\(#|xlink:href="#)', rf"\g<1>{salt}", text)
