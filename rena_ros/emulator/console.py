"""Typed commands for a running emulator: faults, the cable, the power, and which servos are attached."""

import contextlib
import os
from collections.abc import Callable, Sequence

from rena_ros.base.errors import RenaError
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.fault_file import read_faults
from rena_ros.emulator.faults import KINDS

HELP = """unplug | plug                pull the cable; plug it in again
fault {kind: dead, servo: jaw, for_s: 3}    inject a fault, written as in a fault file
clear [KIND [SERVO ...]]     end faults: all, or of one kind, or on these servos
power_cycle                  switch all servos off and on again
attach [SERVO ... | all]     put exactly these servos on the bus
status                       print the cable, servos, torque and faults"""


class CommandConsole:
    """Reads commands from the file descriptor ``source`` and prints their results on standard output."""

    def __init__(self, bank: ServoBank, source: int) -> None:
        self.source = source
        self.open = True
        self._bank = bank
        self._line = b""

    @property
    def listening(self) -> bool:
        """Whether to read: until the input ends, and not in the background, where the system stops a reader."""
        with contextlib.suppress(OSError):  # not a terminal
            return self.open and os.tcgetpgrp(self.source) == os.getpgrp()
        return self.open

    def run_pending(self) -> None:
        """Read the input so far and carry out its complete lines."""
        data = os.read(self.source, 4096)
        self.open = bool(data)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in filter(bytes.strip, lines):
            text = line.decode(errors="replace").strip()
            try:
                result = HELP if text == "help" else carry_out(self._bank, text)
            except RenaError as error:
                result = str(error)
            print(result, flush=True)


def carry_out(bank: ServoBank, line: str) -> str:
    """Carry out one command; return the status after it. Raises RenaError for an unknown command or name."""
    word, _, rest = line.partition(" ")
    if word not in _COMMANDS:
        raise RenaError(f"unknown command {word}; `help` lists the commands")
    _COMMANDS[word](bank, rest)
    return status(bank)


def status(bank: ServoBank) -> str:
    """Return one line: the cable, how many servos are attached, how many have torque on, the faults."""
    on = int(bank.torque.sum())
    faults = ", ".join(bank.active_faults()) or "none"
    cable = "unplugged" if bank.unplugged else "plugged"
    return f"{cable}; {len(bank.attached)} servos attached, torque on at {on}; faults: {faults}"


def _unplug(bank: ServoBank, _rest: str) -> None:
    if not bank.unplugged:
        bank.inject("unplugged")


def _fault(bank: ServoBank, rest: str) -> None:
    bank.script(read_faults(f"[{rest}]", bank.robot, "the typed fault").faults)


def _clear(bank: ServoBank, rest: str) -> None:
    kind, *names = rest.split() or [""]
    if kind and kind not in KINDS:
        raise RenaError(f"unknown kind of fault {kind}; known: {', '.join(KINDS)}")
    bank.clear(kind or None, *_known(bank, names))


def _attach(bank: ServoBank, rest: str) -> None:
    bank.set_attached(*_known(bank, bank.robot.names if rest.strip() == "all" else rest.split()))


def _known(bank: ServoBank, names: Sequence[str]) -> Sequence[str]:
    if unknown := [name for name in names if name not in bank.robot.index]:
        raise RenaError(f"no servo is called {', '.join(unknown)}")
    return names


_COMMANDS: dict[str, Callable[[ServoBank, str], None]] = {
    "unplug": _unplug,
    "plug": lambda bank, _rest: bank.clear("unplugged"),
    "fault": _fault,
    "clear": _clear,
    "power_cycle": lambda bank, _rest: bank.power_cycle(),
    "attach": _attach,
    "status": lambda _bank, _rest: None,
}
