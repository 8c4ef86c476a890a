"""Which candidates become samples, and why the others do not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.datasets.build_pairing import Candidate
from rena_ros.robot.model import Robot

# reason -> what it means; docs/dataset.md lists them.
REASONS = {
    "rejected by babble": "the session itself did not accept the try",
    "robot differs": "the sample, or its bag, is of another robot",
    "out of limits": "its goals are not finite, outside [0, 1], or pull antagonists against each other",
    "late": "another expression was commanded already when its picture was taken",
    "no picture": "the bag holds no picture with the stamp that the marker names",
    "damaged picture": "the picture cannot be decoded",
    "other size": "the picture is of another size than most",
    "no reading": "the bag holds no reading of that picture",
    "faceless": "no face was found in the picture",
    "no state": "the servos did not report all positions within 50 ms of the capture",
    "unsettled": "a servo moved around the capture, or was not at its goal",
    "blurred": "the picture is far less sharp than the others of its session",
    "duplicate": "another sample of this session has the same index",
}
TOLERANCE_RAD = 0.1  # how far a servo at rest may be from its goal: skin and load hold it
STATE_WITHIN_NS = 50_000_000
MOVED_RAD = 0.02  # 13 ticks; the session itself accepts less
COMMAND_WITHIN_RAD = 1e-3  # less than a tick: a command is a rounded goal at most
BLURRED_BELOW = 0.35  # of the median sharpness


@dataclass(frozen=True)
class Refusal:
    """Why a candidate is no sample: a key of REASONS, and what exactly was found."""

    candidate: Candidate
    reason: str
    detail: str


def refusal_before_pictures(one: Candidate, robot: Robot, tolerance_rad: float) -> Refusal | None:
    """Return why a candidate is no sample, as far as can be told without its picture; None when it may be one.

    ``tolerance_rad``: how far a servo at rest may be from its goal. Whether a face was read is judged later.
    """
    for reason, detail in _faults(one, robot, tolerance_rad):
        return Refusal(one, reason, detail)
    return None


def refusal_of_picture(one: Candidate, size: tuple[int, int], sharpness: float) -> Refusal | None:
    """Return why a candidate's picture or reading makes it no sample.

    ``size``: width and height of most pictures; ``sharpness``: the median of its session.
    """
    if one.damage:
        return Refusal(one, "damaged picture", one.damage)
    if one.size != size:
        return Refusal(one, "other size", f"{one.size[0]}x{one.size[1]}, most are {size[0]}x{size[1]}")
    if one.face is None:
        return Refusal(one, "no reading", f"of the picture stamped {seconds(one.marker.image_ns)}")
    if not one.face or one.features is None:
        return Refusal(one, "faceless", f"in the picture stamped {seconds(one.marker.image_ns)}")
    if not np.isfinite(one.features).all():
        return Refusal(one, "no reading", "it holds values that are not finite")
    if one.sharpness < BLURRED_BELOW * sharpness:
        return Refusal(one, "blurred", f"sharpness {one.sharpness:.0f}, the session's median is {sharpness:.0f}")
    return None


def duplicates(samples: Sequence[Candidate], walks: Sequence[str]) -> tuple[list[Candidate], list[Refusal]]:
    """Return the samples with one per index of a walk, the earliest, and the others as refusals.

    ``walks``: the walk of each bag. The samples are ordered: by walk, in the order of ``walks``, seed and index.
    """
    places = {walk: place for place, walk in reversed(list(enumerate(walks)))}
    ordered = sorted(
        samples, key=lambda one: (places[walks[one.bag]], one.marker.seed, one.marker.index, one.capture_ns)
    )
    kept: dict[tuple[str, int, int], Candidate] = {}
    refused = []
    for one in ordered:
        first = kept.setdefault((walks[one.bag], one.marker.seed, one.marker.index), one)
        if first is not one:
            refused.append(Refusal(one, "duplicate", f"the one taken at {seconds(first.capture_ns)} is kept"))
    return list(kept.values()), refused


def seconds(stamp_ns: int) -> str:
    """Return a stamp in seconds, for people."""
    return f"{stamp_ns // 1_000_000_000}.{stamp_ns % 1_000_000_000 // 1_000_000:03d} s"


def _faults(one: Candidate, robot: Robot, tolerance_rad: float) -> Iterator[tuple[str, str]]:
    marker = one.marker
    if not marker.accepted:
        yield "rejected by babble", marker.verdict
        return
    if set(marker.goals) != set(robot.names):
        odd = sorted(set(marker.goals) ^ set(robot.names))
        yield "robot differs", f"{odd[0]} is a servo of only one of the two"
        return
    goals = marker.goals_of(robot.names)
    wanted = robot.positions(goals)
    yield from _beyond_limits(goals, wanted, robot)
    if one.command is not None and np.nanmax(off := np.abs(one.command - wanted)) > COMMAND_WITHIN_RAD:
        i = int(np.nanargmax(off))
        last = f"the last command before the capture has {robot.names[i]} at {one.command[i]:.3f} rad"
        yield "late", f"{last}, its goal is {wanted[i]:.3f}"
    if not one.picture:
        yield "no picture", f"stamped {seconds(marker.image_ns)}"
    if one.state_ns is None or one.positions is None or one.low is None or one.high is None:
        yield "no state", "none in which all servos replied"
        return
    if abs(one.state_ns - one.capture_ns) > STATE_WITHIN_NS:
        yield "no state", f"the nearest is {abs(one.state_ns - one.capture_ns) / 1e6:.0f} ms from the capture"
    if one.capture_ns < marker.settled_ns:
        early_ms = (marker.settled_ns - one.capture_ns) / 1e6
        yield "unsettled", f"the picture was taken {early_ms:.0f} ms before the servos had settled"
    away, moved = np.abs(one.positions - wanted), one.high - one.low
    if np.nanmax(moved) > MOVED_RAD:
        i = int(np.nanargmax(moved))
        yield "unsettled", f"{robot.names[i]} moved by {moved[i]:.3f} rad around the capture"
    if away.max() > tolerance_rad:
        i = int(away.argmax())
        yield "unsettled", f"{robot.names[i]} was {away[i]:.3f} rad from its goal"


def _beyond_limits(goals: FloatArray, wanted: FloatArray, robot: Robot) -> Iterator[tuple[str, str]]:
    if not np.isfinite(goals).all():
        yield "out of limits", f"the goal of {robot.names[int(np.flatnonzero(~np.isfinite(goals))[0])]} is not finite"
        return
    if (outside := np.flatnonzero((goals < 0) | (goals > 1))).size:
        i = int(outside[0])
        yield "out of limits", f"the goal of {robot.names[i]} is {goals[i]:.3f}"
        return
    limited = robot.limit(robot.names, wanted.tolist(), np.zeros(len(robot.names)))
    if limited.refusal or limited.clamped:
        yield "out of limits", limited.refusal or f"the limiter moves {limited.clamped[0]}"
