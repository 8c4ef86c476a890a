"""The servos of one robot on one line: write all goals, read all states, switch torque.

Connecting never moves the robot and nothing here writes EEPROM. A lost reply costs only its servo: its last
known values stay, marked as not fresh, with their age. A servo that stays silent is asked alone, now and
then (see ``poll_schedule``), so that it costs the others nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from rena_ros.bus import torque
from rena_ros.bus.line import SLOWEST_RETURN_DELAY_S, Line, LineCounters
from rena_ros.bus.poll_schedule import PollSchedule
from rena_ros.bus.port import Port, SerialPort
from rena_ros.bus.protocol import to_word
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.replies import Replies
from rena_ros.bus.state_block import (
    MOTION_ADDRESS,
    MOTION_BYTES,
    STATE_ADDRESS,
    STATE_BYTES,
    decode_motion,
    decode_state,
)
from rena_ros.bus.states import BusState, HealthState, ServoErrors
from rena_ros.robot.model import Robot

_GOAL = REGISTERS["goal_position"].address
_GOAL_SPEED = REGISTERS["goal_speed"].address
_TORQUE = REGISTERS["torque_enable"].address
_RETURN_DELAY = REGISTERS["return_delay"].address
_TORQUE_TO_SPEED_BYTES = _GOAL_SPEED + 2 - _TORQUE
_RETURN_DELAY_S = 2e-6  # one count of the register
_FEW = 3
_PATIENTLY = 16  # every so many questions to silent servos wait as long as any other, should they be slower than all


@dataclass
class BusCounters(LineCounters):
    """What has happened on the bus since it was opened: the line's counters and these."""

    sync_writes: int = 0
    reads: int = 0
    stale_readings: int = 0
    cycle_s: float = 0.0  # how long the last read of all states took


