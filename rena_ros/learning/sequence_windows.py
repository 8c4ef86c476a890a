"""Training windows of sequences: the last half second before a frame, resampled, and a later frame as the target.

A camera's frames come unevenly, some are lost, and cameras differ in rate. So every epoch draws anew which frames of a
sequence are lost, how far their stamps are off, and how long the history is; the target is a frame that was read, never
one between two frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.datasets.sequences import ReadingSequence
from rena_ros.perception.face_reader import READING_NAMES

STEPS, STEP_S = 16, 1 / 30  # of the history, the newest reading included
HORIZONS_S = (0.03, 0.14)
FEATURES, COMPONENTS = len(READING_NAMES), 24
LOST_SHARES, THINNED_SHARE = (0.0, 0.0, 0.0, 0.1, 0.3), 0.3  # of frames; of sequences above 45 fps at half their rate
STAMP_SD_S = 0.002
SHORT_SHARE = 0.2  # of windows whose history begins later
NO_LANDMARKS_SHARE = 0.15  # of windows without landmarks
RESTLESS, LASTING = 0.04, 0.5  # added noise: its median strength in usual changes, its correlation from step to step


@dataclass(frozen=True)
class Basis:
    """Principal components of landmarks. ``rows``: float32 (COMPONENTS, 1434), orthonormal.

    ``scale``: float32 (FEATURES + COMPONENTS,), the usual change of each channel within a tenth of a second.
    """

    rows: FloatArray
    scale: FloatArray


@dataclass(frozen=True)
class Windows:
    """n windows of c = FEATURES + COMPONENTS channels; features first, then components of landmarks.

    ``history`` float32 (n, STEPS, c): oldest step first, less the newest reading. ``newest`` float32 (n, FEATURES).
    ``horizon_s`` (n,). ``shift`` float32 (n, c): target less newest reading. ``known`` float32 (n, c): 1 where it is.
    """

    history: FloatArray
    newest: FloatArray
    horizon_s: FloatArray
    shift: FloatArray
    known: FloatArray


def landmark_basis(sequences: Sequence[ReadingSequence]) -> Basis:
    """Return the components in which the landmarks of these sequences vary most, persons apart."""
    varied = []
    for one in sequences:
        flat = one.landmarks.reshape(len(one.landmarks), -1).astype(np.float32)
        varied.append((flat - flat.mean(axis=0))[::3])
    stacked = np.concatenate(varied)
    rows = _principal(stacked)
    changes = []
    for one in sequences:
        channels = channels_of(one, rows)
        later = np.searchsorted(one.times_s, one.times_s + 0.1)
        there = later < len(one.times_s)
        changes.append(channels[later[there]] - channels[there])
    scale = np.concatenate(changes).std(axis=0)
    scale[:FEATURES] = np.maximum(scale[:FEATURES], 0.01)  # channels that hardly move are noise
    return Basis(rows, scale.astype(np.float32))


def _principal(stacked: FloatArray) -> FloatArray:
    """Return the first COMPONENTS principal directions of rows (n, p), by the smaller of both products."""
    if len(stacked) < stacked.shape[1]:
        return np.linalg.svd(stacked, full_matrices=False)[2][:COMPONENTS]
    _, vectors = np.linalg.eigh((stacked.T @ stacked).astype(np.float64))
    rows: FloatArray = np.ascontiguousarray(vectors[:, ::-1][:, :COMPONENTS].T, np.float32)
    return rows


def channels_of(sequence: ReadingSequence, rows: FloatArray) -> FloatArray:
    """Return features and components of landmarks of a sequence, float32 (t, c)."""
    flat = sequence.landmarks.reshape(len(sequence.landmarks), -1).astype(np.float32)
    return np.concatenate([sequence.features, flat @ rows.T], axis=1)


def draw_windows(channels: FloatArray, times_s: FloatArray, scale: FloatArray, rng: np.random.Generator) -> Windows:
    """Return one window for each frame of a sequence that is not lost and has a later one within HORIZONS_S."""
    kept = _kept(times_s, rng)
    stamps_s = np.maximum.accumulate(times_s + rng.normal(0, STAMP_SD_S, len(times_s)))
    target = _targets(times_s, kept, rng)
    kept, target = kept[target >= 0], target[target >= 0]
    length_s = np.where(rng.random(len(kept)) < SHORT_SHARE, rng.uniform(0, STEPS * STEP_S, len(kept)), np.inf)
    history = resampled(channels[kept], stamps_s[kept], times_s[kept] - length_s)
    history += _restlessness(history.shape, rng) * scale
    newest = history[:, -1].copy()
    shift = channels[target] - newest
    history -= newest[:, None]
    known = np.ones_like(shift)
    blind = rng.random(len(kept)) < NO_LANDMARKS_SHARE
    known[blind, FEATURES:] = 0
    history[blind, :, FEATURES:] = 0
    horizon_s = (times_s[target] - times_s[kept]).astype(np.float32)
    return Windows(history, newest[:, :FEATURES], horizon_s, shift, known)


def resampled(channels: FloatArray, stamps_s: FloatArray, begins_s: FloatArray) -> FloatArray:
    """Return the history of each frame, float32 (n, STEPS, c), linear between frames; before the first one it holds.

    ``channels`` (n, c) of frames at ``stamps_s`` (n,), not falling. ``begins_s`` (n,): frames before it do not count.
    """
    wanted_s = stamps_s[:, None] - STEP_S * np.arange(STEPS - 1, -1, -1)
    oldest = np.minimum(np.searchsorted(stamps_s, begins_s), np.arange(len(stamps_s)))
    wanted_s = np.maximum(wanted_s, stamps_s[oldest][:, None])
    after = np.clip(np.searchsorted(stamps_s, wanted_s), 1, max(len(stamps_s) - 1, 1))
    span_s = np.maximum(stamps_s[after] - stamps_s[after - 1], 1e-6)
    share = np.clip((wanted_s - stamps_s[after - 1]) / span_s, 0, 1)[..., None]
    mixed: FloatArray = (channels[after - 1] * (1 - share) + channels[after] * share).astype(np.float32)
    return mixed


def _restlessness(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Return what a real camera adds to drawn readings, (n, STEPS, c) in usual changes: noise that lasts some frames.

    How strong it is differs from window to window and from channel to channel.
    """
    n, steps, c = shape
    strength = RESTLESS * np.exp(rng.normal(0, 0.8, (n, 1)) + rng.normal(0, 0.6, (n, c)))
    noise = rng.standard_normal((n, steps, c), np.float32)
    for step in range(1, steps):
        noise[:, step] = LASTING * noise[:, step - 1] + np.float32(np.sqrt(1 - LASTING**2)) * noise[:, step]
    return noise * strength[:, None].astype(np.float32)


def _kept(times_s: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return the numbers of the frames that are not lost."""
    kept = np.arange(len(times_s))
    if np.median(np.diff(times_s)) < 1 / 45 and rng.random() < THINNED_SHARE:
        kept = kept[int(rng.integers(2)) :: 2]
    return kept[rng.random(len(kept)) >= rng.choice(LOST_SHARES)]


def _targets(times_s: FloatArray, kept: IntArray, rng: np.random.Generator) -> IntArray:
    """Return a later frame for each kept one, drawn from those within HORIZONS_S, or -1."""
    first = np.searchsorted(times_s, times_s[kept] + HORIZONS_S[0])
    last = np.searchsorted(times_s, times_s[kept] + HORIZONS_S[1])
    drawn = first + (rng.random(len(kept)) * (last - first)).astype(int)
    return np.where(last > first, drawn, -1)
