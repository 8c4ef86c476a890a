"""The drivers that are compared, each with the same two methods: ``cycle(ticks) -> CycleResult`` and ``close()``.

A cycle is what a control loop does: goals to all servos, then position, speed, load, voltage and temperature
(8 bytes from register 56 on) of all of them. A driver takes goals as an int array (n,) of ticks in the order of
``Robot.names`` and returns positions as another. None needs torque on.
"""

import importlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from rich.console import Console

from rena_ros.base.arrays import BoolArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.bus import protocol
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import SerialPort
from rena_ros.bus.protocol import OVERHEAD_BYTES, wire_time_s
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.states import STATE_ADDRESS, STATE_BYTES
from rena_ros.robot.model import Robot

GOAL = REGISTERS["goal_position"].address
SPEED = 1000  # ticks/s, part of goals of six bytes
VENDOR = "feetech-servo-sdk"
HOW_TO_INSTALL = f"`pip install {VENDOR}==1.0.0` installs it (so does the test set)"


@dataclass(frozen=True)
class CycleResult:
    """What a driver returns to its caller after one cycle."""

    ticks: IntArray  # (n,): positions
    offered: BoolArray  # (n,): which of them the driver offers as new
    success: bool  # whether the driver reports no failure


class RenaDriver:
    """This project's driver: a goal is a position only, 2 bytes, as in the servos node; one request for all states.

    The servos node cuts this request into three, so that commands need not wait for the whole read.
    """

    goal_bytes = 2

    def __init__(self, port: str, robot: Robot) -> None:
        self._bus = Bus(port, robot)
        self._bus.read_return_delays()

    def cycle(self, ticks: IntArray) -> CycleResult:
        """Send goals and read states."""
        self._write_goals(ticks)
        state = self._bus.read_state()
        return CycleResult(state.ticks, state.fresh, bool(state.fresh.all()))

    def close(self) -> None:
        """Free the port."""
        self._bus.close()

    def _write_goals(self, ticks: IntArray) -> None:
        self._bus.write_goals(ticks)


class RenaSixByteDriver(RenaDriver):
    """The same driver with goals of position, time and speed, 6 bytes, as in the vendor's examples."""

    goal_bytes = 6

    def __init__(self, port: str, robot: Robot) -> None:
        super().__init__(port, robot)
        self._line = self._bus.line
        self._ids = robot.ids.tolist()
        self._rows = np.tile(np.array((0, 0, SPEED), "<u2"), (len(self._ids), 1))

    def _write_goals(self, ticks: IntArray) -> None:
        self._rows[:, 0] = ticks
        self._line.sync_write(self._ids, GOAL, self._rows.view(np.uint8))


class BareClient:
    """Not a driver but the minimum of a client: two writes, one sleep, a read until the last byte, no checks."""

    goal_bytes = 6

    def __init__(self, port: str, robot: Robot) -> None:
        self._port = SerialPort(port, 1_000_000)
        self._ids = robot.ids.tolist()
        self._rows = np.tile(np.array((0, 0, SPEED), "<u2"), (len(self._ids), 1))
        self._request = protocol.sync_read(self._ids, STATE_ADDRESS, STATE_BYTES)
        self._size = len(self._ids) * (OVERHEAD_BYTES + STATE_BYTES)

    def cycle(self, ticks: IntArray) -> CycleResult:
        """Send goals and read bytes."""
        self._rows[:, 0] = ticks
        self._port.write(protocol.sync_write(self._ids, GOAL, self._rows.view(np.uint8)))
        expected_s = self._port.write(self._request) + wire_time_s(self._size, self._port.baud)
        received = self._port.read(expected_s, expected_s + 0.1, lambda received: len(received) >= self._size)
        whole = np.full(len(self._ids), len(received) == self._size)
        return CycleResult(ticks, whole, bool(whole[0]))

    def close(self) -> None:
        """Free the port."""
        self._port.close()


class VendorDriver:
    """feetech-servo-sdk as in its own examples: one group to write, one to read.

    Its example calls ``isAvailable`` for each servo after a read and only prints the result, so the result of
    ``isAvailable`` counts as ``offered``.
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

    def cycle(self, ticks: IntArray) -> CycleResult:
        """Send goals and read states. Raises every exception of the SDK."""
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


Driver = RenaDriver | BareClient | VendorDriver
DRIVERS: dict[str, type[Driver]] = {
    "rena": RenaSixByteDriver,
    "rena-position": RenaDriver,
    "vendor": VendorDriver,
    "bare": BareClient,
}


def vendor_sdk() -> ModuleType:
    """Import the vendor's SDK. Raises RenaError, with how to install it, when it is missing.

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
    """Return the bytes of position, time 0 and speed, little-endian."""
    return [ticks & 0xFF, ticks >> 8, 0, 0, SPEED & 0xFF, SPEED >> 8]


def installed(drivers: Sequence[str], console: Console) -> tuple[str, ...]:
    """Return the drivers that are installed; print why when the vendor's SDK is not among them."""
    try:
        vendor_sdk()
    except RenaError as error:
        console.print(f"without comparison: {error}", style="yellow", highlight=False)
        return tuple(driver for driver in drivers if driver != "vendor")
    return tuple(drivers)
