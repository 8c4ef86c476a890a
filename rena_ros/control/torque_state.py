"""Whose torque is on: what every servo was told, what its register says, and who may be given goals.

A servo is ``driven`` (its goals go over the wire) only after its torque was switched on and read back, from a
position that was read just then. It stops being driven when it has been silent for long (it may have lost its
power, and with it everything it was told) or when its register says that its torque is gone. After a silence it
is taken up again where it is, provided that its torque is still on; a servo whose torque is gone stays limp until
torque is switched on again.
"""

from collections.abc import Collection

import numpy as np

from rena_ros.bus.bus import Bus
from rena_ros.bus.registers import Status
from rena_ros.bus.states import BusState, HealthState
from rena_ros.robot.model import Robot

BLIND_S = 0.5  # a servo that has not been heard of for this long gets no more goals
RECENT_S = 0.25  # where a held servo was so lately, it still is
_UNREAD = 3  # times in a row that a torque register could not be read, after which nobody knows what it says
_READS = 3  # tries to learn where the servos are that were just switched on


class TorqueState:
    """Arrays (n,) in the order of ``Robot.names``.

    ``commanded`` int8: 1 on, 0 off, -1 nothing yet; ``register`` int8: what the torque register last said, -1 unknown
    (1 is on and 0 is off; others are modes that nobody here asks for);
    ``lost_speed_limit`` bool: torque is on without the speed limit that was written: the servo lost its power for a
    moment and the next goal switched its torque on again (some servos do that);
    ``silent`` bool: driven until its silence; ``refusals``: why the last switching failed, by servo name.
    """

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        count = len(robot.names)
        self.commanded = np.full(count, -1, np.int8)
        self.register = np.full(count, -1, np.int8)
        self.silent = np.zeros(count, bool)
        self.lost_speed_limit = np.zeros(count, bool)
        self.refusals: dict[str, str] = {}
        self._unread = np.zeros(count, int)
        self._taken = np.zeros(count, bool)

    @property
    def driven(self) -> np.ndarray:
        """Who may be given goals, bool (n,)."""
        return self._taken & ~self.silent

    @property
    def unread(self) -> np.ndarray:
        """Whose torque register has not been read for so long that what is known of it may be wrong, bool (n,)."""
        return self._unread >= _UNREAD

    @property
    def lost(self) -> np.ndarray:
        """Whose torque is off although it was switched on, bool (n,)."""
        return (self.commanded == 1) & (self.register >= 0) & (self.register != 1)

    @property
    def refusing(self) -> np.ndarray:
        """Whose torque is on although it was switched off, bool (n,)."""
        return (self.commanded == 0) & (self.register > 0)

    @property
    def left_on(self) -> np.ndarray:
        """Whose torque was on before anything was told, bool (n,)."""
        return (self.commanded == -1) & (self.register > 0)

    def switch_on(self, bus: Bus) -> tuple[np.ndarray, BusState]:
        """Take up everybody who is not driven, each from its present position.

        Returns who came to be driven by this, bool (n,), and a state in which their positions are. Failures are
        in ``refusals``.
        """
        wanted = ~self.driven
        failures = self._switch(bus, True, wanted)
        came_on = wanted & ~self._mask(failures)
        self.commanded[wanted] = 1
        self.register[came_on] = 1
        self.lost_speed_limit[came_on] = False
        state, known = bus.read_state(), np.zeros(len(wanted), bool)
        known |= state.position_known
        for _ in range(_READS - 1):
            if known[came_on].all():
                break
            state = bus.read_state()
            known |= state.position_known
        for name in self._names(came_on & ~known):
            failures[name] = "its position could not be read after its torque went on"
        self.refusals = failures
        self._taken |= came_on & known
        self.silent &= self._taken & ~(came_on & known)
        return came_on & known, state

    def switch_off(self, bus: Bus) -> dict[str, str]:
        """Everybody limp, whatever the others answer. Returns why it failed, by servo name."""
        self._taken[:] = False
        self.silent[:] = False
        self.commanded[:] = 0
        self.refusals = self._switch(bus, False, np.ones(len(self.commanded), bool))
        self.register = np.where(self._mask(self.refusals), -1, 0).astype(np.int8)
        return self.refusals

    def abandon_switch_on(self) -> None:
        """Nobody could be taken up: whoever's torque turns out to be on all the same is asked to switch off."""
        self.commanded[:] = 0

    def retry_torque_off(self, bus: Bus) -> None:
        """Ask those once more to switch off whose registers say that they have not, and those that are bare."""
        asked = self.refusing | self.lost_speed_limit
        if asked.any():
            failures = self._switch(bus, False, asked)
            self.register[asked & ~self._mask(failures)] = 0
            self.lost_speed_limit &= self.register != 0
            others = {name: why for name, why in self.refusals.items() if name not in self._names(asked)}
            self.refusals = others | failures

    def update(self, health: HealthState) -> None:
        """Learn what the torque registers say. Whose torque is gone is no longer driven, even if it comes back, nor is
        who is bare.
        """
        known = health.torque >= 0
        self._unread = np.where(known, 0, self._unread + 1)
        self.register = np.where(known, health.torque, self.register)
        self.lost_speed_limit = (
            np.where(known, health.lost_speed_limit, self.lost_speed_limit)
            & (self.commanded == 1)
            & (self.register == 1)
        )
        self._taken &= (self.register == 1) & ~self.lost_speed_limit
        self.silent &= self._taken
        done = self.driven | ((self.commanded == 0) & (self.register == 0))
        self.refusals = {name: why for name, why in self.refusals.items() if not done[self._robot.index[name]]}

    def mark_silent(self, state: BusState) -> np.ndarray:
        """Who has just been silent for too long, or lost its sense of where it is, to be driven on, bool (n,)."""
        newly = self.driven & ((state.stamp_s - state.seen_s > BLIND_S) | (state.fresh & ~state.position_known))
        self.silent |= newly
        return newly

    def resume(self, health: HealthState, state: BusState) -> np.ndarray:
        """Who answers again and kept its torque, and is therefore driven from now on, bool (n,).

        ``health`` must have been noted; ``state``: the newest, in which their positions are.
        """
        placed = (state.age_s <= RECENT_S) & ~state.reports(Status.ENCODER)
        back = self.silent & (health.torque == 1) & placed
        self.silent &= ~back
        return back

    def invalidate(self) -> None:
        """The port is gone: nobody is driven, nothing is known."""
        self._taken[:] = False
        self.silent[:] = False
        self.register[:] = -1

    def _switch(self, bus: Bus, on: bool, who: np.ndarray) -> dict[str, str]:
        names = self._names(who)
        failures = bus.set_torque(on, names) if names else {}
        if 0 < len(failures) < max(len(names) / 2, 2):
            # A busy computer can miss all answers of one servo. (Not when most are silent: leaving must be quick.)
            failures = bus.set_torque(on, list(failures))
        return failures

    def _mask(self, names: Collection[str]) -> np.ndarray:
        return np.isin(self._robot.names, list(names))

    def _names(self, mask: np.ndarray) -> list[str]:
        return [self._robot.names[i] for i in np.flatnonzero(mask)]
