"""What comes next while new servos get their ids: a core that is told who answers and says what to do. Pure.

Every servo leaves the factory with id 1, so new ones are connected one at a time; those that have their id may
stay connected. The servo whose own id is 1 comes last: until then whoever answers as 1 is a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rena_ros.robot.model import Robot, Servo

FACTORY_ID = 1


@dataclass(frozen=True)
class BusSnapshot:
    """One look at the bus: ids with one servo each, and ids under which several answer, or one garbled."""

    ids: frozenset[int] = frozenset()
    shared: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Connect:
    """Wait until a new servo is connected, to become ``servo``; nobody new is there."""

    servo: Servo


@dataclass(frozen=True)
class Assign:
    """The servo that answers as ``id`` is to become ``servo``.

    ``doubtful``: nobody can tell whether it is new, or the robot's own servo with the factory's id.
    """

    servo: Servo
    id: int
    doubtful: bool


@dataclass(frozen=True)
class Refuse:
    """Nothing can be written while this is so."""

    why: str


@dataclass(frozen=True)
class Finished:
    """Every wanted servo has its id. ``strangers``: ids that the robot file does not know."""

    strangers: tuple[int, ...]


Step = Connect | Assign | Refuse | Finished


@dataclass(frozen=True)
class SetupState:
    """Where a setup stands: ``wanted`` servos in the order of connecting, and ids ``settled`` as their servos'.

    ``newcomers``: whoever shows up at the factory's id now must be new, because it was nobody's at the beginning.
    """

    robot: Robot
    wanted: tuple[Servo, ...]
    settled: frozenset[int]
    newcomers: bool

    @property
    def missing(self) -> tuple[Servo, ...]:
        """Wanted servos that do not have their ids yet."""
        return tuple(servo for servo in self.wanted if servo.id not in self.settled)


def begin(robot: Robot, wanted: Sequence[Servo], seen: BusSnapshot) -> SetupState:
    """Start, or go on where an earlier session ended."""
    ordered = tuple(sorted(wanted, key=lambda servo: servo.id == FACTORY_ID))
    return updated(SetupState(robot, ordered, frozenset(), FACTORY_ID not in seen.ids | seen.shared), seen)


def updated(state: SetupState, seen: BusSnapshot) -> SetupState:
    """Take a look into account: whoever answers under a robot's id has it already.

    Only id 1 is no proof while others are missing, and while it is nobody's or several servos' it is not settled.
    """
    here = frozenset(state.robot.ids.tolist()) & seen.ids
    settled = state.settled | (here - {FACTORY_ID})
    if all(servo.id in settled or servo.id == FACTORY_ID for servo in state.wanted):
        settled |= here
    return replace(state, settled=settled if FACTORY_ID in seen.ids else settled - {FACTORY_ID})


def settle(state: SetupState, servo_id: int, was: int) -> SetupState:
    """Who answered as ``was`` has its own id now: it was just written, or somebody said that it had it before."""
    newcomers = state.newcomers if was != FACTORY_ID else servo_id != FACTORY_ID
    return replace(state, settled=state.settled | {servo_id}, newcomers=newcomers)


def next_step(state: SetupState, seen: BusSnapshot) -> Step:
    """What to do, given the latest look."""
    own = {servo.id: servo.name for servo in state.robot.servos}
    if seen.shared:
        return Refuse(_crowd(seen.shared, state, own))
    unassigned = sorted(seen.ids - own.keys() | (seen.ids & {FACTORY_ID} - state.settled))
    if not state.missing:
        return Finished(tuple(sorted(seen.ids - own.keys())))
    if len(unassigned) > 1:
        return Refuse(
            f"{len(unassigned)} servos without an id of this robot answer, as {', '.join(map(str, unassigned))}: "
            "nobody can tell which is which; unplug all of them but one"
        )
    if not unassigned:
        return Connect(state.missing[0])
    doubtful = unassigned == [FACTORY_ID] and FACTORY_ID in own and not state.newcomers
    return Assign(state.missing[0], unassigned[0], doubtful)


def _crowd(shared: frozenset[int], state: SetupState, own: dict[int, str]) -> str:
    servo_id = min(shared)
    text = f"several servos answer as {servo_id}, or one does and is garbled; unplug all of them but one"
    if servo_id == FACTORY_ID and FACTORY_ID in own and not state.newcomers:
        text += f" ({own[FACTORY_ID]} has that id for good; leave the new one)"
    return text
