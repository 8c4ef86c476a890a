"""Natural sequences: the performer's chapters and Algorithm 1's expressions, acted with random order, timing, strength.

An actor changes the face slowly or within two frames, holds it, pauses, lets one side lag in strength, turns and nods,
speaks, blinks and looks around (``strategy.eyes``). Everything follows from a seed; nothing is of the performer's own
script but its faces. The sizes below are chosen to be plausible and varied, not measured on people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.base.easing import least_jerk
from rena_ros.robot.model import Robot
from rena_ros.strategy.expert import Expression
from rena_ros.strategy.eyes import BLINKS_A_MINUTE, Blink, Saccade, draw_blinks, draw_saccades
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import walk
from rena_ros.twin.actuators import GAZE_RAD, LEFT_RIGHT, NECK_RAD, goals_of
from rena_ros.twin.performer import SCRIPT

REGIONS = ("brows", "lids", "mouth")  # what a face moves; eyes and head go their own ways
ABRUPT_SHARE, ABRUPT_S = 0.3, (0.04, 0.14)  # of movements, and their durations
EASE_S, EASE_SPREAD, EASE_MOST_S = 0.32, 0.55, 1.5  # median and logarithmic spread of the others
HOLD_S, PAUSE_SHARE, PAUSE_S = 0.7, 0.15, (1.0, 3.0)
BEND = (0.65, 1.5)  # exponent of time within a movement: below 1 it starts fast and ends slowly
CALM_SHARE, DRAWN_SHARE, PART_SHARE = 0.4, 0.3, 0.3  # faces that are calm, of Algorithm 1, of one region alone
STRENGTH, SIDE_SHARE, WEAKER = (0.4, 1.15), 0.4, (0.2, 0.9)
SHUT_SHARE = 0.06  # faces that shut the eyes for longer than a blink
JAW_SHARE = 0.15
TURN_EVERY_S, TURN_S, TURN_SD = 1.8, (0.25, 1.3), (0.17, 0.14, 0.1)
NOD_SHARE, NOD_HZ, NOD = 0.2, (1.0, 2.8), (0.03, 0.12)
SPEECH_EVERY_S, SPEECH_S, SYLLABLES_HZ = 3.5, (0.6, 3.0), (3.0, 6.5)
FIXATIONS_S, GAZE_SCALE, GAZE_HOLD = (0.35, 1.6), (0.25, 1.0), (0.0, 0.7)
BLINK_SPREAD = 0.4  # logarithmic, between people, around the rate of conversation
SWAY, SWAY_S = (0.004, 0.02), (1.5, 8.0)


@dataclass(frozen=True)
class Movement:
    """A change of some servos: from wherever they are to ``target``, float64 (25,), where ``moved``, bool (25,)."""

    start_s: float
    ease_s: float
    bend: float
    target: FloatArray
    moved: BoolArray

    def share(self, t_s: float) -> float:
        """Return how much of it is done at ``t_s``, in [0, 1]."""
        return least_jerk(max((t_s - self.start_s) / self.ease_s, 0.0) ** self.bend)


@dataclass(frozen=True)
class Wave:
    """A movement to and fro that swells and fades: a nod, a syllable, or, without end, the sway of the body."""

    servo: int
    amplitude: float
    period_s: float
    phase: float
    start_s: float = -np.inf
    end_s: float = np.inf
    one_sided: bool = False

    def value(self, t_s: float) -> float:
        """Return what it adds to its servo's goal at ``t_s``."""
        if not self.start_s < t_s < self.end_s:
            return 0.0
        swing = np.sin(2 * np.pi * t_s / self.period_s + self.phase)
        if self.one_sided:
            swing = 0.5 + 0.5 * swing
        fade = min(least_jerk((t_s - self.start_s) / 0.15), least_jerk((self.end_s - t_s) / 0.15))
        return float(fade * self.amplitude * swing)


