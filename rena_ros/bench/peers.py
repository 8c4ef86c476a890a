"""The drivers that are compared, each behind the same two methods: ``cycle(ticks) -> CycleResult`` and ``close()``.

A cycle is what a control loop does: goals to all servos, then position, speed, load, voltage and temperature
(8 bytes from register 56 on) of all of them. Every driver gets goals as an int array (n,) in the order of
``Robot.names`` and hands positions back as one. None of them needs torque to be on.
"""

import importlib
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from rena_ros.base.errors import RenaError
from rena_ros.bus import protocol
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import SerialPort
from rena_ros.bus.protocol import OVERHEAD_BYTES, wire_time_s
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.state_block import STATE_ADDRESS, STATE_BYTES
from rena_ros.robot.model import Robot

GOAL = REGISTERS["goal_position"].address
SPEED = 1000  # ticks/s, sent along where goals are of six bytes
VENDOR = "feetech-servo-sdk"
HOW_TO_INSTALL = f"`pip install {VENDOR}==1.0.0` brings it (the test set does)"


@dataclass(frozen=True)
class CycleResult:
    """What a driver hands its caller after one cycle.

    ``ticks`` int (n,), a reading where ``offered`` bool (n,) says that there is a new one; ``success``: the
    driver reports that everything went well.
    """

    ticks: np.ndarray
    offered: np.ndarray
    success: bool


class Rena:
    """This project's driver as the servos node uses it: goals are positions only, 2 bytes a servo."""

    goal_bytes = 2

    def __init__(self, port: str, robot: Robot) -> None:
        self._bus = Bus(port, robot)
        self._bus.read_return_delays()

    def cycle(self, ticks: np.ndarray) -> CycleResult:
        """Goals out, states in."""
        self._bus.write_goals(ticks)
        state = self._bus.read_state()
        return CycleResult(state.ticks, state.fresh, bool(state.fresh.all()))

    def close(self) -> None:
        """Free the port."""
        self._bus.close()


class RenaSixBytes(Rena):
    """The same with goals of position, time and speed, as the vendor's examples send them."""

    goal_bytes = 6

    def __init__(self, port: str, robot: Robot) -> None:
        super().__init__(port, robot)
        self._line = self._bus.line
        self._ids = robot.ids.tolist()
        self._rows = np.tile(np.array((0, 0, SPEED), "<u2"), (len(self._ids), 1))

    def cycle(self, ticks: np.ndarray) -> CycleResult:
        """Goals out, states in."""
        self._rows[:, 0] = ticks
        self._line.sync_write(self._ids, GOAL, self._rows.view(np.uint8))
        state = self._bus.read_state()
        return CycleResult(state.ticks, state.fresh, bool(state.fresh.all()))


class Bare:
    """The least a client can do: two writes, one sleep, read until the last byte; nothing is checked.

    Not a driver: what it takes beyond the wire time is what the emulator and the operating system take.
    """

    goal_bytes = 6

    def __init__(self, port: str, robot: Robot) -> None:
        self._port = SerialPort(port, 1_000_000)
        self._ids = robot.ids.tolist()
        self._rows = np.tile(np.array((0, 0, SPEED), "<u2"), (len(self._ids), 1))
        self._request = protocol.sync_read(self._ids, STATE_ADDRESS, STATE_BYTES)
        self._size = len(self._ids) * (OVERHEAD_BYTES + STATE_BYTES)

    def cycle(self, ticks: np.ndarray) -> CycleResult:
        """Goals out, bytes in."""
        self._rows[:, 0] = ticks
        self._port.write(protocol.sync_write(self._ids, GOAL, self._rows.view(np.uint8)))
        expected_s = self._port.write(self._request) + wire_time_s(self._size, self._port.baud)
        received = self._port.read(expected_s, expected_s + 0.1, lambda received: len(received) >= self._size)
        whole = np.full(len(self._ids), len(received) == self._size)
        return CycleResult(ticks, whole, bool(whole[0]))

    def close(self) -> None:
        """Free the port."""
        self._port.close()


class Vendor:
    """feetech-servo-sdk as its own examples use it: one group to write, one to read.

    Its example asks ``isAvailable`` for each servo after a read, and prints the result without acting on it;
    so what ``isAvailable`` says is what it offers.
    """

    goal_bytes = 6

    def __init__(self, port: str, robot: Robot) -> None:
        sdk = vendor_sdk()
        self._ok = sdk.COMM_SUCCESS
        self._port = sdk.PortHandler(port)
        if not (self._port.openPort() and self._port.setBaudRate(1_000_000)):
            raise RenaError(f"{VENDOR} cannot open {port}")
        servos = sdk.PacketHandler(0)
        self._ids = robot.ids.tolist()
        self._write = sdk.GroupSyncWrite(self._port, servos, GOAL, 6)
        self._read = sdk.GroupSyncRead(self._port, servos, STATE_ADDRESS, STATE_BYTES)
        for servo_id, ticks in zip(self._ids, robot.neutral_ticks.tolist(), strict=True):
            self._write.addParam(servo_id, _goal(ticks))
            self._read.addParam(servo_id)

    def cycle(self, ticks: np.ndarray) -> CycleResult:
        """Goals out, states in. Raises whatever the SDK raises."""
        for servo_id, goal in zip(self._ids, ticks.tolist(), strict=True):
            self._write.changeParam(servo_id, _goal(goal))
        written = self._write.txPacket()
        read = self._read.txRxPacket()
        offered = [self._read.isAvailable(servo_id, STATE_ADDRESS, STATE_BYTES) for servo_id in self._ids]
        present = [self._read.getData(servo_id, STATE_ADDRESS, 2) for servo_id in self._ids]
        return CycleResult(np.array(present), np.array(offered), written == read == self._ok)

    def close(self) -> None:
        """Free the port."""
        self._port.closePort()


DRIVERS: dict[str, Callable[[str, Robot], Rena | Bare | Vendor]] = {
    "rena": RenaSixBytes,
    "rena-position": Rena,
    "vendor": Vendor,
    "bare": Bare,
}


def vendor_sdk():
    """The vendor's SDK as a module. Raises RenaError, saying how to install it, where it is not.

    Another package, ftservo-python-sdk, installs a module of the same name with another interface.
    """
    try:
        importlib.metadata.version(VENDOR)
        sdk = importlib.import_module("scservo_sdk")
    except ImportError as error:
        raise RenaError(f"{VENDOR} is not installed; {HOW_TO_INSTALL}") from error
    if not hasattr(sdk, "GroupSyncRead") or not hasattr(sdk, "PacketHandler"):
        raise RenaError(f"another package has overwritten {VENDOR}'s module scservo_sdk; {HOW_TO_INSTALL}")
    return sdk


def _goal(ticks: int) -> list[int]:
    """Position, time 0 and speed, little-endian."""
    return [ticks & 0xFF, ticks >> 8, 0, 0, SPEED & 0xFF, SPEED >> 8]


def installed(drivers: Sequence[str], console: Console) -> tuple[str, ...]:
    """Those of the drivers that are there; says why when the vendor's is not."""
    try:
        vendor_sdk()
    except RenaError as error:
        console.print(f"without a peer: {error}", style="yellow", highlight=False)
        return tuple(driver for driver in drivers if driver != "vendor")
    return tuple(drivers)
