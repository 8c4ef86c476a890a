"""The decisions of `rena servo setup`: given which ids reply, what is to be done next. Pure.

Every servo leaves the factory with id 1, so new servos are connected one at a time; those that have their id may stay
connected. The servo whose own id is 1 comes last: until then a servo that replies as 1 is a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools.search import FACTORY_ID


@dataclass(frozen=True)
class BusSnapshot:
    """Which ids reply: ``ids`` with one servo each; ``shared`` with several servos, or with garbled replies."""

    ids: frozenset[int] = frozenset()
    shared: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Connect:
    """No new servo is there: wait until one is connected, which is to become ``servo``."""

    servo: Servo


@dataclass(frozen=True)
class Assign:
    """The servo that replies as ``id`` is to become ``servo``.

    ``doubtful``: it may be new, or the robot's own servo with the factory's id; the replies cannot tell.
    """

    servo: Servo
    id: int
    doubtful: bool


@dataclass(frozen=True)
class Refuse:
    """Nothing can be written at present; ``why`` says what to do."""

    why: str


@dataclass(frozen=True)
class Finished:
    """Every wanted servo has its id. ``unexpected``: ids that reply and are not in the robot file."""

    unexpected: tuple[int, ...]


Step = Connect | Assign | Refuse | Finished


@dataclass(frozen=True)
class SetupState:
    """The progress of a setup.

    ``wanted``: servos in the order of connecting. ``settled``: ids that their own servos have.
    ``factory_id_is_new``: a servo that replies as the factory's id now is new, because none did at the start.
    """

    robot: Robot
    wanted: tuple[Servo, ...]
    settled: frozenset[int]
    factory_id_is_new: bool

    @property
    def missing(self) -> tuple[Servo, ...]:
        """Wanted servos that do not have their ids yet."""
        return tuple(servo for servo in self.wanted if servo.id not in self.settled)


def begin(robot: Robot, wanted: Sequence[Servo], snapshot: BusSnapshot) -> SetupState:
    """Start a setup, or continue one that was ended earlier."""
    ordered = tuple(sorted(wanted, key=lambda servo: servo.id == FACTORY_ID))
    unused = FACTORY_ID not in snapshot.ids | snapshot.shared
    return updated(SetupState(robot, ordered, frozenset(), unused), snapshot)


def updated(state: SetupState, snapshot: BusSnapshot) -> SetupState:
    """Return the state after a look at the bus: a servo that replies under an id of the robot has its id.

    Id 1 is an exception: it proves nothing while other servos are missing, and it is not settled while no servo, or
    more than one, replies as 1.
    """
    here = frozenset(state.robot.ids.tolist()) & snapshot.ids
    settled = state.settled | (here - {FACTORY_ID})
    if all(servo.id in settled or servo.id == FACTORY_ID for servo in state.wanted):
        settled |= here
    return replace(state, settled=settled if FACTORY_ID in snapshot.ids else settled - {FACTORY_ID})


def settle(state: SetupState, servo_id: int, old_id: int) -> SetupState:
    """Return the state after the servo that replied as ``old_id`` has its own id: written, or confirmed as it was."""
    factory_id_is_new = state.factory_id_is_new if old_id != FACTORY_ID else servo_id != FACTORY_ID
    return replace(state, settled=state.settled | {servo_id}, factory_id_is_new=factory_id_is_new)


def next_step(state: SetupState, snapshot: BusSnapshot) -> Step:
    """Return what to do, given the latest look at the bus."""
    names = {servo.id: servo.name for servo in state.robot.servos}
    if snapshot.shared:
        return Refuse(_shared_id_fault(min(snapshot.shared), state, names))
    unassigned = sorted(snapshot.ids - names.keys() | (snapshot.ids & {FACTORY_ID} - state.settled))
    if not state.missing:
        return Finished(tuple(sorted(snapshot.ids - names.keys())))
    if len(unassigned) > 1:
        return Refuse(
            f"{len(unassigned)} servos without an id of this robot reply, as {', '.join(map(str, unassigned))}, and "
            "cannot be told apart; unplug all of them but one"
        )
    if not unassigned:
        return Connect(state.missing[0])
    doubtful = unassigned == [FACTORY_ID] and FACTORY_ID in names and not state.factory_id_is_new
    return Assign(state.missing[0], unassigned[0], doubtful)


def _shared_id_fault(servo_id: int, state: SetupState, names: dict[int, str]) -> str:
    text = f"several servos reply as {servo_id}, or one servo does and is garbled; unplug all of them but one"
    if servo_id == FACTORY_ID and FACTORY_ID in names and not state.factory_id_is_new:
        text += f" ({names[FACTORY_ID]} has that id permanently; leave the new servo plugged in)"
    return text
