"""The memory of emulated STS servos and the motion that writing to it causes. No I/O, no clock: virtual time.

Simplified: only position mode moves; load follows the speed roughly; voltage and temperature are constant unless a
fault changes them (``FaultConditions``). A stuck horn strains and trips its overload protection as the vendor's
register table says.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, ByteArray, IntArray
from rena_ros.bus.protocol import OVERHEAD_BYTES, from_words
from rena_ros.bus.registers import RAM_START, REGISTERS, TICKS_PER_TURN, Status
from rena_ros.emulator.fault_effects import FaultConditions, fault_conditions
from rena_ros.emulator.servo_motion import TrapezoidMotion
from rena_ros.robot.model import Robot

MAX_SPEED = 2900.0  # ticks/s, a servo without a load
MAX_ACCELERATION = 100_000.0  # ticks/s2 when register 41 is 0: assumed, full speed within 30 ms
MEMORY_BYTES = 128
_LOAD_AT_MAX_SPEED = 200  # 0.1 %
_STUCK_LOAD_PER_TICK = 10  # 0.1 %: assumed, full torque from 9 degrees off the goal on

_AT = {name: register.address for name, register in REGISTERS.items()}
_GOAL_START, _GOAL_END = _AT["goal_position"], _AT["goal_speed"] + 2
_READ_ONLY = np.ones(MEMORY_BYTES, bool)
for _register in REGISTERS.values():
    if _register.writable:
        _READ_ONLY[_register.address : _register.address + _register.size] = False


@dataclass
class WriteTally:
    """Counts of writes."""

    goal_writes: int = 0  # one goal for one servo each
    torque_on_writes: int = 0
    limit_violations: int = 0  # goals outside the robot file's limits, as sent: before the servo clamps them


class ServoRegisters:
    """Registers uint8 (n, 128) of n servos and the motion that they cause; servos are named by index."""

    def __init__(self, robot: Robot, motion: TrapezoidMotion, ids: IntArray, return_delay_us: int) -> None:
        """Start with torque off where ``motion`` begins; it moves the horns."""
        self.robot = robot
        self.tally = WriteTally()
        self.motion = motion
        self.settings_changed = True  # ids, baud codes or dead servos, since an index of them was made
        count = len(robot.servos)
        self.conditions = fault_conditions([], count)
        self._tripped = np.zeros(count, bool)  # overload protection tripped, until the next goal
        self._strained_s = np.zeros(count)
        self._factory = _factory_memory(ids, return_delay_us)
        self._eeprom = self._factory[:, :RAM_START].copy()
        self.memory = self._factory.copy()
        self.power_cycle(np.arange(count))

    def power_cycle(self, which: IntArray) -> None:
        """Switch servos (indices) off and on again: RAM as from the factory, EEPROM as saved, torque off."""
        self.memory[which] = self._factory[which]
        self.memory[which, :RAM_START] = self._eeprom[which]
        self.motion.stop(which)
        here = np.rint(self.motion.state()[0][which]).astype(int)
        self.memory[which, _GOAL_START : _GOAL_START + 2] = _words(here, 15)
        self._tripped[which], self._strained_s[which] = False, 0.0
        self.set_conditions(self.conditions)
        self.settings_changed = True

    def set_conditions(self, now: FaultConditions) -> None:
        """Apply the conditions of the active faults; a servo that is no longer held continues to its goal."""
        held_before = self._held
        self.conditions = now
        self.settings_changed = True
        memory = self.memory
        hot = np.where(now.temperature_c >= 0, now.temperature_c, REGISTERS["present_temperature"].default)
        memory[:, _AT["present_temperature"]] = hot
        volts = np.where(now.voltage >= 0, now.voltage, REGISTERS["present_voltage"].default)
        memory[:, _AT["present_voltage"]] = volts
        status = np.where(hot > memory[:, _AT["max_temperature"]], Status.TEMPERATURE, 0)
        status |= np.where(now.encoder, Status.ENCODER, 0)
        outside = (volts < memory[:, _AT["min_voltage"]]) | (volts > memory[:, _AT["max_voltage"]])
        status |= np.where(outside, Status.VOLTAGE, 0) | np.where(now.overload | self._tripped, Status.OVERLOAD, 0)
        memory[:, _AT["status"]] = status
        self.motion.stop(np.flatnonzero(self._held & ~held_before))
        self._start(np.flatnonzero(held_before & ~self._held))

    def advance(self, dt_s: float) -> None:
        """Let virtual time pass."""
        self.motion.advance(dt_s)
        if not self.conditions.stuck.any():
            return
        straining = self._strain() >= self.memory[:, _AT["overload_threshold"]].astype(int) * 10
        self._strained_s = np.where(straining, self._strained_s + dt_s, 0.0)
        tripped = straining & (self._strained_s >= self.memory[:, _AT["protection_time"]] * 0.01)
        if (tripped & ~self._tripped).any():
            self._tripped |= tripped
            self.set_conditions(self.conditions)

    def read(self, i: int, name: str) -> int:
        """Return one servo's register as an unsigned value."""
        return int.from_bytes(self.memory[i, _span(name)].tobytes(), "little")

    def set(self, i: int, name: str, value: int) -> None:
        """Set one servo's register to an unsigned value without a request; a read-only or locked one is set too.

        ``torque_enable`` takes effect as if written; what ``refresh`` updates keeps the value until the next read.
        """
        span = _span(name)
        data = np.frombuffer(value.to_bytes(REGISTERS[name].size, "little"), np.uint8)
        self.memory[i, span] = data
        if span.start < RAM_START:
            self._eeprom[i, span] = data
            self.settings_changed = True
        if name == "torque_enable":
            self._torque_written(i)

    def span(self, i: int, address: int, size: int) -> bytes:
        """Return one servo's bytes from ``address`` on; zeros beyond the end of its memory."""
        data = self.memory[i, address : address + size].tobytes()
        return data + bytes(size - len(data))

    def replies(self, which: IntArray, address: int, size: int) -> list[bytes]:
        """Return the reply frames of several servos (indices), as ``protocol.reply`` and ``span``, made all at once."""
        frames = np.zeros((len(which), size + OVERHEAD_BYTES), np.uint8)
        known = self.memory[which, address : address + size]
        frames[:, :2], frames[:, 2], frames[:, 3] = 0xFF, self.memory[which, _AT["id"]], size + 2
        frames[:, 4], frames[:, 5 : 5 + known.shape[1]] = self.memory[which, _AT["status"]], known
        frames[:, -1] = ~frames[:, 2:].sum(axis=1)
        return [frame.tobytes() for frame in frames]

    def store(self, i: int, address: int, data: bytes) -> None:
        """Write one servo's registers as a request does; read-only bytes stay, EEPROM is saved only while unlocked."""
        end = min(address + len(data), MEMORY_BYTES)
        if address >= end:
            return
        span = slice(address, end)
        new = np.frombuffer(data, np.uint8)[: end - address]
        kept = _READ_ONLY[span] | self._refused(i, address, new)
        self.memory[i, span] = np.where(kept, self.memory[i, span], new)
        if address < RAM_START and self.memory[i, _AT["lock"]] == 0:
            saved = slice(address, min(end, RAM_START))
            self._eeprom[i, saved] = self.memory[i, saved]
        if address < RAM_START:
            self.settings_changed = True
            self.set_conditions(self.conditions)
        if address < _GOAL_END and end > _GOAL_START:
            self._goals_written(np.array([i]))
        if address <= _AT["torque_enable"] < end:
            self._torque_written(i)

    def store_goals(self, which: IntArray, rows: ByteArray) -> None:
        """Write the goal position, and in longer rows time and speed, of several servos: uint8 (m, 2..6)."""
        self.memory[which, _GOAL_START : _GOAL_START + rows.shape[1]] = rows
        self._goals_written(which)

    def refresh(self) -> None:
        """Update the registers of present position, speed, load and moving."""
        positions, speeds = self.motion.state()
        here = np.rint(positions).astype(int)
        single_turn = self.memory[:, _AT["max_angle"] : _AT["max_angle"] + 2].any(axis=1)
        here = np.where(single_turn, here % TICKS_PER_TURN, here)
        load = np.rint(speeds / MAX_SPEED * _LOAD_AT_MAX_SPEED).astype(int)
        if self.conditions.stuck.any():
            load = np.where(self.conditions.stuck, self._strain(signed=True), load)
        present = np.hstack((_words(here, 15), _words(np.rint(speeds).astype(int), 15), _words(load, 10)))
        self.memory[:, _AT["present_position"] : _AT["present_position"] + 6] = present
        self.memory[:, _AT["moving"]] = self.motion.moving()

    @property
    def _held(self) -> BoolArray:
        """Which horns do not follow their goals, bool (n,)."""
        return self.conditions.stuck | self.conditions.overload | self._tripped

    def _strain(self, signed: bool = False) -> IntArray:
        """Return the load of stuck servos, 0.1 %, int (n,): proportional to the distance from the goal."""
        every = np.arange(len(self.memory))
        distance = self._word(every, "goal_position") - np.rint(self.motion.state()[0]).astype(int)
        most = np.where(self._tripped, self.memory[:, _AT["protective_torque"]] * 10, self._word(every, "torque_limit"))
        load = np.minimum(np.abs(distance) * _STUCK_LOAD_PER_TICK, most)
        load = np.where(self.conditions.stuck & (self.memory[:, _AT["torque_enable"]] == 1), load, 0)
        return load * np.sign(distance) if signed else load

    def _refused(self, i: int, address: int, new: ByteArray) -> BoolArray:
        """Return which bytes a fault refuses: locked EEPROM, and torque that is on while an overload is latched."""
        addresses = np.arange(address, address + len(new))
        refused = (addresses < RAM_START) & self.conditions.eeprom_locked[i]
        if self.conditions.overload[i] and self.read(i, "torque_enable") == 1:
            refused |= addresses == _AT["torque_enable"]
        return refused

    def _torque_written(self, i: int) -> None:
        value = self.read(i, "torque_enable")
        self.tally.torque_on_writes += value == 1
        one = np.array([i])
        if value == 1:
            self._start(one)
            return
        self.motion.stop(one)
        if value == 128:  # the vendor's "calibrate the middle": the servo counts from a new zero
            self.motion.place(one, np.array([TICKS_PER_TURN / 2]))
            self.memory[i, _AT["torque_enable"]] = 0

    def _goals_written(self, which: IntArray) -> None:
        """Count goals outside the robot's limits, clamp them to the servo's own limits, and start the motion."""
        goals = self._word(which, "goal_position")
        robot = self.robot
        outside = (goals < robot.min_ticks[which]) | (goals > robot.max_ticks[which])
        self.tally.goal_writes += len(which)
        self.tally.limit_violations += int(outside.sum())
        low, high = self._word(which, "min_angle"), self._word(which, "max_angle")
        multi_turn = (low == 0) & (high == 0)
        clamped = np.where(multi_turn, goals, np.minimum(np.maximum(goals, low), np.maximum(high, low)))
        if (clamped != goals).any():
            self.memory[which, _GOAL_START : _GOAL_START + 2] = _words(clamped, 15)
        if self._tripped[which].any():
            self._tripped[which], self._strained_s[which] = False, 0.0
            self.set_conditions(self.conditions)
        self._start(which)

    def _start(self, which: IntArray) -> None:
        """Move the servos that have torque on and are in position mode to their goals."""
        able = (self.memory[which, _AT["torque_enable"]] == 1) & (self.memory[which, _AT["mode"]] == 0)
        which = which[able & ~self._held[which]]
        if not which.size:
            return
        goals = self._word(which, "goal_position").astype(np.float64)
        distance = np.abs(goals - self.motion.state()[0][which])
        speed = np.abs(self._word(which, "goal_speed")).astype(np.float64)
        speed[speed == 0] = MAX_SPEED
        time_s = self._word(which, "goal_time") / 1000  # of a cruise over the whole distance
        speed = np.divide(distance, time_s, out=speed, where=time_s > 0)
        acceleration = self.memory[which, _AT["acceleration"]] * 100.0
        acceleration[acceleration == 0] = MAX_ACCELERATION
        self.motion.move(which, goals, np.minimum(np.maximum(speed, 1.0), MAX_SPEED), acceleration)

    def _word(self, which: IntArray, name: str) -> IntArray:
        at = _AT[name]
        return from_words(self.memory[which, at : at + 2], REGISTERS[name].sign_bit)


def _span(name: str) -> slice:
    """Return the place of a register in a servo's memory."""
    register = REGISTERS[name]
    return slice(register.address, register.address + register.size)


def _words(values: IntArray, sign_bit: int) -> ByteArray:
    """Integers (n,) -> little-endian sign-and-magnitude words, uint8 (n, 2)."""
    raw = np.abs(values) | np.where(values < 0, 1 << sign_bit, 0)
    return raw.astype("<u2").view(np.uint8).reshape(-1, 2)


def _factory_memory(ids: IntArray, return_delay_us: int) -> ByteArray:
    memory = np.zeros((len(ids), MEMORY_BYTES), np.uint8)
    for register in REGISTERS.values():
        value = register.default.to_bytes(register.size, "little")
        memory[:, register.address : register.address + register.size] = np.frombuffer(value, np.uint8)
    memory[:, _AT["id"]] = ids
    memory[:, _AT["return_delay"]] = min(return_delay_us // 2, 250)
    return memory
