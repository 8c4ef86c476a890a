"""Statistics of columns and of pictures, as LeRobot normalises by them; exact, not estimated."""

import cv2
import numpy as np

from rena_ros.base.arrays import Array, ByteArray

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
Statistics = dict[str, Array]


def column_statistics(values: Array) -> Statistics:
    """Return min, max, mean, std, count and quantiles of rows (n, m): float64 (m,) each, the count int (1,)."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    found: Statistics = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    found["count"] = np.array([len(rows)])
    return found | dict(zip(QUANTILES, np.quantile(rows, list(QUANTILES.values()), axis=0), strict=True))


class PictureStatistics:
    """Adds up pictures as histograms of their channels, so that parts can be added to a whole."""

    def __init__(self) -> None:
        self._histograms: Array = np.zeros((3, 256), np.int64)
        self._pictures = 0

    def add(self, jpeg: bytes) -> bool:
        """Add a picture at a quarter of its size; returns False when it cannot be decoded."""
        bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_4)
        if bgr is None:
            return False
        self._histograms += channel_histograms(np.asarray(bgr[..., ::-1], np.uint8))
        self._pictures += 1
        return True

    def merge(self, other: "PictureStatistics") -> None:
        """Add all pictures of another one."""
        self._histograms += other._histograms
        self._pictures += other._pictures

    def result(self) -> Statistics:
        """Return the statistics by channel, red, green, blue in 0..1: float64 (3, 1, 1) each, the count int (1,)."""
        levels = np.arange(256) / 255
        counts = self._histograms.sum(1)
        mean = self._histograms @ levels / counts
        seen = [levels[np.flatnonzero(channel)] for channel in self._histograms]
        found: Statistics = {
            "min": np.array([values[0] for values in seen]),
            "max": np.array([values[-1] for values in seen]),
            "mean": mean,
            "std": np.sqrt(np.maximum(self._histograms @ levels**2 / counts - mean**2, 0)),
        }
        below = self._histograms.cumsum(1)
        for name, share in QUANTILES.items():
            found |= {name: levels[(below < share * counts[:, None]).sum(1)]}
        return {name: values.reshape(3, 1, 1) for name, values in found.items()} | {"count": np.array([self._pictures])}


def channel_histograms(rgb: ByteArray) -> Array:
    """Return how often each level 0..255 occurs in each channel of a picture, uint8 (h, w, 3): int64 (3, 256)."""
    return np.stack([np.bincount(rgb[..., channel].ravel(), minlength=256) for channel in range(3)])
