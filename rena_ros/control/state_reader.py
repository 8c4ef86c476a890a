"""What the servos report: read in slices, between which commands may be written, and passed on to torque and motion.

A read that something else made worthless meanwhile (a lost port, a stop, torque that was switched) is dropped: its
half has no effect, and the newest complete read stays the newest.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from rena_ros.bus.bus import Bus
from rena_ros.bus.slices import SLICE_SERVOS, Slices
from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.motion import Motion
from rena_ros.control.torque_state import TorqueState
from rena_ros.robot.model import Robot

Result = TypeVar("Result")
LetIn = Callable[[], object]  # lets in what waits; called between two slices


def nothing() -> None:
    """Let nothing in."""


class StateReader:
    """Reads states and torque registers of one robot's servos, one read at a time.

    ``state``: the newest complete read; None before the first one since ``forget``.
    """

    def __init__(self, robot: Robot, torque_state: TorqueState, motion: Motion) -> None:
        self.state: BusState | None = None
        self._robot, self._torque_state, self._motion = robot, torque_state, motion
        self._positions = np.zeros(len(robot.names))  # last known ones, rad
        self._work: object = None  # the read in progress

    def forget(self) -> None:
        """Drop the read in progress, and forget the newest one: the port was opened anew."""
        self.state = None
        self.drop()

    def drop(self) -> None:
        """Drop the read in progress, if any."""
        self._work = None

    def run(self, work: Slices[Result], let_in: LetIn) -> Result | None:
        """Run one of the reads below, call ``let_in`` between its slices; return its result, None if it was dropped.

        Raises what the read raises (PortLost), and what ``let_in`` does.
        """
        self._work = work
        while self._work is work:
            try:
                next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            let_in()
        return None

    def read(self, bus: Bus) -> Slices[BusState]:
        """Read the state of all servos; hold the joints of those that have just fallen silent."""
        self.state = state = yield from bus.state_slices(SLICE_SERVOS)
        known = state.position_known
        self._positions[known] = self._robot.from_ticks(state.ticks)[known]
        pulling = self._torque_state.driven | self._torque_state.silent  # a horn without torque does not pull
        self._motion.observe(self._positions, pulling)
        if (silent := self._torque_state.mark_silent(state)).any():
            self._motion.hold(silent, state.stamp_s)
        return state

    def check_torque(self, bus: Bus, now_s: float, torque: bool) -> Slices[HealthState]:
        """Read the torque registers; drive servos again that were silent and kept their torque, from where they stand.

        ``torque``: whether the robot has torque; otherwise silent servos are not looked for.
        """
        health = yield from bus.health_slices(SLICE_SERVOS)
        silent_before = self._torque_state.silent.copy()
        self._torque_state.update(health)
        if torque and self._torque_state.silent.any():
            yield
            yield from self.read(bus)
        if (state := self.state) is not None:
            # A servo that was silent and has no torque pulls no longer: its antagonists need not wait for it.
            no_longer_silent = silent_before & ~self._torque_state.silent
            placed = self._torque_state.resume(health, state) | no_longer_silent
            if placed.any():
                self._motion.place(placed, self._robot.from_ticks(state.ticks), max(now_s, state.stamp_s))
        return health
