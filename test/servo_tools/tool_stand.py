"""A tool of `rena servo` on emulated servos in virtual time; texts stand in for the keyboard."""

import argparse
import signal

from servo_stand import NAMES, ROBOT, ServoStand

from rena_ros.bus.access import read_register
from rena_ros.servo_tools.dialogue import Dialogue


class ToolStand(ServoStand):
    """Servos, and a tool's ``run`` called with texts instead of a keyboard.

    ``lines``: everything that the tool printed and asked; ``heard`` is called with every text that it prints.
    """

    def __init__(self, monkeypatch, **bank):
        super().__init__(**bank)
        self.lines = []
        self.heard = lambda text: None
        self._patch = monkeypatch

    @property
    def text(self):
        """Everything that the tool printed and asked."""
        return "\n".join(self.lines)

    def run(self, module, *argv, answers=(), **more):
        """Call the tool and return its exit code.

        ``answers``: what the operator types, texts or functions of the question; afterwards input ends.
        """
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
        self._patch.setattr(module, "open_line", lambda args, baud=None: self.line(baud or args.baud))
        self._patch.setattr(module, "interrupt_on_signals", lambda: None, raising=False)
        dialogue = Dialogue(getattr(args, "yes", False), read, write)
        return module.run(args, dialogue, **more)

    def kept(self, register, names=NAMES):
        """Return a register of servos after a power cycle, by name."""
        self.bank.power_cycle()
        return self.now(register, names)

    def now(self, register, names=NAMES):
        """Return a register of servos, by name, each read under its id of the robot file."""
        line = self.line()
        return {name: read_register(line, ROBOT.servos[ROBOT.index[name]].id, register) for name in names}


def ctrl_c():
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