class Acting:
    """One actor's sequence. ``robot``: whose servos act; ``duration_s``: of the script."""

    def __init__(self, robot: Robot, seed: int, duration_s: float):
        """Draw the script. The same arguments always give the same one. Raises ValueError for no time to act in."""
        if not 0 < duration_s < np.inf:
            raise ValueError(f"a sequence must last longer than 0 s, not {duration_s}")
        self.robot, self.duration_s = robot, duration_s
        streams = [np.random.default_rng([seed, stream]) for stream in range(6)]
        self.movements = sorted(
            [*_faces(robot, streams[0], duration_s), *_turns(robot, streams[1], duration_s)], key=lambda m: m.start_s
        )
        self.waves = [
            *_nods(robot, streams[2], duration_s),
            *_speech(robot, streams[3], duration_s),
            *_sway(robot, streams[2]),
        ]
        rate = BLINKS_A_MINUTE["conversation"] * np.exp(streams[4].normal(0, BLINK_SPREAD))
        blinks = draw_blinks(streams[4], float(rate), float(streams[4].uniform(0.3, 1.0)))
        self.blinks: list[Blink] = list(takewhile(lambda blink: blink.start_s < duration_s, blinks))
        scale = float(streams[5].uniform(*GAZE_SCALE))
        saccades = draw_saccades(streams[5], float(streams[5].uniform(*FIXATIONS_S)), scale=scale)
        self.saccades: list[Saccade] = list(takewhile(lambda one: one.start_s < duration_s, saccades))
        self._gaze_hold = float(streams[5].uniform(*GAZE_HOLD))  # share of a turn of the head that the eyes take back

    def goals(self, t_s: float) -> FloatArray:
        """Return the goals at ``t_s``, float32 (25,) in [0, 1], order of ``robot.names``."""
        goals = self.robot.neutral_goals.astype(np.float64)
        for movement in self.movements:
            if t_s <= movement.start_s:
                break
            goals += movement.share(t_s) * np.where(movement.moved, movement.target - goals, 0.0)
        for wave in self.waves:
            goals[wave.servo] += wave.value(t_s)
        self._look(t_s, goals)
        self._blink(t_s, goals)
        return np.clip(goals, 0, 1).astype(np.float32)

    def _look(self, t_s: float, goals: FloatArray) -> None:
        """Turn the eyes, in place: to the point that they fix, and against a part of the head's turn."""
        gaze = np.zeros(2)
        for saccade in self.saccades:
            if saccade.start_s > t_s:
                break
            gaze = saccade.gaze(t_s)
        neck = [2 * goals[self.robot.index[f"neck_{axis}"]] - 1 for axis in ("yaw", "pitch")]
        gaze = gaze - self._gaze_hold * np.array(neck) * NECK_RAD[:2]
        for side in LEFT_RIGHT:
            for axis, angle in zip(("yaw", "pitch"), gaze, strict=True):
                goals[self.robot.index[f"eye_{side}_{axis}"]] += angle / (2 * GAZE_RAD)

    def _blink(self, t_s: float, goals: FloatArray) -> None:
        """Close the lids, in place."""
        closure = max((blink.closure(t_s) for blink in self.blinks), default=0.0)
        for side in LEFT_RIGHT:
            lid = self.robot.index[f"lid_{side}"]
            goals[lid] += closure * max(1 - goals[lid], 0.0)


def _faces(robot: Robot, rng: np.random.Generator, duration_s: float) -> Iterator[Movement]:
    """Yield the changes of the face until ``duration_s``."""
    drawn = walk(robot, load_strategy(None, robot), rng)
    region = np.array([servo.region for servo in robot.servos])
    t_s, calm = float(rng.exponential(HOLD_S)), True
    while t_s < duration_s:
        calm = not calm and rng.random() < CALM_SHARE
        target = robot.neutral_goals.astype(np.float64) if calm else _face(robot, rng, drawn)
        moved = np.isin(region, REGIONS)
        if rng.random() < PART_SHARE:
            moved = region == rng.choice(REGIONS)
        ease_s = _ease_s(rng)
        yield Movement(t_s, ease_s, float(np.exp(rng.uniform(*np.log(BEND)))), target, moved)
        t_s += ease_s * rng.uniform(0.5, 1.2) + rng.exponential(HOLD_S)
        if rng.random() < PAUSE_SHARE:
            t_s += rng.uniform(*PAUSE_S)


