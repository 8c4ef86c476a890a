"""What a tool says and asks at the keyboard."""

import contextlib
import shutil
import sys
import termios
from collections.abc import Callable

from rena_ros.base.errors import RenaError
from rena_ros.robot.model import Servo


def label(servo: Servo) -> str:
    """Return a servo's name and id as messages show them."""
    return f"{servo.name} (id {servo.id})"


def _typed(question: str) -> str:
    """A line from the keyboard, typed after the question was shown: what was typed before answered another one."""
    with contextlib.suppress(termios.error, OSError, ValueError):  # not a terminal
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    return input(question)


class Dialogue:
    """Lines out, answers in. ``yes``: every confirmation is granted unasked."""

    def __init__(
        self, yes: bool = False, read: Callable[[str], str] = _typed, write: Callable[[str], None] = print
    ) -> None:
        self.yes = yes
        self._read = read
        self._write = write
        self._live = False

    def say(self, text: str = "") -> None:
        """Show some lines. A terminal that is gone does not keep the work from being ended properly."""
        with contextlib.suppress(OSError):
            if self._live:
                self._live = False
                sys.stdout.write("\r\x1b[K")
            self._write(text)

    def live(self, text: str) -> None:
        """Show one line in place of the last one that was shown so."""
        self._live = True
        with contextlib.suppress(OSError):
            sys.stdout.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            sys.stdout.flush()

    def ask(self, question: str) -> str:
        """An answer, lower case, without spaces around it. Raises RenaError when nobody is there to answer."""
        try:
            return self._read(f"{question} ").strip().lower()
        except (EOFError, OSError) as error:
            raise RenaError(
                f"nobody is at the keyboard to answer: {question} Run it in a terminal, or see --help for --yes"
            ) from error
        except UnicodeDecodeError:
            return "?"

    def confirm(self, question: str) -> bool:
        """Whether the answer is yes; an empty answer is no, and whatever is neither is asked again."""
        if self.yes:
            self.say(f"{question} yes (--yes)")
            return True
        while True:
            answer = self.ask(f"{question} [y/N]")
            if answer in ("y", "yes"):
                return True
            if answer in ("", "n", "no"):
                return False
            self.say("Please answer y or n.")
