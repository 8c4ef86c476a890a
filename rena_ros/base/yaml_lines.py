"""YAML as plain values that keep their places: a value leads back to its line and to what encloses it.

PyYAML builds the scalars (YAML 1.1). Mappings become dicts with their keys as written, sequences become tuples. What
cannot be built (a scalar, a key that is there twice, an alias inside what it names) is collected as a fault, so that
one error lists all faults of a file.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from rena_ros.base.errors import RenaError

UNBUILT = object()  # stands for a value that cannot be built; YamlText.faults says why
_BEING_BUILT = object()
_TRIPS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # PyYAML over values
_TAGS = {
    yaml.MappingNode: ("map",),
    yaml.SequenceNode: ("seq",),
    yaml.ScalarNode: ("str", "int", "float", "bool", "null", "timestamp"),
}


class Place(NamedTuple):
    """Where a value stands: its ``line`` (from 1 on), what encloses it ("jaw: eeprom: "), its own ``name``.

    ``label``: what to call its parts ("max_torque: ").
    """

    line: int
    around: str
    name: str
    label: str


class _Loader(yaml.SafeLoader):
    def compose_scalar_node(self, anchor: dict[Any, yaml.Node]) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        if re.search("[\ud800-\udfff]", node.value):
            raise _error(node, "a lone surrogate (\\udXXX), which cannot be shown; take it out")
        return node


class YamlText:
    """A YAML text: its ``value`` (that of an empty text is an empty dict) and the ``faults``, (line, sentence) each.

    Raises RenaError when the text as a whole is not YAML; ``what`` names it there.
    """

    def __init__(self, text: str, what: str) -> None:
        self.faults: list[tuple[int, str]] = []
        self._values: dict[yaml.Node, Any] = {}
        try:
            self._loader = _Loader(text)
            self._root = self._loader.get_single_node()
            self.value = {} if self._root is None else self._built(self._root, "")
        except (yaml.YAMLError, *_TRIPS) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise RenaError(f"{what} is not YAML: {why}") from error

    def place(self, path: Sequence[str | int]) -> Place:
        """Return the place of the value at ``path`` (keys and indices); a part that is not in the text is passed."""
        place, node = Place(1, "", "the file", ""), self._root
        for part in path:
            name = part if isinstance(part, str) else f"entry {part + 1} of {place.name}"
            place = Place(place.line, place.around + place.label, name, "")
            for key, marked, child in _entries(node):
                if key == part:
                    node, place = child, place._replace(line=_line(marked), label=_label(key, child))
        return place

    def _built(self, node: yaml.Node, around: str) -> Any:
        """Return the value of a node; UNBUILT, with one more fault, when it cannot be built."""
        if node not in self._values:
            self._values[node] = _BEING_BUILT
            try:
                self._values[node] = self._value(node, around)
            except yaml.MarkedYAMLError as error:
                self._values[node] = UNBUILT
                self.faults.append(((error.problem_mark or node.start_mark).line + 1, str(error.problem)))
        return self._values[node]

    def _value(self, node: yaml.Node, around: str) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in _TAGS[type(node)]:
            raise _error(node, f"{node.tag} means nothing here; leave it out, or put it in quotes if it is a text")
        if isinstance(node, yaml.ScalarNode):
            try:
                value = self._loader.construct_object(node)
                if isinstance(value, int):
                    value.to_bytes(8, signed=True)  # no field takes more, and Python refuses to print the longest
                return value
            except _TRIPS as error:
                text = repr(node.value[:40])
                raise _error(node, f"{text} cannot be read as {kind}; put it in quotes if it is a text") from error
        names = set()
        for key, marked, child in _entries(node):
            if isinstance(key, list):
                raise _error(marked, "a list or a mapping cannot be the name of a value")
            if key in names:
                self.faults.append((_line(marked), f"{around}{key} is there twice"))
            names.add(key)
            if self._built(child, around + _label(key, child)) is _BEING_BUILT:
                raise _error(child, "an alias stands inside what it names")
        if isinstance(node, yaml.MappingNode):
            self._loader.flatten_mapping(node)  # what `<<` merges in
            return {key.value: self._built(child, around) for key, child in node.value}
        return tuple(self._values[child] for child in node.value)


def number_hint(value: object, kind: type = float) -> str:
    """Return how to write a number that YAML takes for a text, "; write it as 1.0e-09" for "1e-9"; else "".

    ``kind``: int for fields that take whole numbers only.
    """
    try:
        exact = float(value) if isinstance(value, str) else float("nan")
        number = kind(exact)
    except (ValueError, OverflowError):  # no number, or an endless one as int
        return ""
    return f"; write it as {yaml.safe_dump(number).split()[0]}" if number == exact and abs(exact) < 2**53 else ""


def _entries(node: yaml.Node | None) -> Iterator[tuple[Any, yaml.Node, yaml.Node]]:
    """Give each entry of a collection: its key or index, the node that marks its line, the node of its value."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, key, child) for key, child in node.value)  # a list is no key: see YamlText
    elif isinstance(node, yaml.SequenceNode):
        yield from ((index, child, child) for index, child in enumerate(node.value))


def _label(key: str | int, node: yaml.Node) -> str:
    """Return what to call the parts of an entry: a mapping has its key, one in a list its `name`; else nothing."""
    if not isinstance(node, yaml.MappingNode) or key == "servos":  # the names of the servos say enough
        return ""
    names = [child.value for part, _, child in _entries(node) if part == "name" and isinstance(child, yaml.ScalarNode)]
    name = key if isinstance(key, str) else "".join(names[-1:]).strip()  # the last: merged entries stand before
    return f"{name}: " if name else ""


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
