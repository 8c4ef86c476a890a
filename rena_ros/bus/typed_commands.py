"""Lines that change a running emulator's servos: what goes wrong, the cable, the power, who is attached."""

import os
import shlex
from collections.abc import Callable

from rena_ros.bus.fault_file import read_faults
from rena_ros.bus.faults import KINDS
from rena_ros.bus.servo_model import ServoBank
from rena_ros.errors import RenaError

HELP = """unplug | plug                pull the cable, put it back
fault {kind: dead, servo: jaw, for_s: 3}    let something go wrong, as in a fault file
clear [KIND [SERVO ...]]     end faults: all, of one kind, of these servos
power_cycle                  all servos off and on again
attach [SERVO ...]           have exactly these servos on the bus
status                       what there is"""


class TypedCommands:
    """Commands read from a file descriptor, answered on standard output."""

    def __init__(self, bank: ServoBank, source: int) -> None:
        self.source = source
        self.open = True
        self._bank = bank
        self._line = b""

    def obey(self) -> None:
        """Read what there is; carry out whole lines."""
        data = os.read(self.source, 4096)
        self.open = bool(data)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if line.strip():
                print(answer(self._bank, line.decode(errors="replace")), flush=True)


def answer(bank: ServoBank, line: str) -> str:
    """Carry out one command; returns what to say."""
    word, _, rest = line.strip().partition(" ")
    commands: dict[str, Callable[[str], object]] = {
        "unplug": lambda _: bank.unplugged or bank.inject("unplugged"),
        "plug": lambda _: bank.clear("unplugged"),
        "fault": lambda text: bank.script(read_faults(f"[{text}]", bank.robot, "fault").faults),
        "clear": lambda text: _clear(bank, shlex.split(text)),
        "power_cycle": lambda _: bank.power_cycle(),
        "attach": lambda text: _attach(bank, shlex.split(text)),
        "status": lambda _: None,
    }
    if word not in commands:
        return HELP if word == "help" else f"{word} is no command; `help` lists them"
    try:
        commands[word](rest)
    except (RenaError, ValueError) as error:
        return str(error)
    return status(bank)


def status(bank: ServoBank) -> str:
    """One line: the cable, the servos that are there, whose torque is on, the faults."""
    on = int(bank.torque.sum())
    faults = ", ".join(bank.active_faults()) or "none"
    cable = "unplugged" if bank.unplugged else "plugged"
    return f"{cable}; {len(bank.attached)} servos attached, torque on at {on}; faults: {faults}"


def _clear(bank: ServoBank, words: list[str]) -> None:
    if words and words[0] not in KINDS:
        raise ValueError(f"{words[0]} is no kind of fault; known: {', '.join(KINDS)}")
    _check(bank, words[1:])
    bank.clear(*words)


def _attach(bank: ServoBank, names: list[str]) -> None:
    _check(bank, names)
    bank.attach(*names)


def _check(bank: ServoBank, names: list[str]) -> None:
    if unknown := [name for name in names if name not in bank.robot.index]:
        raise ValueError(f"no servo is called {', '.join(unknown)}")
