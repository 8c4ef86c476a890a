"""What a tool prints and asks in the terminal: lines of text, and questions that are answered with a line."""

import contextlib
import shutil
import sys
import termios
from collections.abc import Callable

from rena_ros.base.errors import RenaError
from rena_ros.robot.model import Servo


def label(servo: Servo) -> str:
    """Return a servo's name and id as every message shows them."""
    return f"{servo.name} (id {servo.id})"


def _read_line(question: str) -> str:
    """Show the question and read a line that is typed after it; text typed earlier is discarded."""
    with contextlib.suppress(termios.error, OSError, ValueError):  # not a terminal
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    return input(question)


class Dialogue:
    """A dialogue with the operator. With ``yes``, every confirmation is answered with yes and not asked."""

    def __init__(
        self, yes: bool = False, read: Callable[[str], str] = _read_line, write: Callable[[str], None] = print
    ) -> None:
        self.yes = yes
        self._read = read
        self._write = write
        self._live = False

    def say(self, text: str = "") -> None:
        """Print some lines. A terminal that is gone raises nothing, so that the work can still be ended safely."""
        with contextlib.suppress(OSError):
            if self._live:
                self._live = False
                sys.stdout.write("\r\x1b[K")
            self._write(text)

    def live(self, text: str) -> None:
        """Print one line that replaces the previous line printed by this method."""
        self._live = True
        with contextlib.suppress(OSError):
            sys.stdout.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            sys.stdout.flush()

    def ask(self, question: str) -> str:
        """Return the operator's reply in lower case, without spaces around it.

        Raises RenaError when standard input has ended or is gone.
        """
        try:
            return self._read(f"{question} ").strip().lower()
        except (EOFError, OSError) as error:
            raise RenaError(
                f"standard input has ended, so this question gets no reply: {question}\n"
                "  Run this in a terminal, or with --yes where --help lists it"
            ) from error
        except UnicodeDecodeError:
            return "?"

    def confirm(self, question: str) -> bool:
        """Return whether the reply is yes. An empty reply is no; a reply that is neither is asked for again."""
        if self.yes:
            self.say(f"{question} yes (--yes)")
            return True
        while True:
            reply = self.ask(f"{question} [y/N]")
            if reply in ("y", "yes"):
                return True
            if reply in ("", "n", "no"):
                return False
            self.say("Please type y or n.")