def _face(robot: Robot, rng: np.random.Generator, drawn: Iterator[Expression]) -> FloatArray:
    """Return the goals of one face, float64 (25,) in [0, 1]."""
    neutral = robot.neutral_goals.astype(np.float64)
    if rng.random() < DRAWN_SHARE:
        goals = next(drawn).goals.astype(np.float64)
    else:
        goals = goals_of(robot, FACES[int(rng.integers(len(FACES)))])
    factor = np.full(len(neutral), rng.uniform(*STRENGTH))
    if rng.random() < SIDE_SHARE:
        weaker = str(rng.choice(LEFT_RIGHT))
        factor[[weaker in name for name in robot.names]] *= rng.uniform(*WEAKER)
    face = neutral + factor * (goals - neutral)
    if rng.random() < JAW_SHARE:
        face[robot.index["jaw"]] = rng.uniform(0.1, 0.9)
    if rng.random() < SHUT_SHARE:
        for side in LEFT_RIGHT:
            face[robot.index[f"lid_{side}"]] = rng.uniform(0.7, 1.0)
    bounded: FloatArray = np.clip(face, 0, 1)
    return bounded


FACES = tuple(chapter.face for chapter in SCRIPT if chapter.face)


def _ease_s(rng: np.random.Generator) -> float:
    if rng.random() < ABRUPT_SHARE:
        return float(rng.uniform(*ABRUPT_S))
    return float(np.clip(EASE_S * np.exp(rng.normal(0, EASE_SPREAD)), ABRUPT_S[1], EASE_MOST_S))


def _turns(robot: Robot, rng: np.random.Generator, duration_s: float) -> Iterator[Movement]:
    """Yield turns of the head until ``duration_s``."""
    neck = [robot.index[f"neck_{axis}"] for axis in ("yaw", "pitch", "roll")]
    moved = np.zeros(len(robot.names), bool)
    moved[neck] = True
    t_s = float(rng.exponential(TURN_EVERY_S))
    while t_s < duration_s:
        target = robot.neutral_goals.astype(np.float64)
        target[neck] = np.clip(target[neck] + rng.normal(0, TURN_SD), 0.08, 0.92)
        ease_s = float(rng.uniform(*TURN_S))
        yield Movement(t_s, ease_s, 1.0, target, moved)
        t_s += ease_s + rng.exponential(TURN_EVERY_S)


def _nods(robot: Robot, rng: np.random.Generator, duration_s: float) -> Iterator[Wave]:
    """Yield bursts of nodding and of shaking the head."""
    t_s = float(rng.exponential(TURN_EVERY_S))
    while t_s < duration_s:
        if rng.random() < NOD_SHARE:
            servo = robot.index[str(rng.choice(["neck_pitch", "neck_yaw"]))]
            period_s = 1 / rng.uniform(*NOD_HZ)
            end_s = t_s + period_s * int(rng.integers(1, 5))
            yield Wave(servo, rng.uniform(*NOD), period_s, rng.uniform(0, 2 * np.pi), t_s, end_s)
        t_s += 1.0 + rng.exponential(TURN_EVERY_S)


def _speech(robot: Robot, rng: np.random.Generator, duration_s: float) -> Iterator[Wave]:
    """Yield bursts of speech: one wave a syllable and servo, of the jaw and at times of lips."""
    t_s = float(rng.exponential(SPEECH_EVERY_S))
    while t_s < duration_s:
        end_s, loudness = t_s + rng.uniform(*SPEECH_S), rng.uniform(0.15, 0.6)
        while t_s < end_s:
            length_s = 1 / rng.uniform(*SYLLABLES_HZ)
            phase = -2 * np.pi * t_s / length_s - np.pi / 2  # shut at both ends
            parts = [("jaw", loudness * rng.uniform(0.3, 1.0))]
            if rng.random() < 0.4:
                parts.append(("pucker", rng.uniform(0.1, 0.6)))
            if rng.random() < 0.4:
                parts += [(f"lip_lower_{side}", rng.uniform(0.1, 0.4)) for side in LEFT_RIGHT]
            for name, amplitude in parts:
                yield Wave(robot.index[name], amplitude, length_s, phase, t_s, t_s + length_s, one_sided=True)
            t_s += length_s if rng.random() < 0.9 else length_s + rng.uniform(0.1, 0.4)
        t_s += rng.exponential(SPEECH_EVERY_S)


def _sway(robot: Robot, rng: np.random.Generator) -> Iterator[Wave]:
    """Yield breathing and sway of head and corners of the mouth, without end."""
    for name in ("neck_yaw", "neck_pitch", "neck_roll", "corner_left_up", "corner_right_up"):
        for _ in range(2):
            amplitude, period_s = rng.uniform(*SWAY), rng.uniform(*SWAY_S)
            yield Wave(robot.index[name], amplitude, period_s, rng.uniform(0, 2 * np.pi))
