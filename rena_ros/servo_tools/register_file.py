"""Registers of many servos as a YAML file that a person can read, change and write back; no bus in here.

servos:
  jaw:
    eeprom: {register: value, ...}     one line each, with its unit
    ram: {...}                         for the reader only: `restore` ignores it
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, create_model, field_validator

from rena_ros.base.errors import RenaError
from rena_ros.base.file_model import FileModel, read_model
from rena_ros.bus.access import decode
from rena_ros.bus.eeprom import check_eeprom
from rena_ros.bus.registers import REGISTERS, Register
from rena_ros.robot.file import ServoName

Values = Mapping[str, int]  # register name -> value

MEMORY_BYTES = max(register.address + register.size for register in REGISTERS.values())


def decoded(memory: bytes) -> dict[str, int]:
    """Return all registers of a servo's memory from address 0 on, MEMORY_BYTES bytes."""
    spans = {name: slice(register.address, register.address + register.size) for name, register in REGISTERS.items()}
    return {name: decode(REGISTERS[name], memory[span]) for name, span in spans.items()}


def formatted(servos: Mapping[str, Values], comments: list[str]) -> str:
    """Return the text of a register file; ``comments`` stand at its top."""
    lines = [*(f"# {comment}" for comment in comments), "servos:"]
    for name, values in servos.items():
        lines.append(f"  {name}:")
        for part, eeprom in (("eeprom", True), ("ram", False)):
            lines.append(f"    {part}:")
            lines += [_line(REGISTERS[key], value) for key, value in values.items() if REGISTERS[key].eeprom == eeprom]
    return "\n".join(lines) + "\n"


def parsed(text: str, names: tuple[str, ...], what: str) -> dict[str, dict[str, int]]:
    """Return the EEPROM values of a register file by servo; registers that it leaves out are left out.

    ``names``: the robot's servos. Raises RenaError that lists every fault with its line; ``what`` names the file.
    """
    servos = read_model(text, what, _RegisterFile, context=names).servos
    if not servos:
        raise RenaError(f"{what} has no servos; `rena servo export` writes such a file")
    return {name: row.eeprom.model_dump(exclude_unset=True) for name, row in servos.items()}


class _Eeprom(FileModel):
    """The base of a model with one field per EEPROM register."""

    @field_validator("*")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        register = REGISTERS[str(info.field_name)]
        if register.writable:
            check_eeprom(register.name, value)
        return value


_FIELDS: dict[str, Any] = {name: (int, None) for name, register in REGISTERS.items() if register.eeprom}
_SavedEeprom: Any = create_model("_SavedEeprom", __base__=_Eeprom, **_FIELDS)


class _SavedServo(FileModel, extra="ignore"):
    eeprom: _SavedEeprom = _SavedEeprom()


class _RegisterFile(FileModel, extra="ignore"):
    servos: dict[ServoName, _SavedServo] = Field(default_factory=dict)


def _line(register: Register, value: int) -> str:
    notes = [*([register.unit] if register.unit else []), *([] if register.writable else ["read only"])]
    entry = f"      {register.name}: {value}"
    return f"{entry:<34} # {'; '.join(notes)}" if notes else entry
