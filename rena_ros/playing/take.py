"""A take: what the servos of a robot were told while a bag was recorded, and when. No ROS.

A bag of the recorder holds ``servos/goals``, the goals as they crossed the wire, with the velocities of the motion that
they are points of: sent again they give the same goals. A bag without them holds commands; of these, the take has those
of the source that owned the robot then, and they are planned anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.bags.reader import BagReader
from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.control.arbiter import COMMAND_TOPICS, Arbiter
from rena_ros.robot.file import parse_robot
from rena_ros.robot.model import Robot, Servo

GOALS, PICTURES = "servos/goals", "camera/image_raw/compressed"
_OWNED_S = 0.5  # as long as a source owns the robot after a command: the servos node's default
_CLOCKS_APART_NS = 1_000_000_000  # more between a header's stamp and the bag's: the header is of another clock
_COMPARED = ("id", "min_ticks", "neutral_ticks", "max_ticks", "reversed")


@dataclass(frozen=True)
class Point:
    """One command of a take: ``time_s`` since its beginning, positions in rad by joint.

    ``velocities``: rad/s by joint, of a motion that was planned before; without them the motion is planned anew.
    """

    time_s: float
    names: tuple[str, ...]
    positions: tuple[float, ...]
    velocities: tuple[float, ...] = ()


@dataclass(frozen=True)
class Take:
    """The points of a take by time, at least one; the first is that at 0 s where the whole take is meant.

    ``begin_ns``: time 0 as the bag's stamps count; ``planned``: the points have velocities; ``pictures``: the topic of
    the bag's pictures, None where it has none; ``first``: pose of the first point, positions of all joints, rad (n,).
    """

    points: tuple[Point, ...]
    begin_ns: int
    planned: bool
    pictures: str | None
    first: FloatArray

    @property
    def duration_s(self) -> float:
        """Time of the last point, s."""
        return self.points[-1].time_s

    def between(self, start_s: float, end_s: float, robot: Robot) -> "Take":
        """Return the part of the take from ``start_s`` to ``end_s``. Raises RenaError where nothing was commanded."""
        part = tuple(point for point in self.points if start_s <= point.time_s <= end_s)
        if not part:
            raise RenaError(
                f"nothing is commanded from {start_s:g} s to {end_s:g} s: the take is {self.duration_s:.1f} s"
            )
        first = self.first.copy()
        for point in self.points:
            if point.time_s > part[0].time_s:
                break
            first[[robot.index[name] for name in point.names]] = point.positions
        return replace(self, points=part, first=np.clip(first, robot.lower, robot.upper))

    def last(self, robot: Robot) -> FloatArray:
        """Return the pose of the last point, positions of all joints, rad (n,)."""
        last = self.first.copy()
        for point in self.points:
            last[[robot.index[name] for name in point.names]] = point.positions
        return np.clip(last, robot.lower, robot.upper)

    def at_speed(self, speed: float) -> "Take":
        """Return the take with ``speed`` times its speed; times still count from its own beginning."""
        points = (
            Point(p.time_s / speed, p.names, p.positions, tuple(speed * v for v in p.velocities)) for p in self.points
        )
        return replace(self, points=tuple(points))


def load_take(path: Path, robot: Robot) -> Take:
    """Return the take of a bag, for this robot.

    Raises RenaError, one line, when there is no bag or it was cut off, when it is of another robot, and when nothing
    was commanded in it.
    """
    with BagReader(path) as bag:
        refuse_another_robot(bag.metadata, robot, path)
        topics = {name: _topic(bag, name) for name in (GOALS, PICTURES, *COMMAND_TOPICS.values())}
        points = list(_goals(bag, topics[GOALS]))
        if not points:
            points = list(_commands(bag, topics))
        if not points:
            raise RenaError(f"nothing is commanded in the bag {path}; play one in which the robot moved")
        for _, point in points:
            if unknown := [name for name in point.names if name not in robot.index]:
                raise RenaError(f"the bag {path} is of another robot: this one has no joint {', '.join(unknown)}")
            if refusal := robot.limit(point.names, point.positions, robot.lower).refusal:
                raise RenaError(f"the bag {path} holds a command that no robot follows: {refusal}; play another bag")
        points.sort(
            key=lambda timed: timed[0]
        )  # stamps are those of the goals' last bytes, the order is that of the bag
        begin_ns = points[0][0]
        timed = tuple(replace(point, time_s=(stamp_ns - begin_ns) * 1e-9) for stamp_ns, point in points)
        pictures = topics[PICTURES] if topics[PICTURES] and bag.counts[topics[PICTURES] or ""] else None
    take = Take(timed, begin_ns, all(point.velocities for point in timed), pictures, np.zeros(len(robot.names)))
    return take.between(0.0, float("inf"), robot)


def refuse_another_robot(metadata: Any, robot: Robot, path: Path) -> None:
    """Raise RenaError where the robot that a bag was recorded with has other servos than ``robot``.

    Compared are names, ids, ticks and directions; comments and thresholds may differ. A bag that does not say is
    judged by its joints' names.
    """
    if not (text := metadata.get("robot")):
        return
    try:
        recorded = {servo.name: servo for servo in parse_robot(text, path).servos}
    except RenaError as error:
        why = str(error).splitlines()[0]
        raise RenaError(
            f"the bag {path} does not say of which robot it is: the robot file in it is bad: {why}"
        ) from error
    here = {servo.name: servo for servo in robot.servos}
    if len(different := sorted(recorded.keys() ^ here.keys())):
        raise RenaError(f"the bag {path} is of another robot: only one of the two has {', '.join(different)}")
    found = [
        f"{name} ({_differences(recorded[name], here[name])})" for name in here if _differs(recorded[name], here[name])
    ]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise RenaError(
            f"the bag {path} is of another robot; recorded and here differ: {', '.join(found[:3])}{more}; give its own "
            "robot file, --robot-file FILE"
        )


def _differs(recorded: Servo, here: Servo) -> bool:
    return bool(_differences(recorded, here))


def _differences(recorded: Servo, here: Servo) -> str:
    pairs = ((key, getattr(recorded, key), getattr(here, key)) for key in _COMPARED)
    return ", ".join(f"{key} {one} and {other}" for key, one, other in pairs if one != other)


def _topic(bag: BagReader, name: str) -> str | None:
    """Return a topic's full name in the bag, None where the bag lacks it. Raises RenaError where there are several."""
    if "namespace" in bag.metadata:
        full = f"{bag.metadata['namespace'].rstrip('/')}/{name}"
        return full if full in bag.topics else None
    found = [topic for topic in bag.topics if topic == f"/{name}" or topic.endswith(f"/{name}")]
    if len(found) > 1:
        raise RenaError(f"the bag {bag.path} holds several robots ({', '.join(found)}): record one of them by itself")
    return found[0] if found else None


