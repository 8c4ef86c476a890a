"""Lines that change a running emulator's servos: what goes wrong, the cable, the power, who is attached."""

import contextlib
import os
from collections.abc import Callable, Sequence

from rena_ros.base.errors import RenaError
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.fault_file import read_faults
from rena_ros.emulator.faults import KINDS

HELP = """unplug | plug                pull the cable, put it back
fault {kind: dead, servo: jaw, for_s: 3}    let something go wrong, as in a fault file
clear [KIND [SERVO ...]]     end faults: all, of one kind, of these servos
power_cycle                  all servos off and on again
attach [SERVO ... | all]     have exactly these servos on the bus
status                       what there is"""


class CommandConsole:
    """Commands read from a file descriptor, answered on standard output."""

    def __init__(self, bank: ServoBank, source: int) -> None:
        self.source = source
        self.open = True
        self._bank = bank
        self._line = b""

    @property
    def listening(self) -> bool:
        """Whether there is something to read: not after its end, nor from a terminal that another program has (a
        program in the background that reads is stopped).
        """
        with contextlib.suppress(OSError):  # not a terminal
            return self.open and os.tcgetpgrp(self.source) == os.getpgrp()
        return self.open

    def obey(self) -> None:
        """Read what there is; carry out whole lines."""
        data = os.read(self.source, 4096)
        self.open = bool(data)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in filter(bytes.strip, lines):
            text = line.decode(errors="replace").strip()
            try:
                said = HELP if text == "help" else carry_out(self._bank, text)
            except RenaError as error:
                said = str(error)
            print(said, flush=True)


def carry_out(bank: ServoBank, line: str) -> str:
    """Carry out one command; returns what there is then. Raises RenaError for what is no command."""
    word, _, rest = line.partition(" ")
    if word not in _COMMANDS:
        raise RenaError(f"{word} is no command; `help` lists them")
    _COMMANDS[word](bank, rest)
    return status(bank)


def status(bank: ServoBank) -> str:
    """One line: the cable, the servos that are there, whose torque is on, the faults."""
    on = int(bank.torque.sum())
    faults = ", ".join(bank.active_faults()) or "none"
    cable = "unplugged" if bank.unplugged else "plugged"
    return f"{cable}; {len(bank.attached)} servos attached, torque on at {on}; faults: {faults}"


def _unplug(bank: ServoBank, _rest: str) -> None:
    if not bank.unplugged:
        bank.inject("unplugged")


def _fault(bank: ServoBank, rest: str) -> None:
    script = read_faults(f"[{rest}]", bank.robot, "fault")
    bank.script(script.faults)


def _clear(bank: ServoBank, rest: str) -> None:
    kind, *names = rest.split() or [None]
    if kind is not None and kind not in KINDS:
        raise RenaError(f"{kind} is no kind of fault; known: {', '.join(KINDS)}")
    bank.clear(kind, *_known(bank, names))


def _attach(bank: ServoBank, rest: str) -> None:
    bank.attach(*_known(bank, bank.robot.names if rest.strip() == "all" else rest.split()))


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
