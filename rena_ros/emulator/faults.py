"""What can go wrong with emulated servos, as data: the fault kinds, their values and ranges, and one fault of one kind.

Source of the kinds: what real Feetech buses do to their drivers (cables, adapters, set-up, heat, load).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import inf
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, create_model, field_validator, model_validator

from rena_ros.base.file_model import FileModel, sentences
from rena_ros.bus.registers import BAUDS
from rena_ros.robot.file import ServoName

REJECTED = 64  # the status bit that a `reject` fault sets in replies: an instruction error


@dataclass(frozen=True)
class Kind:
    """One fault kind."""

    meaning: str
    # Besides the fields of every fault: name -> (type with its range, default; ``...`` when there is none).
    values: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    counted: bool = False  # happens to single replies, so perhaps to some of them only (`every`, `probability`)
    whole_bus: bool = False  # happens to the port, not to servos


def _within(number: type, low: float, high: float) -> Any:
    return Annotated[number, Field(ge=low, le=high)]


_BYTE, _VOLTS = _within(int, 0, 255), _within(float, 0, 25.5)
KINDS: dict[str, Kind] = {
    "dead": Kind("receives nothing and sends nothing; moves on to its last goal", counted=True),
    "late": Kind(
        "replies delay_ms later; hold: all replies behind it wait too, else it alone comes later",
        {"delay_ms": (_within(float, 0, 60_000), ...), "hold": (bool, False)},
        counted=True,
    ),
    "corrupt": Kind("one bit of the reply is wrong", counted=True),
    "truncated": Kind("only its first bytes come; default: half of them", {"bytes": (_BYTE, None)}, counted=True),
    "duplicated": Kind("the reply comes twice", counted=True),
    "wrong_id": Kind("replies with another id", {"id": (_within(int, 0, 253), ...)}, counted=True),
    "same_id": Kind(
        "has the id of the servo `with`; both reply at once, the second skew_us later",
        {"with": (ServoName, ...), "skew_us": (_within(float, 0, 500), 3.0)},
    ),
    "echo": Kind("the adapter returns the bytes that the host sends", counted=True, whole_bus=True),
    "return_delay": Kind("waits this long before it replies (register 7)", {"us": (_within(int, 0, 500), 500)}),
    "overload": Kind("status 32, torque released; refuses torque off until cleared or without power"),
    "overheat": Kind("too hot: status 4 above its own limit (register 13)", {"temperature_c": (_BYTE, 80)}),
    "undervoltage": Kind("supply outside its own limits (registers 14, 15): status 1", {"voltage_v": (_VOLTS, 3.8)}),
    "stuck": Kind("the horn does not move, the load rises, and after a while it trips as overloaded"),
    "torque_lost": Kind("its torque register goes to 0 by itself, once"),
    "eeprom_locked": Kind("acknowledges what is written below register 40 but does not keep it"),
    "reject": Kind(f"replies with status {REJECTED} and zeros, and carries nothing out", counted=True),
    "encoder": Kind("the encoder is not trusted: status 2"),
    "unplugged": Kind("the cable is pulled: port and link are gone, the servos keep their power", whole_bus=True),
    "wrong_baud": Kind("listens at another rate (register 6)", {"baud": (Literal[BAUDS], ...)}),
}


class Fault(FileModel):
    """Something that goes wrong; each kind has a model of its own, with its values (see KINDS)."""

    kind: str
    servo: tuple[ServoName, ...] = ()  # empty: all servos
    at_s: float = Field(0.0, ge=0)  # after it was injected
    for_s: float = Field(inf, ge=0)
    every: int = Field(1, ge=1)  # one reply in so many, counted over the replies of these servos
    probability: float | None = Field(None, ge=0, le=1)  # of each reply on its own, seeded

    @field_validator("servo", mode="before")
    @classmethod
    def _may_be_one_alone(cls, servo: object) -> object:
        return (servo,) if isinstance(servo, str) else servo

    @field_validator("servo")
    @classmethod
    def _are_hit_alone(cls, servo: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if servo and KINDS[info.data["kind"]].whole_bus:
            raise ValueError(f"{info.data['kind']} happens to the whole bus: name no servo")
        return servo

    @field_validator("probability")
    @classmethod
    def _is_no_second_choice(cls, probability: float | None, info: ValidationInfo) -> float | None:
        if probability is not None and info.data.get("every", 1) != 1:
            raise ValueError("`every` and `probability`: choose one of them")
        return probability

    @model_validator(mode="after")
    def _happens_to_replies(self) -> "Fault":
        if self.sometimes and not KINDS[self.kind].counted:
            raise ValueError(f"{self.kind} is a state that does not come by replies: no `every`, no `probability`")
        return self

    @property
    def sometimes(self) -> bool:
        """Whether it happens to some replies only."""
        return self.every > 1 or self.probability is not None

    def value(self, name: str) -> Any:
        """Return a value of the kind: the given one, or its default."""
        return getattr(self, name)


def _model(name: str, values: Any) -> Any:
    kind: Any = (Literal[name], ...)
    return create_model(name, __base__=Fault, kind=kind, **values)


# A fault of any kind: `kind` decides which model it has to fit.
AnyFault: Any = Annotated[
    reduce(or_, (_model(name, kind.values) for name, kind in KINDS.items())), Field(discriminator="kind")
]
_ANY_FAULT: TypeAdapter[Fault] = TypeAdapter(AnyFault)


def make_fault(kind: str, *servos: str, **fields: object) -> Fault:
    """Return a fault of this kind; ``fields``: its other fields. Raises ValueError that lists all that is wrong."""
    try:
        return _ANY_FAULT.validate_python({"kind": kind, "servo": servos, **fields})
    except ValidationError as error:
        raise ValueError("; ".join(sentences(error))) from error