def _goals(bag: BagReader, topic: str | None) -> Iterator[tuple[int, Point]]:
    """The goals on the wire, with the times of their last bytes; a servo that got none is not named."""
    for message in bag.messages(topic) if topic else ():
        goals = bag.decode(message)
        stamp_ns = goals.header.stamp.sec * 1_000_000_000 + goals.header.stamp.nanosec
        if abs(stamp_ns - message.stamp_ns) > _CLOCKS_APART_NS:
            stamp_ns = message.stamp_ns
        if len(goals.name) != len(goals.position):
            counts = f"{len(goals.name)} names but {len(goals.position)} positions"
            raise RenaError(f"the bag {bag.path} holds goals of {counts}; play another bag")
        sent = np.isfinite(goals.position)
        # A servos node of another version has no velocities: the goals are planned anew.
        velocities = goals.velocity[sent] if len(goals.velocity) == len(sent) else np.empty(0)
        names = [name for name, was_sent in zip(goals.name, sent, strict=True) if was_sent]
        if names:
            yield stamp_ns, _point(names, goals.position[sent], velocities)


def _commands(bag: BagReader, topics: dict[str, str | None]) -> Iterator[tuple[int, Point]]:
    """The commands of the source that owned the robot, by the rules of the servos node's arbiter."""
    sources = {topics[name]: source for source, name in COMMAND_TOPICS.items() if topics[name]}
    arbiter = Arbiter(_OWNED_S)
    for message in bag.messages(*filter(None, sources)) if sources else ():
        source, now_s = sources[message.topic], message.stamp_ns * 1e-9
        command = bag.decode(message)
        sound = len(command.name) == len(command.position) > 0 and np.isfinite(command.position).all()
        if sound and arbiter.admits(source, now_s):
            arbiter.follow(source, now_s)
            yield message.stamp_ns, _point(command.name, command.position, np.empty(0))


def _point(names: Sequence[str], positions: FloatArray, velocities: FloatArray) -> Point:
    return Point(0.0, tuple(names), tuple(positions.tolist()), tuple(velocities.tolist()))
