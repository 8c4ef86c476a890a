"""Registers of many servos as a YAML file that people can read, change and write back. Pure.

servos:
  jaw:
    eeprom: {register: value, ...}     one line each, with its unit
    ram: {...}                         for reading only: `restore` ignores it
"""

from collections.abc import Mapping

import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.yaml_lines import UNBUILT, Faults, built, composed, line_of, number_hint, refuse
from rena_ros.bus.access import decode
from rena_ros.bus.eeprom import check_eeprom
from rena_ros.bus.registers import REGISTERS, Register

Values = Mapping[str, int]  # register name -> value

MEMORY_BYTES = max(register.address + register.size for register in REGISTERS.values())


def decoded(memory: bytes) -> dict[str, int]:
    """All registers of a servo's memory from address 0 on, MEMORY_BYTES bytes."""
    spans = {name: slice(register.address, register.address + register.size) for name, register in REGISTERS.items()}
    return {name: decode(REGISTERS[name], memory[span]) for name, span in spans.items()}


def formatted(servos: Mapping[str, Values], comments: list[str]) -> str:
    """The text of a register file; ``comments`` stand at its top."""
    lines = [*(f"# {comment}" for comment in comments), "servos:"]
    for name, values in servos.items():
        lines.append(f"  {name}:")
        for part, eeprom in (("eeprom", True), ("ram", False)):
            lines.append(f"    {part}:")
            lines += [_line(REGISTERS[key], value) for key, value in values.items() if REGISTERS[key].eeprom == eeprom]
    return "\n".join(lines) + "\n"


def parsed(text: str, names: tuple[str, ...], what: str) -> dict[str, dict[str, int]]:
    """The EEPROM values that a register file holds, by servo; registers that it leaves out are left out.

    ``names``: the robot's servos. Raises RenaError that lists every fault with its line; ``what`` names the file.
    """
    root, faults = composed(text, what)
    servos: dict[str, dict[str, int]] = {}
    for name, servo in _entries(dict(_entries(root, faults)).get(_Key("servos")), faults):
        if name not in names:
            faults.append((name.line, f"{name} is no servo of the robot file"))
        servos[name] = _eeprom(name, dict(_entries(servo, faults)).get(_Key("eeprom")), faults)
    if not servos and not faults:
        raise RenaError(f"{what} has no servos; `rena servo export` writes such a file")
    refuse(faults, what)
    return servos


class _Key(str):
    """A key of a mapping, which also knows its line."""

    line = 0


def _entries(node: yaml.Node | None, faults: Faults) -> list[tuple[_Key, yaml.Node]]:
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        faults.append((line_of(node), f"expected `name: ...`, found {_shown(node)}"))
        return []
    entries = []
    for key, value in node.value:
        name = _Key(_shown(key))
        name.line = line_of(key)
        entries.append((name, value))
    return entries


def _shown(node: yaml.Node) -> str:
    return str(node.value) or "nothing" if isinstance(node, yaml.ScalarNode) else f"a {node.id}"


def _eeprom(servo: str, node: yaml.Node | None, faults: Faults) -> dict[str, int]:
    values: dict[str, int] = {}
    for key, node_value in _entries(node, faults):
        value = built(node_value, faults)
        register = REGISTERS.get(key)
        if register is None or not register.eeprom:
            faults.append((key.line, f"{servo}: {key} is no EEPROM register"))
        elif value is UNBUILT:
            continue
        elif why := _unfit(register, value):
            faults.append((key.line, f"{servo}: {why}"))
        else:
            values[key] = value
    return values


def _unfit(register: Register, value: object) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{register.name} must be a whole number, not {value!r}{number_hint(value, int)}"
    try:
        if register.writable:
            check_eeprom(register.name, value)
    except ValueError as error:
        return str(error)
    return None


def _line(register: Register, value: int) -> str:
    notes = [*([register.unit] if register.unit else []), *([] if register.writable else ["read only"])]
    entry = f"      {register.name}: {value}"
    return f"{entry:<34} # {'; '.join(notes)}" if notes else entry
