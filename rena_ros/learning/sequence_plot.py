"""A picture of what a predictor does: what was read, what it put out at that time, and what came at the horizon."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.files import replacing
from rena_ros.datasets.sequences import ReadingSequence
from rena_ros.measures.prediction import at_times
from rena_ros.perception.face_reader import READING_NAMES

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CHANNELS, SECONDS = ("mouthSmileLeft", "eyeBlinkLeft", "jawOpen", "head_yaw"), 6.0


def plot_leads(path: Path, shown: Mapping[str, tuple[ReadingSequence, FloatArray]], horizon_s: float) -> None:
    """Write a picture: one column for each name -> (sequence, led features (n, 55)), its most abrupt SECONDS.

    Raises RenaError when the file cannot be written.
    """
    figure, axes = plt.subplots(len(CHANNELS), len(shown), figsize=(5.5 * len(shown), 9), sharex="col", squeeze=False)
    for column, (name, (one, led)) in enumerate(shown.items()):
        start_s = _most_abrupt_s(one) - SECONDS / 2
        inside = (one.times_s >= start_s) & (one.times_s <= start_s + SECONDS)
        came = at_times(one.features, one.times_s, one.times_s + horizon_s)
        for axis, channel in zip(axes[:, column], CHANNELS, strict=True):
            index = READING_NAMES.index(channel)
            times_s = one.times_s[inside]
            axis.plot(times_s, one.features[inside, index], color="0.6", label="as read")
            axis.plot(times_s, came[inside, index], "k:", linewidth=1, label=f"{1e3 * horizon_s:g} ms later")
            axis.plot(times_s, led[inside, index], color="tab:red", linewidth=1, label="predicted")
            axis.set_ylabel(channel)
        axes[0, column].set_title(name)
        axes[-1, column].set_xlabel("time, s")
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    with replacing(path) as fresh:
        figure.savefig(fresh, dpi=90, format="png")
    plt.close(figure)


def _most_abrupt_s(one: ReadingSequence) -> float:
    """Return the time at which the channels of the picture change most within a fifth of a second."""
    columns = one.features[:, [READING_NAMES.index(name) for name in CHANNELS]]
    change = np.abs(at_times(columns, one.times_s, one.times_s + 0.2) - columns).sum(axis=1)
    return float(one.times_s[int(np.argmax(change))])
