"""A tool of `rena servo` on emulated servos in virtual time; texts stand in for the keyboard."""

import argparse
import errno
import os
import signal

from servo_stand import NAMES, ROBOT, ServoStand

from rena_ros.bus.access import read_register
from rena_ros.servo_tools import connection
from rena_ros.servo_tools.dialogue import Dialogue


class ToolStand(ServoStand):
    """Servos, and a tool's ``run`` called with texts instead of a keyboard.

    ``lines``: everything that the tool printed and asked; ``on_text`` is called with every text that it prints.
    """

    def __init__(self, monkeypatch, **bank):
        super().__init__(**bank)
        self.lines = []
        self.on_text = lambda text: None
        self._patch = monkeypatch

    @property
    def text(self):
        """Everything that the tool printed and asked."""
        return "\n".join(self.lines)

    def call(self, module, *argv, **more):
        """Call a tool that asks nothing, and return its exit code."""
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        args = parser.parse_args([*map(str, argv)])
        args.prog = "rena servo tool"
        self._patch.setattr(connection, "open_port", lambda args, baud=None: self.open_port(baud or args.baud))
        self._patch.setattr(module, "interrupt_on_signals", lambda: None, raising=False)
        return module.run(args, **more)

    def run(self, module, *argv, answers=(), **more):
        """Call a tool with a dialogue and return its exit code.

        ``answers``: what the operator types, texts or functions of the question; afterwards input ends.
        """
        left = list(answers)

        def read(question):
            self.lines.append(question)
            if not left:
                raise EOFError
            answer = left.pop(0)
            return answer(question) if callable(answer) else answer

        def write(text):
            self.lines.append(text)
            self.on_text(text)

        self.lines = []
        return self.call(module, *argv, dialogue=Dialogue("--yes" in argv, read, write), **more)

    def kept(self, register, names=NAMES):
        """Return a register of servos after a power cycle, by name."""
        self.bank.power_cycle()
        return self.now(register, names)

    def now(self, register, names=NAMES):
        """Return a register of servos, by name, each read under its id of the robot file."""
        line = self.line()
        return {name: read_register(line, ROBOT.servos[ROBOT.index[name]].id, register) for name in names}


class Hands:
    """Keys in virtual time. Between keys the script calls a function, or turns a horn by hand: (servo, ticks)."""

    def __init__(self, stand, *script):
        self._bank, self._script = stand.bank, list(script)
        self.torque = []  # the servos under torque at each key press

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def forget(self):
        """Discard nothing: every key of the script follows its question."""

    def pressed(self, timeout_s):
        self._bank.advance(timeout_s)
        self.torque.append({NAMES[i] for i in self._bank.torque.nonzero()[0]})
        if not self._script:
            raise KeyboardInterrupt
        what = self._script.pop(0)
        if isinstance(what, tuple):
            # No request turns a horn while torque is off: this is the operator's hand.
            return self._bank.turn_horn(*what)
        return what() if callable(what) else what


def full_disk(*_):
    """Raise what writing to a full disk raises."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def ctrl_c():
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
