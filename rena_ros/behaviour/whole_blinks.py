"""Blinks that were seen half, closed whole. No I/O, no clock: each call is given the time.

At 30 frames a second a blink is seen in 3 to 8 frames, some of them with the lids half-way, and MediaPipe's eyeBlink of
a closed eye is often only .5 to .8; a model that follows frame by frame then closes the robot's lids in part, and late.
Here a fast closing of both lids counts as a blink as soon as it is seen: the goals of the lids go to closed at once,
stay there while the person's lids are shut, at least until the horns can have arrived, and return to the person's.

A false blink is worse than a missed one. So both lids must leave, within WINDOW_S and by RISE on average, the values
that this person's open eyes usually have; a wink, a slow closing and a squint do not. What closes beside a growing
smile is no blink either, nor what raises eyeLookDown much more than eyeBlink: the gaze goes down. (A blink raises
eyeLookDown as much as itself.) Tuned on a film and on drawn people.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.model import Robot

RISE = 0.22  # of eyeBlink within WINDOW_S, mean of both lids
WINDOW_S = 0.09  # a lid goes down within 66 to 78 ms (``strategy.eyes``), and may be seen a frame later
USUAL_S, LEAST_SEEN_S = 3.0, 0.5  # of readings whose median is the usual value, and the least of them
NEAR_USUAL = 0.1  # a blink begins with the lids where they usually are
LEAST_RATIO = 0.45  # smaller / larger of the two lids' rises: below, it is a wink
DOWN_RATIO = 1.6  # rise of eyeLookDown / of eyeBlink: above, the gaze goes down
SMILE_RATIO = 0.8  # growth of mouthSmile / of eyeBlink: above, it is a squint
OPEN_SHARE = 0.85  # of the largest rise: below, the person's lids open (a shut eye reads steadily to .05)
LONGEST_S = 0.5  # of a blink; lids that are shut for longer are the person's own matter again
RELEASE_S = 0.05  # from closed back to the person's goals; the motion's own limits take longer
GAP_S = 0.2  # between readings: after a longer one nothing is known about speed
_BLINK, _DOWN, _SMILE = (
    [READING_NAMES.index(f"{name}{side}") for side in ("Left", "Right")]
    for name in ("eyeBlink", "eyeLookDown", "mouthSmile")
)


class _Seen(NamedTuple):
    t_s: float
    blink: FloatArray
    down: float
    smile: float


@dataclass
class _Closing:
    """A blink under way. ``usual``, ``peak``: (2,), eyeBlink of open eyes, and the largest so far."""

    start_s: float
    usual: FloatArray
    peak: FloatArray
    open_s: float | None = None  # when the lids were told to open


class WholeBlinks:
    """Closes the lids' goals whole while a blink is seen. ``missing``: names of lid servos that this robot lacks."""

    def __init__(self, robot: Robot):
        """``robot``: whose lids; how long they need to arrive follows from its limits of speed and acceleration."""
        names = ("lid_left", "lid_right")
        self._lids = [robot.index[name] for name in names if name in robot.index]
        self.missing = tuple(name for name in names if name not in robot.index)
        ways = np.abs(robot.positions(np.ones(len(robot.names), np.float32)))[self._lids]
        speed, acceleration = robot.max_speed_rad_s[self._lids], robot.max_acceleration_rad_s2[self._lids]
        self.arrival_s = float((ways / speed + speed / acceleration).max(initial=0.0))  # from neutral; the least hold
        self.blinks = 0  # found so far
        self.reset()

    def reset(self) -> None:
        """Forget the person, and any blink under way."""
        self._seen = deque[_Seen]()
        self._closing: _Closing | None = None

    def close(self, goals: FloatArray, features: FloatArray, t_s: float, wanted: bool = True) -> FloatArray:
        """Return ``goals``, (n,) in [0, 1], with the lids shut where this reading is of a blink.

        ``features``: (55,), order of READING_NAMES. ``t_s``: the image's time. ``wanted``: False ends it, without a
        jump. Readings that are not finite, or come after a gap, are no blink.
        """
        blink = np.asarray(features[_BLINK], float)
        newest = _Seen(t_s, blink, float(np.mean(features[_DOWN])), float(np.mean(features[_SMILE])))
        if not np.isfinite((*blink, newest.down, newest.smile)).all():
            return goals
        if self._seen and not 0 <= t_s - self._seen[-1].t_s <= GAP_S:
            self.reset()
        self._seen.append(newest)
        while t_s - self._seen[0].t_s > USUAL_S:
            self._seen.popleft()
        if self._closing is None and wanted and self._lids:
            self._closing = self._begun(t_s)
        if self._closing is None:
            return goals
        share = self._share(self._closing, blink, t_s, wanted)
        if share == 0.0:
            self._closing = None
            return goals
        closed = np.array(goals, np.float32)
        closed[self._lids] += share * (1.0 - closed[self._lids])
        return closed

    def _begun(self, t_s: float) -> _Closing | None:
        """Return the blink that the newest reading begins, if it does."""
        if t_s - self._seen[0].t_s < LEAST_SEEN_S:
            return None
        usual = np.median([one.blink for one in self._seen], axis=0)
        newest = self._seen[-1]
        for before in reversed(self._seen):
            if t_s - before.t_s > WINDOW_S:
                return None
            rise = newest.blink - before.blink
            if (
                rise.mean() >= RISE
                and rise.min() >= LEAST_RATIO * rise.max()
                and (before.blink <= usual + NEAR_USUAL).all()
                and newest.down - before.down <= DOWN_RATIO * rise.mean()
                and newest.smile - before.smile <= SMILE_RATIO * rise.mean()
            ):
                self.blinks += 1
                return _Closing(t_s, usual, newest.blink)
        return None

    def _share(self, closing: _Closing, blink: FloatArray, t_s: float, wanted: bool) -> float:
        """Return how far the blink takes the lids to closed, in [0, 1]; 0: it is over."""
        closing.peak = np.maximum(closing.peak, blink)
        since_s = t_s - closing.start_s
        opens = (blink - closing.usual).mean() < OPEN_SHARE * (closing.peak - closing.usual).mean()
        if closing.open_s is None and (not wanted or since_s >= LONGEST_S or (opens and since_s >= self.arrival_s)):
            closing.open_s = t_s
        return 1.0 if closing.open_s is None else max(0.0, 1.0 - (t_s - closing.open_s) / RELEASE_S)
