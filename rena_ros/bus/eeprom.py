"""Writing what a servo keeps without power: checked, unlocked, written, read back, locked again.

Only the tools call this, after a person said yes. The lock is closed again whatever happens.
"""

from rena_ros.bus.access import encode, read_register, write_and_verify
from rena_ros.bus.line import Line
from rena_ros.bus.registers import REGISTERS, Register

# What these may be set to, raw units; the other registers take what fits. Source: FEETECH's memory table of the STS
# series.
RANGES: dict[str, tuple[int, int]] = {
    "id": (0, 253),
    "baud_code": (0, 7),
    "return_delay": (0, 254),
    "response_level": (0, 1),
    "min_angle": (0, 4095),
    "max_angle": (0, 4095),
    "max_temperature": (0, 100),
    "max_torque": (0, 1000),
    "mode": (0, 3),
    "protective_torque": (0, 100),
    "protection_time": (0, 254),
}
_LOCK = REGISTERS["lock"]


def write_eeprom(line: Line, servo_id: int, name: str, value: int) -> str | None:
    """Write one EEPROM register of one servo; returns why it failed.

    Its torque must be off. Goes on under the new id after ``id`` was written, which is refused when another
    servo already answers to it. After ``baud_code`` the servo does not understand this line any more: nothing
    is read back; the caller opens the port at the new rate, reads the register and calls ``lock_eeprom``.
    Raises ValueError for a register that is not EEPROM or read-only, and for a value outside ``RANGES``.
    """
    check_eeprom(name, value)
    if why := _not_ready(line, servo_id, name, value):
        return why
    why, now_id = None, servo_id
    try:
        why = write_and_verify(line, servo_id, _LOCK, 0)
        if why is None:
            now_id, why = _write(line, servo_id, REGISTERS[name], value)
    finally:
        unlocked = None if name == "baud_code" and why is None else lock_eeprom(line, now_id)
    if unlocked:
        why = f"{why or f'{name} is written'}; but its EEPROM could not be locked again: {unlocked}"
    return why


def lock_eeprom(line: Line, servo_id: int) -> str | None:
    """Close the EEPROM's lock and read it back; returns why it failed."""
    return write_and_verify(line, servo_id, _LOCK, 1)


def check_eeprom(name: str, value: int) -> None:
    """Raises ValueError unless the register may be set to this value."""
    register = REGISTERS.get(name)
    if register is None or not register.eeprom or not register.writable:
        may = ", ".join(r.name for r in REGISTERS.values() if r.eeprom and r.writable)
        raise ValueError(f"{name} is no EEPROM register that may be written; these are: {may}")
    low, high = RANGES.get(name, (None, None))
    if low is not None and not low <= value <= high:
        raise ValueError(f"{name}: {value} is outside {low}..{high}")
    encode(register, value)


def _not_ready(line: Line, servo_id: int, name: str, value: int) -> str | None:
    torque = read_register(line, servo_id, "torque_enable")
    if torque is None:
        return line.failure
    if torque != 0:
        return "its torque is on; switch it off first"
    if name == "id" and value != servo_id:
        answers, garbage = line.read_all_replies(value, REGISTERS["id"].address, 1)
        if answers or garbage:
            return f"another servo already has id {value}"
    return None


def _write(line: Line, servo_id: int, register: Register, value: int) -> tuple[int, str | None]:
    """Write an unlocked register; returns the id under which the servo answers now, and why it failed."""
    if register.name == "id" and value != servo_id:
        return _change_id(line, servo_id, register, value)
    if register.name != "baud_code":
        return servo_id, write_and_verify(line, servo_id, register, value)
    line.write(servo_id, register.address, encode(register, value), retries=0)
    line.write(servo_id, _LOCK.address, b"\1", retries=0)  # in case it was not heard, or holds the rate it has
    return servo_id, None


def _change_id(line: Line, old: int, register: Register, new: int) -> tuple[int, str | None]:
    # Whether it acknowledges under its old id or its new one is its own affair.
    line.write(old, register.address, encode(register, new), retries=0)
    if read_register(line, new, register.name) == new:
        return new, None
    if line.read(old, register.address, register.size) is not None:
        return old, f"did not take the id {new} and still answers to {old}"
    return new, f"does not answer under id {new}, nor under {old} any more"
