"""The servos of one robot on one line: write all goals, read all states, switch torque.

Connecting never moves the robot, and nothing here writes EEPROM. A lost reply affects only its servo: its last known
values stay, marked as not fresh, with their age. A silent servo is polled singly, now and then (see
``poll_schedule``), so that it delays the others little.
"""

from collections.abc import Collection

import numpy as np

from rena_ros.base.arrays import BoolArray, ByteArray, IntArray
from rena_ros.bus import states, torque
from rena_ros.bus.line import FACTORY_RETURN_DELAY_S, Line
from rena_ros.bus.poll_schedule import PollSchedule
from rena_ros.bus.port import Port, SerialPort
from rena_ros.bus.protocol import to_word
from rena_ros.bus.registers import REGISTERS, RETURN_DELAY_COUNT_S
from rena_ros.bus.replies import Replies, no_replies
from rena_ros.bus.slices import Slices, complete
from rena_ros.bus.states import BusState, HealthState, ServoErrors
from rena_ros.robot.model import Robot

_GOAL = REGISTERS["goal_position"].address
_GOAL_SPEED = REGISTERS["goal_speed"].address
_TORQUE = REGISTERS["torque_enable"].address
_RETURN_DELAY = REGISTERS["return_delay"].address
_TORQUE_BLOCK_BYTES = _GOAL_SPEED + 2 - _TORQUE  # torque_enable to goal_speed
_MOST_WITH_FULL_MARGIN = 3  # when more servos do not confirm torque off, each gets a short margin
_FULL_MARGIN_EVERY = 16  # one in this many single polls has the full margin, for a servo slower than all others