class Bus:
    """The servos of one robot on one port. Raises RenaError when the port cannot be opened (see ``Port``),
    and PortLost from every method once it has vanished.
    """

    def __init__(
        self, port: str | Port, robot: Robot, baud: int = 1_000_000, *, margin_s: float = 0.012, retries: int = 2
    ) -> None:
        """``port``: its path, or an open port. ``margin_s`` and ``retries`` as in ``Line``; sending a read of
        all states again is left to the next cycle.
        """
        count = len(robot.names)
        self.robot = robot
        self.counters = BusCounters()
        self.errors = ServoErrors(*(np.zeros(count, int) for _ in range(3)))
        self._retries = retries
        self._ids = tuple(int(servo_id) for servo_id in robot.ids)
        self._return_delays_s = np.full(count, SLOWEST_RETURN_DELAY_S)
        self._delay_known = np.zeros(count, bool)
        self._roll_call, self._probes = PollSchedule(count), 0
        self._data = np.zeros((count, STATE_BYTES), np.uint8)
        self._status = np.zeros(count, np.uint8)
        self._seen_s = np.full(count, -np.inf)
        port = SerialPort(port, baud) if isinstance(port, str) else port
        self.line = Line(port, retries=retries, margin_s=margin_s, counters=self.counters)

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the servos that have not answered for so long that they are asked at a slower pace."""
        return tuple(self.robot.names[i] for i in np.flatnonzero(self._roll_call.silent))

    def write_goals(self, ticks: np.ndarray, selected: np.ndarray | None = None) -> float:
        """Send goal positions, int (n,), in one SYNC_WRITE, to all servos or only to those in ``selected``, bool (n,).

        Position only: time and speed registers keep what ``set_torque`` wrote, which makes the frame 83
        bytes instead of 183 for 25 servos. Returns the time of its last byte on the wire (now, for nobody).
        Raises ValueError, naming servo and value, when a goal lies outside the robot's limits.
        """
        ticks = np.asarray(ticks)
        if ticks.shape != (len(self._ids),) or not np.issubdtype(ticks.dtype, np.integer):
            raise ValueError(f"expected {len(self._ids)} integer ticks, got {ticks.dtype} {ticks.shape}")
        outside = (ticks < self.robot.min_ticks) | (ticks > self.robot.max_ticks)
        if outside.any():
            servo = self.robot.servos[int(np.argmax(outside))]
            value = ticks[np.argmax(outside)]
            raise ValueError(f"{servo.name}: goal {value} ticks is outside {servo.min_ticks}..{servo.max_ticks}")
        ids, rows = self._ids, ticks.astype("<u2").view(np.uint8).reshape(-1, 2)
        if selected is not None and not selected.all():
            if not selected.any():
                return self.line.port.now()
            ids, rows = tuple(np.array(ids)[selected].tolist()), rows[selected]
        self.counters.sync_writes += 1
        return self.line.sync_write(ids, _GOAL, rows)

    def read_state(self) -> BusState:
        """Ask the servos for position, speed, load, voltage and temperature in one SYNC_READ."""
        port = self.line.port
        start_s = port.now()
        fresh = np.zeros(len(self._ids), bool)
        asked = self._roll_call.together(start_s)
        if asked.size:
            replies = self._sync_read(asked, STATE_ADDRESS, STATE_BYTES)
            self._take(asked, replies)
            fresh[asked] = replies.fresh
        if (place := self._roll_call.alone(port.now())) is not None:
            fresh[place] = self._probe(place)
        now_s = port.now()
        self._seen_s[fresh] = now_s
        self.counters.reads += 1
        self.counters.stale_readings += int(len(fresh) - fresh.sum())
        self.counters.cycle_s = now_s - start_s
        state = decode_state(self._data)
        return BusState(
            ticks=state.ticks,
            fresh=fresh,
            speed=state.speed,
            load=state.load,
            voltage_v=state.voltage_v,
            temperature_c=state.temperature_c,
            status=self._status.copy(),
            seen_s=self._seen_s.copy(),
            stamp_s=now_s,
        )

    def read_health(self) -> HealthState:
        """Ask the servos that answer at all for torque, current and whether they move, in two SYNC_READs, and those
        whose answers are missing once more.
        """
        asked = np.flatnonzero(~self._roll_call.silent)
        torque, known = self._read(asked, _TORQUE, _TORQUE_TO_SPEED_BYTES)
        data, fresh = self._read(asked, MOTION_ADDRESS, MOTION_BYTES)
        on = np.where(known, torque[:, 0], -1).astype(np.int8)
        lost_speed_limit = known & ~torque[:, -2:].any(axis=1)
        motion = decode_motion(data)
        return HealthState(on, lost_speed_limit, motion.current_a, motion.moving, fresh)

    def set_torque(self, on: bool, names: Collection[str] | None = None) -> dict[str, str]:
        """Switch torque of all servos, or of those named; returns why it failed, by servo name.

        On, one servo after the other, with little patience for those that are silent (meanwhile nobody can stop the
        robot): see ``torque.switch_on``; one that lies outside its limits is brought in slowly until
        ``set_speed_limits``. Off: all at once, then each that has not confirmed it on its own,
        whatever the others answer. Each torque register is read back; what it says counts.
        """
        names = self.robot.names if names is None else names
        places = np.array(sorted(self.robot.index[name] for name in names), int)
        servos = {i: self.robot.servos[i] for i in places.tolist()}
        if on:
            here = self._read(places, _TORQUE, 1)[1]
            failures = {i: torque.switch_on(self.line, servos[i], brief=not here[i]) for i in servos}
        else:
            confirmed = self._all_off(places)
            silent, left = self._roll_call.silent, [i for i in servos if i not in confirmed]
            short = silent | (len(left) > _FEW)  # who waits for a stop does not wait for two dozen dead servos
            failures = {
                i: torque.switch(
                    self.line, servos[i].id, False, margin_s=self.line.short_margin_s if short[i] else None
                )
                for i in left
            }
        return {self.robot.names[i]: why for i, why in failures.items() if why}

    def set_speed_limits(self) -> float:
        """Give every servo its own speed limit (again), in one SYNC_WRITE; returns the time of its last byte."""
        speeds = b"".join(to_word(torque.goal_speed(servo)) for servo in self.robot.servos)
        return self.line.sync_write(self._ids, _GOAL_SPEED, np.frombuffer(speeds, np.uint8).reshape(-1, 2))

    def read_return_delays(self) -> dict[str, int]:
        """Learn the servos' return delays, from which deadlines are made; returns them in microseconds by name.

        Servos that do not answer are missing from the result and keep being granted the factory's 500 us.
        """
        self._delay_known[:] = False
        for attempt in range(self._retries + 1):
            self.counters.retries += attempt > 0
            unknown = np.flatnonzero(~self._delay_known)
            replies = self._sync_read(unknown, _RETURN_DELAY, 1)
            known = unknown[replies.fresh]
            self._return_delays_s[known] = replies.data[replies.fresh, 0] * _RETURN_DELAY_S
            self._delay_known[known] = True
            if self._delay_known.all():
                break
        return {self.robot.names[i]: round(self._return_delays_s[i] * 1e6) for i in np.flatnonzero(self._delay_known)}

    def close(self) -> None:
        """Give the port back. Does not touch torque."""
        self.line.close()

    def _sync_read(self, asked: np.ndarray, address: int, size: int) -> Replies:
        ids = self._ids if len(asked) == len(self._ids) else tuple(self._ids[i] for i in asked)
        return self.line.sync_read(ids, address, size, self._return_delays_s[asked])

    def _read(self, asked: np.ndarray, address: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Ask these places for registers, those whose answers are missing once more; uint8 (n, size), and who
        answered, bool (n,).
        """
        data, fresh = np.zeros((len(self._ids), size), np.uint8), np.zeros(len(self._ids), bool)
        for again in range(1 + (self._retries > 0)):
            left = asked[~fresh[asked]]
            if not left.size:
                break
            self.counters.retries += again
            replies = self._sync_read(left, address, size)
            data[left[replies.fresh]], fresh[left] = replies.data[replies.fresh], replies.fresh
        return data, fresh

    def _take(self, asked: np.ndarray, replies: Replies) -> None:
        """Note what a read of all states brought, and what it lacked."""
        if replies.fresh.all():
            self._data[asked], self._status[asked] = replies.data, replies.status
        else:
            fresh = asked[replies.fresh]
            self._data[fresh], self._status[fresh] = replies.data[replies.fresh], replies.status[replies.fresh]
            self.errors.missed[asked] += ~replies.came & replies.asked
            self.errors.rejected[asked] += replies.rejected
            self.errors.corrupt[asked] += replies.garbled
        self._roll_call.heard(asked[replies.asked], (replies.fresh | replies.rejected)[replies.asked])

    def _probe(self, place: int) -> bool:
        """Ask one silent servo alone, mostly with little patience; whether it is back."""
        self._probes += 1
        patience = {"retries": 0, "margin_s": self.line.short_margin_s if self._probes % _PATIENTLY else None}
        servo_id = self._ids[place]
        answer = self.line.read(servo_id, STATE_ADDRESS, STATE_BYTES, **patience)
        if answer is None:
            self.errors.missed[place] += 1
            return False
        self._data[place], self._status[place] = np.frombuffer(answer.params, np.uint8), answer.code
        self._roll_call.back(place)
        if not self._delay_known[place] and (delay := self.line.read(servo_id, _RETURN_DELAY, 1, **patience)):
            self._return_delays_s[place] = delay.params[0] * _RETURN_DELAY_S
            self._delay_known[place] = True
        return True

    def _all_off(self, places: np.ndarray) -> set[int]:
        """Switch torque off with one frame; who confirms it."""
        ids = tuple(self._ids[i] for i in places)
        if not ids:
            return set()
        self.line.sync_write(ids, _TORQUE, np.zeros((len(ids), 1), np.uint8))
        data, fresh = self._read(places, _TORQUE, 1)
        return set(np.flatnonzero(fresh & (data[:, 0] == 0)).tolist())
