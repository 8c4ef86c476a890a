"""Transactions with the servos on one port: write all goals, read all states, switch torque.

Connecting never moves the robot and nothing here writes EEPROM. Before each request the receive buffer is
emptied; a reply counts only with the right id, length and checksum and before a deadline made of the wire
time, the servos' own return delays and a margin. A lost reply costs only its servo: its last known values
stay, marked as not fresh.
"""

import time
from dataclasses import dataclass

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.port import Port
from rena_ros.bus.protocol import OVERHEAD_BYTES, Parser, from_words, to_word, wire_time_s
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.replies import Replies, ends_with_reply, is_reply, match_replies
from rena_ros.robot import RAD_PER_TICK, Robot

_GOAL = REGISTERS["goal_position"].address
_TORQUE = REGISTERS["torque_enable"].address
_ACCELERATION = REGISTERS["acceleration"].address
_STATE, _STATE_BYTES = REGISTERS["present_position"].address, 8
_RETURN_DELAY_S = 2e-6  # one count of the register
_SLOWEST_RETURN_DELAY_S = 250 * _RETURN_DELAY_S  # the factory's setting
# The servo's own speed limit while Rena streams goals to it: a backstop above the limit that the motion keeps.
_SPEED_HEADROOM = 1.2
_SILENT_AFTER = 3  # misses in a row


@dataclass(frozen=True)
class BusState:
    """What is known of every servo, arrays (n,) in the order of ``Robot.names``.

    ``fresh``: answered just now. Where it did not, the other arrays hold its last answer (zeros before
    the first). ``ticks`` int64, ``speed`` ticks/s, ``load`` fraction of full torque (signed), ``voltage_v``,
    ``temperature_c``, ``status`` bits as in registers.STATUS_BITS; ``seen_s``: time.monotonic() of each
    servo's last answer (-inf before the first); ``stamp_s``: time.monotonic() when this read ended.
    """

    ticks: np.ndarray
    fresh: np.ndarray
    speed: np.ndarray
    load: np.ndarray
    voltage_v: np.ndarray
    temperature_c: np.ndarray
    status: np.ndarray
    seen_s: np.ndarray
    stamp_s: float


@dataclass
class Counters:
    """What has happened on the bus since it was opened."""

    sync_writes: int = 0
    reads: int = 0
    stale_readings: int = 0
    reply_errors: int = 0
    retries: int = 0
    discarded_bytes: int = 0
    cycle_s: float = 0.0  # how long the last read of all states took


