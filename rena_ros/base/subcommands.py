"""A table of subcommands for argparse; each module is imported only when its command is called."""

import argparse
import importlib
from collections.abc import Mapping
from typing import Any

# subcommand -> (module with add_arguments(parser) and run(args) -> exit code, what it does)
Table = Mapping[str, tuple[str, str]]


def add_subcommands(parser: argparse.ArgumentParser, table: Table) -> None:
    """Give ``parser`` one subcommand per line of the table.

    The parsed arguments name the called subcommand: ``args.run`` is its module's function, ``args.prog`` its full
    name, such as "rena servo scan".
    """
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_LateParser)
    for name, (module_name, help_text) in table.items():
        commands.add_parser(name, help=help_text, description=_sentence(help_text)).module_name = module_name


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith("?") else ".")


class _LateParser(argparse.ArgumentParser):
    """A parser that imports its module, and takes the arguments from there, when it is first used."""

    module_name: str | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.module_name is not None:
            module, self.module_name = importlib.import_module(self.module_name), None
            self.set_defaults(run=getattr(module, "run", None), prog=self.prog)
            module.add_arguments(self)
        return super().parse_known_args(args, namespace)
