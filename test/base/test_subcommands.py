"""The tables of subcommands: each line names a module with the right functions, imported only when it is called."""

import argparse
import importlib
import subprocess
import sys

import pytest

from rena_ros import cli
from rena_ros.base.errors import RenaError
from rena_ros.base.subcommands import add_subcommands
from rena_ros.servo_tools import command as servo


@pytest.mark.parametrize(("name", "module"), [(name, line[0]) for name, line in servo.COMMANDS.items()])
def test_every_servo_tool_declares_its_options_and_runs(name, module):
    parser = argparse.ArgumentParser()
    importlib.import_module(module).add_arguments(parser)
    assert callable(importlib.import_module(module).run)
    assert "--robot-file" in parser.format_help()


def test_help_lists_every_tool(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["servo", "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in servo.COMMANDS)


def test_the_arguments_name_the_called_subcommand():
    parser = argparse.ArgumentParser(prog="rena")
    add_subcommands(parser, cli.COMMANDS)
    args = parser.parse_args(["servo", "jog", "jaw", "--to", "max"])
    assert args.prog == "rena servo jog" and args.to == "max"
    assert args.run is importlib.import_module("rena_ros.servo_tools.jog").run


@pytest.mark.parametrize("argv", [[], ["servo"], ["servo", "dance"], ["servo", "jog"]])
def test_a_wrong_command_line_ends_with_2(argv, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: rena")


@pytest.mark.parametrize(("error", "code"), [(RenaError("no power"), 2), (KeyboardInterrupt(), 130)])
def test_an_error_of_a_command_is_an_exit_code_and_one_message(monkeypatch, capsys, error, code):
    def run(_args):
        raise error

    monkeypatch.setattr("rena_ros.servo_tools.scan.run", run)
    assert cli.main(["servo", "scan"]) == code
    assert capsys.readouterr().err.startswith("rena servo scan: ")


def test_only_the_module_of_the_command_called_is_imported():
    code = (
        "import sys; from rena_ros.cli import main\n"
        "try: main(['servo', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('rena_ros.servo_tools.') or name == 'rena_ros.bus'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['rena_ros.servo_tools.command']"


def test_a_description_that_is_a_question_keeps_its_question_mark(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "fuzz", "--help"])
    assert "get through?\n" in capsys.readouterr().out
