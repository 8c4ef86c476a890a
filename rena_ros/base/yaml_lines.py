"""What people wrote as YAML: whatever is wrong with it becomes a sentence with its line, never a traceback.

A reader takes the nodes of a text (they know their lines), has values built of the nodes that it wants, and
collects every fault on the way, so that all of them are told at once.
"""

import re
from collections.abc import Iterator

import yaml

from rena_ros.base.errors import RenaError

Faults = list[tuple[int, str]]  # line, from 1 on, and what is wrong there
UNBUILT = object()

_TRIPS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # PyYAML over values
_BITS = 64  # longer whole numbers fit no field, and Python will not even print the longest
_FLOAT = re.compile(r"([-+]?\d+)(\.\d*)?(?:e([-+]?)(\d+))?", re.ASCII | re.IGNORECASE)


class Row(dict):
    """A mapping that knows the ``line`` where it begins, from 1 on."""

    def __init__(self, items: dict, line: int) -> None:
        super().__init__(items)
        self.line = line


def composed(text: str, what: str) -> tuple[yaml.Node | None, Faults]:
    """The root node of a text (None: an empty one), and a fault for every key that a mapping has twice.

    Raises RenaError for what is not YAML; ``what`` names the text.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, *_TRIPS) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise RenaError(f"{what} is not YAML: {why}") from error
    faults: Faults = []
    for node, where in _parts(root):
        if isinstance(node, yaml.MappingNode):
            faults += _twice(node, where)
        elif isinstance(node, yaml.ScalarNode) and any("\ud800" <= letter <= "\udfff" for letter in node.value):
            raise RenaError(f"{what}, line {line_of(node)}: {node.value[:40]!a} has half a character; take it out")
    return root, faults


def built(node: yaml.Node, faults: Faults) -> object:
    """The value of a node, its mappings as Rows; UNBUILT, and one fault more, for one that has none (2026-01-99,
    !!int foo, !foo 1).
    """
    try:
        return _Loader("").construct_object(node, deep=True)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or node.start_mark
        faults.append((mark.line + 1, error.problem or str(error)))
    except RecursionError:
        faults.append((line_of(node), "this is nested too deeply"))
    return UNBUILT


def refuse(faults: Faults, what: str) -> None:
    """Raises RenaError that lists the faults, if there are any; ``what`` names the text."""
    if found := sorted(set(faults)):
        listed = "\n".join(f"  line {line}: {text}" for line, text in found)
        raise RenaError(f"{what} has {len(found)} fault(s):\n{listed}")


def line_of(node: yaml.Node) -> int:
    """The line where a node begins, from 1 on."""
    return node.start_mark.line + 1


def number_hint(value: object, kind: type = float) -> str:
    """How to write a number that YAML took for a text, "; write it as 1.0e-9" for "1e-9"; else "".

    ``kind``: int for fields that take whole numbers only.
    """
    try:
        number = float(value) if isinstance(value, str) else float("nan")
    except ValueError:
        return ""
    if not abs(number) < 1e300 or (kind is int and (number % 1 or abs(number) >= 2**53)):
        return ""
    return f"; write it as {int(number) if kind is int else _as_yaml(value.strip(), number)}"


def _as_yaml(text: str, number: float) -> str:
    """A text of float() as YAML 1.1 wants it, which insists on the point and on the sign of the exponent."""
    if match := _FLOAT.fullmatch(text):
        whole, fraction, sign, exponent = match.groups()
        own = f"{whole}{fraction or '.0'}e{sign or '+'}{exponent}" if exponent else text
        if _reads_as(own, number):
            return own
    return yaml.safe_dump(number).split("\n")[0]


def _reads_as(text: str, number: float) -> bool:
    value = built(yaml.compose(text, Loader=yaml.SafeLoader), [])
    return isinstance(value, int | float) and value == number


class _Loader(yaml.SafeLoader):
    """Builds what a SafeLoader builds; whatever trips it is a ConstructorError with the line, in words."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        if node in self.recursive_objects:
            raise _error(node, "an alias stands inside of what it names")
        try:
            return super().construct_object(node, deep)
        except RecursionError:
            raise
        except _TRIPS as error:
            kind = node.tag.rpartition(":")[2]
            value = repr(node.value[:40]) if isinstance(node, yaml.ScalarNode) else "this"
            raise _error(node, f"{value} cannot be read as {kind}; put it in quotes if it is a text") from error

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict:
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key, f"a {key.id} cannot be the name of a value")
        return super().construct_mapping(node, deep)

    def row(self, node: yaml.MappingNode) -> Row:
        """A mapping with its line."""
        return Row(self.construct_mapping(node, deep=True), line_of(node))

    def whole_number(self, node: yaml.Node) -> int:
        """Raises ConstructorError for one of more than 64 bits."""
        value = self.construct_yaml_int(node)
        if value.bit_length() > _BITS:
            raise _error(node, "this number is too long")
        return value

    def unknown(self, node: yaml.Node) -> None:
        """Raises ConstructorError for a tag that YAML does not know."""
        raise _error(node, f"{node.tag} means nothing here; leave it out, or put it in quotes if it is a text")


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.row)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
_Loader.add_constructor(None, _Loader.unknown)


def _error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


def _parts(root: yaml.Node | None) -> Iterator[tuple[yaml.Node, str]]:
    """Every node once, though aliases may lead in circles, with the names that lead to it: "jaw: eeprom: "."""
    seen: set[yaml.Node] = set()
    left = [(root, "")] if root else []
    while left:
        node, where = left.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node, where
        if isinstance(node, yaml.MappingNode):
            left += [part for key, value in node.value for part in ((key, where), (value, f"{where}{_label(key)}"))]
        elif isinstance(node, yaml.SequenceNode):
            left += [(item, f"{where}{_label(_named(item))}") for item in node.value]


def _twice(mapping: yaml.MappingNode, where: str) -> Faults:
    faults, names = [], set()
    for key, _ in mapping.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in names:
                faults.append((line_of(key), f"{where}{key.value} is there twice"))
            names.add(key.value)
    return faults


def _label(key: yaml.Node | None) -> str:
    """What to call the part below a key: nothing for the list of servos itself, their names say enough."""
    return "" if not isinstance(key, yaml.ScalarNode) or key.value == "servos" else f"{key.value}: "


def _named(item: yaml.Node) -> yaml.Node | None:
    rows = item.value if isinstance(item, yaml.MappingNode) else ()
    return next((value for key, value in rows if key.value == "name"), None)
