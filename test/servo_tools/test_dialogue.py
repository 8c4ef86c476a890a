"""The keyboard: what was typed before a question is shown is not its answer."""

import os
import sys

import pytest

from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.keys import Keys


@pytest.fixture
def terminal(monkeypatch):
    """Standard input as a terminal; the other end of it, to type at."""
    keyboard, slave = os.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keyboard
    os.close(keyboard)


def test_text_typed_before_a_question_is_not_its_answer(terminal, monkeypatch):
    def type_no(_question):
        os.write(terminal, b"n\n")
        return sys.stdin.readline()

    monkeypatch.setattr("builtins.input", type_no)
    os.write(terminal, b"y\n")
    assert not Dialogue().confirm("Write it?")


def test_keys_pressed_earlier_are_discarded_on_request(terminal):
    with Keys("") as keys:
        os.write(terminal, b"\n\nq")
        assert keys.pressed(1.0) == "enter"
        keys.forget()
        assert keys.pressed(0.0) is None
        os.write(terminal, b"s")
        assert keys.pressed(1.0) == "s"
