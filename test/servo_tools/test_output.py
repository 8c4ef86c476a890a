"""Standard output that is full, or that no program reads any more: one line or silence, and torque goes off."""

import os

import pytest
from tool_stand import ROBOT

from rena_ros.cli import main
from rena_ros.servo_tools import connection

TOOLS = [
    ["scan"],
    ["scan", "--json", "-"],
    ["monitor", "--once"],
    ["monitor", "--json", "-"],
    ["jog", "jaw", "--by", "5", "--robot-file", str(ROBOT.source)],
    ["export", "-"],
    ["set-return-delay", "--us", "0"],
]


@pytest.fixture
def bank(stand, monkeypatch):
    """Servos on every port that a tool opens."""
    monkeypatch.setattr(connection, "adapters", lambda: ["virtual"])
    monkeypatch.setattr(connection, "SerialPort", lambda path, baud: stand.open_port(baud))
    return stand.bank


def run_with_output(arguments, output, monkeypatch, capsys):
    """Run a tool with this file as standard output, then close the file as Python does at its end.

    Returns the exit code and the lines on standard error; text left in the file's buffer must add none.
    """
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", output)
        try:
            code = main(["servo", *arguments])
        except SystemExit as end:  # rich ends a program with a closed pipe
            code = end.code
    output.close()
    return code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "complaints"),
    [
        (["--help"], 0, []),
        (["set-return-delay", "--us", "20"], 2, ["standard input has ended", "Run this in a terminal"]),
    ],
    ids=["help", "refusal"],
)
def test_a_full_output_adds_no_complaint_to_help_or_an_error(
    bank, full_device, monkeypatch, capsys, arguments, code, complaints
):
    ended, lines = run_with_output(arguments, full_device.open("w"), monkeypatch, capsys)
    assert ended == code and len(lines) == len(complaints)
    assert all(complaint in line for complaint, line in zip(complaints, lines, strict=True))


def test_a_closed_output_is_no_fault(bank, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        assert main(["servo", "jog", "jaw", "--by", "5"]) == 0
    assert capsys.readouterr().err == ""


tools = pytest.mark.parametrize("arguments", TOOLS, ids=lambda tool: " ".join(tool[:3]))


@tools
def test_a_full_output_is_one_line_on_standard_error(bank, arguments, full_device, monkeypatch, capsys):
    code, lines = run_with_output(arguments, full_device.open("w"), monkeypatch, capsys)
    assert code != 0 and "No space left" in lines[-1] and lines[-1].startswith(f"rena servo {arguments[0]}: ")
    assert len(lines) == 1 or arguments == ["scan", "--json", "-"]  # which also prints a table on standard error
    assert not bank.torque.any()


@tools
def test_a_closed_pipe_is_no_python_error(bank, arguments, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    output = open(writer, "w")  # noqa: SIM115 (run_with_output closes it)
    code, lines = run_with_output(arguments, output, monkeypatch, capsys)
    assert code != 0 and (len(lines) <= 1 or arguments == ["scan", "--json", "-"])
    assert not any("Errno" in line or "Traceback" in line for line in lines) and not bank.torque.any()