class Bus:
    """The servos of one robot on one port. Raises RenaError when the port cannot be opened (see ``Port``),
    and PortLost from every method once it has vanished."""

    def __init__(self, port: str, robot: Robot, baud: int = 1_000_000, *, margin_s: float = 0.012, retries: int = 2):
        """``margin_s``: patience beyond the computed end of an answer, for the operating system and USB;
        ``retries``: how often a single request is repeated. Sending all states' requests again is left to
        the next cycle."""
        self.robot = robot
        self.counters = Counters()
        self._margin_s = margin_s
        self._retries = retries
        self._ids = tuple(int(servo_id) for servo_id in robot.ids)
        self._return_delays_s = np.full(len(self._ids), _SLOWEST_RETURN_DELAY_S)
        self._misses = np.zeros(len(self._ids), int)
        self._data = np.zeros((len(self._ids), _STATE_BYTES), np.uint8)
        self._status = np.zeros(len(self._ids), np.uint8)
        self._seen_s = np.full(len(self._ids), -np.inf)
        self._port = Port(port, baud)

    def write_goals(self, ticks: np.ndarray) -> float:
        """Send all goal positions, int (n,), in one SYNC_WRITE.

        Position only: time and speed registers keep what ``set_torque`` wrote, which makes the frame 83
        bytes instead of 183 for 25 servos. Returns the time.monotonic() of its last byte on the wire.
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
        rows = ticks.astype("<u2").view(np.uint8).reshape(-1, 2)
        last_byte_s = self._port.write(protocol.sync_write(self._ids, _GOAL, rows))
        self.counters.sync_writes += 1
        return last_byte_s

    def read_state(self) -> BusState:
        """Ask all servos for position, speed, load, voltage and temperature in one SYNC_READ."""
        start_s = time.monotonic()
        replies = self._sync_read(_STATE, _STATE_BYTES)
        now_s = time.monotonic()
        fresh = replies.fresh
        self._data[fresh] = replies.data[fresh]
        self._status[fresh] = replies.status[fresh]
        self._seen_s[fresh] = now_s
        self.counters.reads += 1
        self.counters.stale_readings += int(len(fresh) - fresh.sum())
        self.counters.cycle_s = now_s - start_s
        data = self._data
        return BusState(
            ticks=from_words(data[:, 0:2], 15),
            fresh=fresh,
            speed=from_words(data[:, 2:4], 15),
            load=from_words(data[:, 4:6], 10) / 1000,
            voltage_v=data[:, 6] / 10,
            temperature_c=data[:, 7].astype(np.int64),
            status=self._status.copy(),
            seen_s=self._seen_s.copy(),
            stamp_s=now_s,
        )

    def set_torque(self, on: bool) -> dict[str, str]:
        """Switch every servo's torque, one servo after the other; returns why it failed, by servo name.

        On: each servo first gets its present position (brought inside its limits) as its goal and its speed
        limit, so that nothing moves. Off: every servo is tried on its own, whatever the others answer. Each
        torque register is read back; what it says counts.
        """
        failures = {}
        for servo in self.robot.servos:
            why = self._torque_on(servo) if on else self._switch(servo.id, False)
            if why:
                failures[servo.name] = why
        return failures

    def ping(self) -> dict[str, int | None]:
        """Ask every servo on its own which model it is: model number by name, None where nobody answered.

        A READ, not a PING: on an adapter that echoes, a PING looks like the answer of a servo with a
        voltage fault.
        """
        model = REGISTERS["model"].address
        answers = {s.name: self._request(protocol.read(s.id, model, 2), s.id, 2) for s in self.robot.servos}
        return {name: int.from_bytes(answer.params, "little") if answer else None for name, answer in answers.items()}

    def survey(self) -> dict[str, int]:
        """Learn the servos' return delays, from which deadlines are made; returns them in microseconds by name.

        Servos that do not answer are missing from the result and keep being granted the factory's 500 us.
        """
        size = REGISTERS["return_delay"].address - REGISTERS["model"].address + 1
        known = np.zeros(len(self._ids), bool)
        for attempt in range(self._retries + 1):
            self.counters.retries += attempt > 0
            replies = self._sync_read(REGISTERS["model"].address, size)
            self._return_delays_s[replies.fresh] = replies.data[replies.fresh, -1] * _RETURN_DELAY_S
            known |= replies.fresh
            if known.all():
                break
        return {self.robot.names[i]: round(self._return_delays_s[i] * 1e6) for i in np.flatnonzero(known)}

    def close(self) -> None:
        """Give the port back. Does not touch torque."""
        self._port.close()

    def _torque_on(self, servo) -> str | None:
        answer = self._request(protocol.read(servo.id, _STATE, 2), servo.id, 2)
        if answer is None:
            return "does not answer"
        present = int(from_words(np.frombuffer(answer.params, np.uint8), 15))
        goal = min(max(present, servo.min_ticks), servo.max_ticks)
        speed = round(servo.max_speed_rad_s * _SPEED_HEADROOM / RAD_PER_TICK)
        # From `acceleration` on: as fast as it can (the motion limits it), goal, no goal time, speed limit.
        prepared = bytes((0,)) + to_word(goal) + to_word(0) + to_word(min(max(speed, 1), 0x7FFF))
        if self._request(protocol.write(servo.id, _ACCELERATION, prepared), servo.id, 0) is None:
            return "did not take its present position as its goal"
        return self._switch(servo.id, True)

    def _switch(self, servo_id: int, on: bool) -> str | None:
        self._request(protocol.write(servo_id, _TORQUE, bytes((on,))), servo_id, 0)
        answer = self._request(protocol.read(servo_id, _TORQUE, 1), servo_id, 1)
        if answer is None:
            return "does not answer"
        if answer.params[0] != on:
            return f"refuses: its torque is still {'off' if on else 'on'} (status {answer.code})"
        return None

    def _request(self, request: bytes, servo_id: int, size: int) -> protocol.Packet | None:
        """One servo's answer, or None when it did not come in any of the tries."""
        for attempt in range(self._retries + 1):
            self.counters.retries += attempt > 0
            self.counters.discarded_bytes += self._port.empty()
            sent_s = self._port.write(request)
            expected_s = sent_s + wire_time_s(OVERHEAD_BYTES + size, self._port.baud)
            deadline_s = expected_s + _SLOWEST_RETURN_DELAY_S + self._margin_s

            def answers(received: bytes) -> list[protocol.Packet]:
                packets = Parser().feed(received)
                return [p for p in packets if is_reply(p, servo_id, size) and protocol.encode(p) != request]

            received = self._port.read(expected_s, deadline_s, lambda received: bool(answers(received)))
            if found := answers(received):
                return found[-1]
            self.counters.reply_errors += bool(received)
        return None

    def _sync_read(self, address: int, size: int) -> Replies:
        """Ask all servos at once. Those that have been silent lately are asked first: an answer of the last
        one then tells that nothing more will come, so that a dead servo costs the others no waiting."""
        order = np.argsort(self._misses < _SILENT_AFTER, kind="stable")
        ids = np.array(self._ids)[order]
        self.counters.discarded_bytes += self._port.empty()
        sent_s = self._port.write(protocol.sync_read(ids.tolist(), address, size))
        wire_s = wire_time_s(len(ids) * (OVERHEAD_BYTES + size), self._port.baud)
        expected_s = sent_s + wire_s + float(self._return_delays_s.sum())
        last = int(ids[-1])
        received = self._port.read(
            expected_s, expected_s + self._margin_s, lambda received: ends_with_reply(received, last, size)
        )
        asked = match_replies(received, ids, size)
        self.counters.reply_errors += asked.errors
        back = np.argsort(order)
        replies = Replies(asked.data[back], asked.status[back], asked.fresh[back], asked.errors)
        self._misses = np.where(replies.fresh, 0, self._misses + 1)
        return replies
