"""What can go wrong with emulated servos, as data: the kinds, their values and ranges, and one fault of one kind.

Source of the kinds: what real Feetech buses do to their drivers (cables, adapters, set-up, heat, load).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from rena_ros.bus.registers import BAUDS

REJECTED = 64  # the status bit that `reject` answers with: an instruction error


@dataclass(frozen=True)
class Value:
    """One value of a kind of fault: its type, its range (of numbers), and its default (None: must be given)."""

    type: type
    default: object = None
    low: float = -inf
    high: float = inf
    needed: bool = True
    choices: tuple[object, ...] = ()


@dataclass(frozen=True)
class Kind:
    """``counted``: it happens to single answers, so it may happen to some of them only (`every`, `probability`).
    ``whole_bus``: it happens to the port, not to servos.
    """

    meaning: str
    values: Mapping[str, Value] = field(default_factory=dict)
    counted: bool = False
    whole_bus: bool = False


KINDS: dict[str, Kind] = {
    "dead": Kind("neither hears nor answers; keeps going to its last goal", counted=True),
    "late": Kind(
        "answers delay_ms later; hold: everything after it waits too, else it alone comes later",
        {"delay_ms": Value(float, None, 0, 60_000), "hold": Value(bool, False)},
        counted=True,
    ),
    "corrupt": Kind("one bit of the answer is wrong", counted=True),
    "truncated": Kind(
        "only the first bytes of the answer come; default: half of them",
        {"bytes": Value(int, None, 0, 255, needed=False)},
        counted=True,
    ),
    "duplicated": Kind("the answer comes twice", counted=True),
    "wrong_id": Kind("answers in the name of another id", {"id": Value(int, None, 0, 253)}, counted=True),
    "same_id": Kind(
        "has the id of the servo `with`; both answer at once, the second skew_us later",
        {"with": Value(str), "skew_us": Value(float, 3.0, 0, 500)},
    ),
    "echo": Kind("the adapter hands our own bytes back", counted=True, whole_bus=True),
    "return_delay": Kind("waits this long before it answers (register 7)", {"us": Value(int, 500, 0, 500)}),
    "overload": Kind("status 32, released, and refuses torque-off until cleared or without power"),
    "overheat": Kind("too hot: status 4 above its own limit (register 13)", {"temperature_c": Value(int, 80, 0, 255)}),
    "undervoltage": Kind(
        "supply too low: status 1 outside its own limits (registers 14, 15)", {"voltage_v": Value(float, 3.8, 0, 25.5)}
    ),
    "stuck": Kind("the horn does not move, the load rises, and after a while it trips as overloaded"),
    "torque_lost": Kind("its torque register goes to 0 by itself, once"),
    "eeprom_locked": Kind("acknowledges what is written below register 40 but does not keep it"),
    "reject": Kind(f"answers with status {REJECTED} and zeros, and carries nothing out", counted=True),
    "encoder": Kind("the encoder is not trusted: status 2"),
    "unplugged": Kind("the cable is pulled: port and link are gone, the servos keep their power", whole_bus=True),
    "wrong_baud": Kind(
        "listens at another rate (register 6)",
        {"baud": Value(int, None, choices=BAUDS)},
    ),
}


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong ``at_s`` seconds after it was injected, for ``for_s`` seconds.

    ``servos``: names; empty means all of them. ``every``: one answer in so many, counted over the answers of these
    servos; ``probability``: each answer on its own, seeded. ``values``: what the kind takes (see KINDS). Raises
    ValueError that lists everything that is wrong.
    """

    kind: str
    servos: tuple[str, ...] = ()
    at_s: float = 0.0
    for_s: float = inf
    every: int = 1
    probability: float | None = None
    values: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if wrong := problems(self):
            raise ValueError("; ".join(wrong))

    def value(self, name: str):
        """A value that was given, or its default."""
        return self.values.get(name, KINDS[self.kind].values[name].default)

    @property
    def sometimes(self) -> bool:
        """Whether it happens to some answers only."""
        return self.every > 1 or self.probability is not None


def problems(fault: Fault) -> list[str]:
    """Everything that is wrong with a fault, in words for whoever wrote it."""
    kind = KINDS.get(fault.kind) if isinstance(fault.kind, str) else None
    if kind is None:
        return [f"kind {fault.kind!r} is none of {', '.join(KINDS)}"]
    found = []
    if kind.whole_bus and fault.servos:
        found.append(f"{fault.kind} happens to the whole bus: name no servo")
    for name, low, high in (("at_s", 0.0, inf), ("for_s", 0.0, inf)):
        found += _range_problems(name, getattr(fault, name), Value(float, None, low, high))
    found += _range_problems("every", fault.every, Value(int, 1, 1, inf))
    if fault.probability is not None:
        found += _range_problems("probability", fault.probability, Value(float, None, 0, 1))
    if not found and fault.sometimes and not kind.counted:
        found.append(f"{fault.kind} is a state, not something that happens to answers: no `every`, no `probability`")
    if fault.every != 1 and fault.probability is not None:
        found.append("`every` and `probability`: choose one of them")
    found += [f"{name} is not a value of {fault.kind}" for name in fault.values if name not in kind.values]
    for name, value in kind.values.items():
        if name in fault.values:
            found += _range_problems(name, fault.values[name], value)
        elif value.default is None and value.needed:
            found.append(f"{fault.kind} needs {name}")
    return found


def _range_problems(name: str, given: object, value: Value) -> list[str]:
    kind = (int, float) if value.type is float else value.type
    if not isinstance(given, kind) or (value.type is not bool and isinstance(given, bool)) or given != given:
        word = {float: "a number", int: "a whole number", bool: "true or false", str: "a name"}[value.type]
        return [f"{name} must be {word}, not {given!r}"]
    if isinstance(given, (int, float)) and not value.low <= given <= value.high:
        return [f"{name} {given} is outside {value.low:g}..{value.high:g}"]
    if value.choices and given not in value.choices:
        return [f"{name} {given} is none of {', '.join(map(str, value.choices))}"]
    return []
