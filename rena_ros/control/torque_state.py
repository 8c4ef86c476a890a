"""The torque of every servo: what was commanded, what its register says, and whether it may be given goals.

A servo is *driven* (its goals go over the wire) only after its torque was switched on and read back, from a position
that was read afterwards. It is no longer driven when it has been silent for ``BLIND_S`` (it may have lost its power,
and with it everything that was written to it) or when its register says that its torque is off. After a silence it is
driven again from where it stands, provided that its torque is still on. A servo whose torque went off keeps
it off (free to be turned by hand) until torque is switched on again.
"""

from collections.abc import Collection

import numpy as np

from rena_ros.base.arrays import BoolArray, IntArray
from rena_ros.bus.bus import Bus
from rena_ros.bus.registers import Status
from rena_ros.bus.states import BusState, HealthState
from rena_ros.robot.model import Robot

BLIND_S = 0.5  # a servo that has been silent for this long gets no more goals
RECENT_S = 0.25  # a servo whose torque is on is still where it was this long ago
_MAX_UNREAD = 3  # failed reads in a row after which the torque register counts as unknown
_READS = 3  # reads of the positions of servos that were just switched on


class TorqueState:
    """Torque of every servo; arrays (n,) in the order of ``Robot.names``.

    ``commanded`` int8: the torque that was last written, 1 on, 0 off, -1 none yet.
    ``register`` int8: what the torque register last said, 1 on, 0 off, -1 unknown; other values are modes that this
    program never writes.
    ``lost_speed_limit`` bool: torque is on, but the speed limit is gone: the servo lost its power for a moment, and
    the next goal switched its torque on again (some servos do that).
    ``silent`` bool: the servo was driven until it fell silent.
    ``refusals``: why the last switching failed, by servo name.
    """

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        count = len(robot.names)
        self.commanded: IntArray = np.full(count, -1, np.int8)
        self.register: IntArray = np.full(count, -1, np.int8)
        self.silent = np.zeros(count, bool)
        self.lost_speed_limit = np.zeros(count, bool)
        self.refusals: dict[str, str] = {}
        self._failed_reads = np.zeros(count, int)
        self._switched_on = np.zeros(count, bool)  # driven, or driven until its silence

    @property
    def driven(self) -> BoolArray:
        """Which servos may be given goals, bool (n,)."""
        return np.logical_and(self._switched_on, ~self.silent)

    @property
    def unread(self) -> BoolArray:
        """Which torque registers could not be read ``_MAX_UNREAD`` times in a row, bool (n,)."""
        return np.greater_equal(self._failed_reads, _MAX_UNREAD)

    @property
    def lost(self) -> BoolArray:
        """Which servos have torque off although it was switched on, bool (n,)."""
        return np.logical_and(self.register >= 0, (self.commanded == 1) & (self.register != 1))

    @property
    def refusing(self) -> BoolArray:
        """Which servos have torque on although it was switched off, bool (n,)."""
        return np.logical_and(self.commanded == 0, self.register > 0)

    @property
    def left_on(self) -> BoolArray:
        """Which servos had torque on before anything was commanded, bool (n,)."""
        return np.logical_and(self.commanded == -1, self.register > 0)

    def switch_on(self, bus: Bus) -> tuple[BoolArray, BusState]:
        """Switch on every servo that is not driven, at its present position.

        Returns which servos are newly driven, bool (n,), and a state that holds their positions. Failures are in
        ``refusals``. Raises PortLost.
        """
        wanted = ~self.driven
        failures = self._switch(bus, True, wanted)
        on = wanted & ~self._mask(failures)
        self.commanded[wanted] = 1
        self.register[on] = 1
        self.lost_speed_limit[on] = False
        located = np.zeros(len(on), bool)
        for _ in range(_READS):
            state = bus.read_state()
            located |= state.position_known
            if located[on].all():
                break
        for name in self._names(on & ~located):
            failures[name] = "its position could not be read after its torque went on"
        self.refusals = failures
        newly_driven = on & located
        self._switched_on |= newly_driven
        self.silent &= self._switched_on & ~newly_driven
        return newly_driven, state

    def switch_off(self, bus: Bus) -> dict[str, str]:
        """Switch off every servo, each whatever the others reply; return failures by servo name. Raises PortLost."""
        self._switched_on[:] = False
        self.silent[:] = False
        self.commanded[:] = 0
        self.refusals = self._switch(bus, False, np.ones(len(self.commanded), bool))
        self.register = np.where(self._mask(self.refusals), -1, 0).astype(np.int8)
        return self.refusals

    def abandon_switch_on(self) -> None:
        """Command torque off where switching on failed: a servo that is found to be on after all is switched off."""
        self.commanded[:] = 0

    def retry_torque_off(self, bus: Bus) -> None:
        """Switch off the servos that are ``refusing`` or have ``lost_speed_limit``; raises PortLost."""
        selected = self.refusing | self.lost_speed_limit
        if selected.any():
            failures = self._switch(bus, False, selected)
            self.register[selected & ~self._mask(failures)] = 0
            self.lost_speed_limit &= self.register != 0
            others = {name: why for name, why in self.refusals.items() if not selected[self._robot.index[name]]}
            self.refusals = others | failures

    def update(self, health: HealthState) -> None:
        """Take over what the torque registers say.

        A servo whose torque is off, or that lost its speed limit, is no longer driven, even if its torque comes back.
        """
        known = health.torque >= 0
        self._failed_reads = np.where(known, 0, self._failed_reads + 1)
        self.register = np.where(known, health.torque, self.register)
        self.lost_speed_limit = (
            np.where(known, health.lost_speed_limit, self.lost_speed_limit)
            & (self.commanded == 1)
            & (self.register == 1)
        )
        self._switched_on &= (self.register == 1) & ~self.lost_speed_limit
        self.silent &= self._switched_on
        done = self.driven | ((self.commanded == 0) & (self.register == 0))
        self.refusals = {name: why for name, why in self.refusals.items() if not done[self._robot.index[name]]}

    def mark_silent(self, state: BusState) -> BoolArray:
        """Stop driving servos that have been silent for ``BLIND_S`` or do not know their position.

        Returns which servos those are, newly, bool (n,).
        """
        newly = self.driven & ((state.stamp_s - state.seen_s > BLIND_S) | (state.fresh & ~state.position_known))
        self.silent |= newly
        return newly

    def resume(self, health: HealthState, state: BusState) -> BoolArray:
        """Drive silent servos again that reply and kept their torque; return which, bool (n,).

        ``health`` must have been given to ``update``; ``state`` is the newest and holds their positions.
        """
        located = (state.age_s <= RECENT_S) & ~state.reports(Status.ENCODER)
        resumed = np.logical_and(self.silent, (health.torque == 1) & located)
        self.silent &= ~resumed
        return resumed

    def invalidate(self) -> None:
        """Drive no servo and take every register as unknown, because the port is gone."""
        self._switched_on[:] = False
        self.silent[:] = False
        self.register[:] = -1

    def _switch(self, bus: Bus, on: bool, selected: BoolArray) -> dict[str, str]:
        names = self._names(selected)
        failures = bus.set_torque(on, names) if names else {}
        if 0 < len(failures) < max(len(names) / 2, 2):
            # A busy computer can miss all replies of one servo. (Not when most are silent: leaving must be quick.)
            failures = bus.set_torque(on, list(failures))
        return failures

    def _mask(self, names: Collection[str]) -> BoolArray:
        return np.isin(self._robot.names, list(names))

    def _names(self, mask: BoolArray) -> list[str]:
        return [self._robot.names[i] for i in np.flatnonzero(mask)]
