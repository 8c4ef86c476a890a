"""A tool of `rena servo` on emulated servos in virtual time, with somebody who answers its questions."""

import argparse
import signal

from rena_ros.bus.access import read_register
from rena_ros.bus.line import Line
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.robot.file import load_robot
from rena_ros.servo_tools.dialogue import Dialogue

ROBOT = load_robot()
NAMES = ROBOT.names


class TouchyPort(VirtualPort):
    """Something happens just before the n-th request; requests are counted from 1 over all ports of a stand."""

    def __init__(self, stand, baud):
        super().__init__(stand.bank, baud)
        self._stand = stand

    def write(self, data):
        self._stand.requests += 1
        if self._stand.requests == self._stand.touch_at:
            self._stand.touch()
        return super().write(data)


class Stand:
    """Servos, and a tool's `run` called with answers instead of a keyboard."""

    def __init__(self, monkeypatch, **bank):
        self.bank = ServoBank(ROBOT, **bank)
        self.lines = []
        self.heard = lambda text: None  # called with everything the tool says
        self.requests, self.touch_at, self.touch = 0, None, None
        self._patch = monkeypatch

    @property
    def text(self):
        """Everything that was said and asked."""
        return "\n".join(self.lines)

    def run(self, module, *argv, answers=(), **more):
        """Call the tool; its exit code. ``answers``: texts, or functions of the question; then the keyboard is gone."""
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        args = parser.parse_args(list(argv))
        args.prog = "rena servo tool"
        left = list(answers)

        def read(question):
            self.lines.append(question)
            if not left:
                raise EOFError
            answer = left.pop(0)
            return answer(question) if callable(answer) else answer

        def write(text):
            self.lines.append(text)
            self.heard(text)

        self.lines = []
        self._patch.setattr(module, "open_line", lambda args, baud=None: Line(TouchyPort(self, baud or args.baud)))
        self._patch.setattr(module, "interrupt_on_signals", lambda: None, raising=False)
        dialogue = Dialogue(getattr(args, "yes", False), read, write)
        return module.run(args, dialogue, **more)

    def line(self, baud=1_000_000):
        """A line of our own."""
        return Line(VirtualPort(self.bank, baud))

    def kept(self, register, names=NAMES):
        """What servos still hold after their power was off, by name."""
        self.bank.power_cycle()
        return self.now(register, names)

    def now(self, register, names=NAMES):
        """What servos hold, by name, each asked under its id of the robot file."""
        line = self.line()
        return {name: read_register(line, ROBOT.servos[ROBOT.index[name]].id, register) for name in names}


def ctrl_c():
    """The terminal's Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