class Bus:
    """The servos of one robot on one port; arrays are (n,) in the order of ``Robot.names``.

    Raises RenaError when the port cannot be opened (see ``SerialPort``); methods that use the wire raise PortLost
    once the port has vanished.
    """

    def __init__(
        self, port: str | Port, robot: Robot, baud: int = 1_000_000, *, margin_s: float = 0.012, retries: int = 2
    ) -> None:
        """Open ``port``, a path, or use an open port; sends nothing.

        ``margin_s`` and ``retries`` as in ``Line``; a read of all states is not repeated, the next cycle reads again.
        """
        count = len(robot.names)
        self.robot = robot
        self.errors = ServoErrors(*np.zeros((3, count), int))
        self._retries = retries
        self._ids = tuple(int(servo_id) for servo_id in robot.ids)
        self._return_delays_s = np.full(count, FACTORY_RETURN_DELAY_S)
        self._delay_known = np.zeros(count, bool)
        self._schedule, self._single_polls = PollSchedule(count), 0
        self._data = np.zeros((count, states.STATE_BYTES), np.uint8)
        self._status = np.zeros(count, np.uint8)
        self._seen_s = np.full(count, -np.inf)
        port = SerialPort(port, baud) if isinstance(port, str) else port
        self.line = Line(port, retries=retries, margin_s=margin_s)
        self._last_byte_s = self.line.last_byte_s  # of the last replies to several servos' poll
        self.counters = self.line.counters

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the servos that have missed so many polls that they are polled more slowly."""
        return tuple(self.robot.names[i] for i in np.flatnonzero(self._schedule.silent))

    def write_goals(self, ticks: IntArray, selected: BoolArray | None = None) -> float:
        """Send goal positions, int (n,), in one SYNC_WRITE, to all servos or only to those ``selected``, bool (n,).

        Sends positions only, 2 bytes a servo: the time and speed registers keep what ``set_torque`` wrote, so the frame
        is 83 instead of 183 bytes long for 25 servos. Returns the time of its last byte on the wire, or now when
        no servo is selected. Raises ValueError, naming servo and value, when a goal lies outside the robot's limits.
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
        """Read position, speed, load, voltage and temperature of the servos in one SYNC_READ.

        At most one silent servo is polled singly afterwards.
        """
        return complete(self.state_slices(len(self._ids)))

    def state_slices(self, servos: int) -> Slices[BusState]:
        """Read the states as ``read_state`` does, but of at most ``servos`` servos with one SYNC_READ (see ``slices``).

        For the poll schedule, all these requests are one group poll.
        """
        port = self.line.port
        start_s = asked_s = last_byte_s = port.now()
        fresh = np.zeros(len(self._ids), bool)
        group = self._schedule.next_group(start_s)
        if group.size:
            replies = yield from self._poll(group, states.STATE_ADDRESS, states.STATE_BYTES, servos)
            self._record_replies(group, replies)
            fresh[group] = replies.fresh
            last_byte_s = self._last_byte_s
        single_s = port.now()
        if (single := self._schedule.next_single(single_s)) is not None:
            if servos < len(self._ids):
                yield
                single_s = port.now()
            alone, fresh[single] = not fresh.any(), self._poll_single(single)
            if alone:
                asked_s, last_byte_s = single_s, self.line.last_byte_s
        now_s = port.now()
        self._seen_s[fresh] = now_s
        self.counters.reads += 1
        self.counters.stale_readings += int(len(fresh) - fresh.sum())
        self.counters.cycle_s = now_s - start_s
        values = vars(states.decode_state(self._data))
        values |= {"fresh": fresh, "status": self._status.copy(), "seen_s": self._seen_s.copy()}
        return BusState(**values, stamp_s=now_s, middle_s=(asked_s + last_byte_s) / 2)

    def read_health(self) -> HealthState:
        """Read torque, speed limit, current and motion of the servos that are not silent, in two SYNC_READs.

        Missing replies are requested once more.
        """
        return complete(self.health_slices(len(self._ids)))

    def health_slices(self, servos: int) -> Slices[HealthState]:
        """Read what ``read_health`` reads, but of at most ``servos`` servos with one SYNC_READ (see ``slices``)."""
        polled = np.flatnonzero(~self._schedule.silent)
        torque_block, known = yield from self._read_slices(polled, _TORQUE, _TORQUE_BLOCK_BYTES, servos)
        yield
        motion_block, fresh = yield from self._read_slices(polled, states.MOTION_ADDRESS, states.MOTION_BYTES, servos)
        held = np.where(known, torque_block[:, 0], -1).astype(np.int8)
        lost = known & ~torque_block[:, -2:].any(axis=1)
        return HealthState(**vars(states.decode_motion(motion_block)), torque=held, lost_speed_limit=lost, fresh=fresh)

    def set_torque(self, on: bool, names: Collection[str] | None = None) -> dict[str, str]:
        """Switch torque of all servos, or of those in ``names``; returns why it failed, by servo name.

        On: one servo after the other, each without motion (see ``torque.switch_on``), except that a servo outside its
        limits moves slowly to the nearer one; call ``set_speed_limits`` afterwards to restore its speed. A servo that
        does not reply at first gets one try with a short margin, because the robot cannot be stopped meanwhile.

        Off: all servos with one frame, then singly each one that has not confirmed it, also after others have failed.
        In both cases success is judged by reading each torque register back.
        """
        names = self.robot.names if names is None else names
        indices = np.array(sorted(self.robot.index[name] for name in names), int)
        failures = self._switch_on(indices) if on else self._switch_off(indices)
        return {self.robot.names[i]: why for i, why in failures.items() if why}

    def set_speed_limits(self) -> float:
        """Write every servo's own speed limit (again) in one SYNC_WRITE; returns the time as ``write_goals`` does."""
        speeds = b"".join(to_word(torque.goal_speed(servo)) for servo in self.robot.servos)
        return self.line.sync_write(self._ids, _GOAL_SPEED, np.frombuffer(speeds, np.uint8).reshape(-1, 2))

    def read_return_delays(self) -> dict[str, int]:
        """Read the servos' return delays, from which deadlines are computed; returns them in microseconds by name.

        Servos that do not reply are not in the result and keep the last known value, at first the factory's 500 us.
        """
        counts, known = self._read(np.arange(len(self._ids)), _RETURN_DELAY, 1, self._retries)
        self._return_delays_s[known] = counts[known, 0] * RETURN_DELAY_COUNT_S
        self._delay_known = known
        return {self.robot.names[i]: round(self._return_delays_s[i] * 1e6) for i in np.flatnonzero(known)}

    def close(self) -> None:
        """Release the port. Does not touch torque."""
        self.line.close()

    def _sync_read(self, indices: IntArray, address: int, size: int) -> Replies:
        ids = self._ids if len(indices) == len(self._ids) else tuple(self._ids[i] for i in indices)
        return self.line.sync_read(ids, address, size, self._return_delays_s[indices])

    def _poll(self, indices: IntArray, address: int, size: int, servos: int) -> Slices[Replies]:
        """Read registers of some servos, of at most ``servos`` of them with one request; returns the replies of all."""
        replies, at = no_replies(len(indices), size, polled=False), 0
        while at < len(indices):
            if at:
                yield
            part = np.arange(at, min(at + servos, len(indices)))
            answers = self._sync_read(indices[part], address, size)
            if answers.arrived.any() or not at:
                self._last_byte_s = self.line.last_byte_s
            if len(part) == len(indices):
                return answers
            replies.put(part, answers)
            at += len(part)
            if not answers.arrived.any():
                servos = len(indices)  # a silent line: the deadline of one more request, not of each
        return replies

    def _read(self, indices: IntArray, address: int, size: int, retries: int = 1) -> tuple[ByteArray, BoolArray]:
        """Read registers of some servos; returns uint8 (n, size) and which servos have replied, bool (n,)."""
        return complete(self._read_slices(indices, address, size, len(self._ids), retries))

    def _read_slices(
        self, indices: IntArray, address: int, size: int, servos: int, retries: int = 1
    ) -> Slices[tuple[ByteArray, BoolArray]]:
        data, fresh = np.zeros((len(self._ids), size), np.uint8), np.zeros(len(self._ids), bool)
        for attempt in range(1 + min(retries, self._retries)):
            missing = indices[~fresh[indices]]
            if not missing.size:
                break
            if attempt:
                yield
                self.counters.retries += 1
            replies = yield from self._poll(missing, address, size, servos)
            data[missing[replies.fresh]], fresh[missing] = replies.data[replies.fresh], replies.fresh
        return data, fresh

    def _record_replies(self, group: IntArray, replies: Replies) -> None:
        """Record the states, errors and misses of a group poll."""
        fresh = group[replies.fresh]
        self._data[fresh], self._status[fresh] = replies.data[replies.fresh], replies.status[replies.fresh]
        self.errors.missed[group] += ~replies.arrived & replies.polled
        self.errors.rejected[group] += replies.rejected
        self.errors.corrupt[group] += replies.corrupt
        self._schedule.record_group(group[replies.polled], (replies.fresh | replies.rejected)[replies.polled])

    def _poll_single(self, index: int) -> bool:
        """Poll one silent servo, mostly with a short margin; returns whether a valid reply came."""
        self._single_polls += 1
        rejected_before = self.counters.rejected
        margin_s = self.line.short_margin_s if self._single_polls % _FULL_MARGIN_EVERY else None
        servo_id = self._ids[index]
        reply = self.line.read(servo_id, states.STATE_ADDRESS, states.STATE_BYTES, retries=0, margin_s=margin_s)
        if reply is None and self.counters.rejected > rejected_before:  # it is there, and its next poll may succeed
            self.errors.rejected[index] += 1
            self._schedule.record_single_reply(index)
            return False
        if reply is None:
            self.errors.missed[index] += 1
            return False
        self._data[index], self._status[index] = np.frombuffer(reply.params, np.uint8), reply.code
        self._schedule.record_single_reply(index)
        if not self._delay_known[index]:
            delay = self.line.read(servo_id, _RETURN_DELAY, 1, retries=0, margin_s=margin_s)
            if delay is not None:
                self._return_delays_s[index] = delay.params[0] * RETURN_DELAY_COUNT_S
                self._delay_known[index] = True
        return True

    def _switch_on(self, indices: IntArray) -> dict[int, str | None]:
        servos, replied = self.robot.servos, self._read(indices, _TORQUE, 1)[1]
        return {i: torque.switch_on(self.line, servos[i], probably_absent=not replied[i]) for i in indices.tolist()}

    def _switch_off(self, indices: IntArray) -> dict[int, str | None]:
        if ids := tuple(self._ids[i] for i in indices):
            self.line.sync_write(ids, _TORQUE, np.zeros((len(ids), 1), np.uint8))
        data, replied = self._read(indices, _TORQUE, 1)
        unconfirmed = [i for i in indices.tolist() if not replied[i] or data[i, 0]]
        # A stop must not wait long for many servos that do not reply.
        short, failures = self._schedule.silent | (len(unconfirmed) > _MOST_WITH_FULL_MARGIN), {}
        for i in unconfirmed:
            margin_s = self.line.short_margin_s if short[i] else None
            failures[i] = torque.switch(self.line, self._ids[i], False, margin_s)
        return failures
