"""YAML as plain values that keep their places: a value leads back to its line and to what encloses it.

PyYAML builds the scalars (YAML 1.1, safe types only). Mappings become dicts with their keys as written, sequences
become tuples. What cannot be built (a scalar, a key that is there twice, an alias inside what it names) is
collected as a fault, so that one error lists all faults of a file.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from rena_ros.base.errors import RenaError

_UNBUILT = object()  # stands for a value that cannot be built; YamlText.faults says why
_BEING_BUILT = object()
_TRIPS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # PyYAML over values
_MAX_BITS = 64  # a longer whole number fits no field, and Python refuses to print the longest
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Place(NamedTuple):
    """Where a value stands: its ``line`` (from 1 on), what encloses it ("jaw: eeprom: "), its own ``name``.

    ``label``: what to call its parts ("max_torque: "). ``built``: whether it and all that encloses it has a value.
    """

    line: int
    around: str
    name: str
    label: str
    built: bool


class YamlText:
    """A YAML text: its ``value`` (that of an empty text is an empty dict) and the ``faults``, (line, sentence) each.

    Raises RenaError when the text as a whole is not YAML; ``what`` names it there.
    """

    def __init__(self, text: str, what: str) -> None:
        self.faults: list[tuple[int, str]] = []
        self._values: dict[yaml.Node, Any] = {}
        self._scalars = _Scalars("")
        try:
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.value = {} if self._root is None else self._built(self._root, "")
        except (yaml.YAMLError, *_TRIPS) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise RenaError(f"{what} is not YAML: {why}") from error

    def place(self, path: Sequence[str | int]) -> Place:
        """Return the place of the value at ``path`` (keys and indices); a part that is not in the text is passed."""
        place, node = Place(1, "", "the file", "", self.value is not _UNBUILT), self._root
        for part in path:
            name = part if isinstance(part, str) else f"entry {part + 1} of {place.name}"
            place = place._replace(around=place.around + place.label, name=name, label="")
            for key, marked, child in _entries(node):
                if key == part:
                    node, label = child, _label(key, child)
                    built = place.built and self._values[child] is not _UNBUILT
                    place = place._replace(line=_line(marked), label=label, built=built)
        return place

    def _built(self, node: yaml.Node, around: str) -> Any:
        """Return the value of a node; _UNBUILT, with one more fault, when it cannot be built."""
        if node in self._values:
            return self._values[node]
        self._values[node] = _BEING_BUILT
        try:
            self._values[node] = self._value(node, around)
        except yaml.MarkedYAMLError as error:
            self.faults.append(((error.problem_mark or node.start_mark).line + 1, error.problem or str(error)))
            self._values[node] = _UNBUILT
        return self._values[node]

    def _value(self, node: yaml.Node, around: str) -> Any:
        if isinstance(node, yaml.ScalarNode) or node.tag not in _COLLECTIONS:
            return self._scalars.construct_object(node)
        names: set[str | int] = set()
        for key, marked, child in _entries(node):
            if isinstance(node, yaml.MappingNode) and not isinstance(marked, yaml.ScalarNode):
                raise _error(marked, "a list or a mapping cannot be the name of a value")
            if key in names:
                self.faults.append((_line(marked), f"{around}{key} is there twice"))
            names.add(key)
            if self._built(child, around + _label(key, child)) is _BEING_BUILT:
                raise _error(child, "an alias stands inside what it names")
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._values[child] for child in node.value)
        assert isinstance(node, yaml.MappingNode)
        self._scalars.flatten_mapping(node)  # what `<<` merges in
        return {key.value: self._built(child, around) for key, child in node.value}


class _Scalars(yaml.SafeLoader):
    """Builds scalars as a SafeLoader does; whatever trips it becomes a ConstructorError in words."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _TRIPS as error:
            value = repr(node.value[:40]) if isinstance(node, yaml.ScalarNode) else "this"
            kind = node.tag.rpartition(":")[2]
            raise _error(node, f"{value} cannot be read as {kind}; put it in quotes if it is a text") from error

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """Return a whole number. Raises ConstructorError for one of more than 64 bits."""
        value: int = self.construct_yaml_int(node)
        if value.bit_length() > _MAX_BITS:
            raise _error(node, "this number is too long")
        return value

    def unknown(self, node: yaml.Node) -> None:
        """Refuse a tag that stands for nothing in these files with a ConstructorError."""
        raise _error(node, f"{node.tag} means nothing here; leave it out, or put it in quotes if it is a text")


_Scalars.add_constructor("tag:yaml.org,2002:int", _Scalars.whole_number)
_Scalars.add_constructor(None, _Scalars.unknown)
for _tag in ("map", "seq", "set", "omap", "pairs"):  # YamlText builds the first two, nothing needs the others
    _Scalars.add_constructor(f"tag:yaml.org,2002:{_tag}", _Scalars.unknown)


def number_hint(value: object, kind: type = float) -> str:
    """Return how to write a number that YAML takes for a text, "; write it as 1.0e-09" for "1e-9"; else "".

    ``kind``: int for fields that take whole numbers only.
    """
    try:
        number = float(value) if isinstance(value, str) else float("nan")
    except ValueError:
        return ""
    if not abs(number) < 1e300 or (kind is int and (number % 1 or abs(number) >= 2**53)):
        return ""
    return f"; write it as {str(yaml.safe_dump(kind(number))).splitlines()[0]}"


def _entries(node: yaml.Node | None) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
    """Give each entry of a collection: its key or index, the node that marks its line, the node of its value."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value if isinstance(key, yaml.ScalarNode) else "", key, child) for key, child in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((index, child, child) for index, child in enumerate(node.value))


def _label(key: str | int, node: yaml.Node) -> str:
    """Return what to call the parts of an entry: a mapping has its key, one in a list its `name`; else nothing."""
    if not isinstance(node, yaml.MappingNode) or key == "servos":  # the names of the servos say enough
        return ""
    if isinstance(key, str):
        return f"{key}: "
    names = (child.value for part, _, child in _entries(node) if part == "name" and isinstance(child, yaml.ScalarNode))
    name = next(names, "").strip()
    return f"{name}: " if name else ""


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
