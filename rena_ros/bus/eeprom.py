"""Writing EEPROM registers of single servos: check, unlock, write, read back, lock again.

Only the servo tools call this, after the operator has agreed. Only a new ``baud_code`` leaves the EEPROM unlocked.
"""

from rena_ros.bus.access import encode, read_register, write_and_verify
from rena_ros.bus.line import Line
from rena_ros.bus.registers import REGISTERS, Register

_LOCK = REGISTERS["lock"]


def write_eeprom(line: Line, servo_id: int, name: str, value: int) -> str | None:
    """Write one EEPROM register of one servo; returns why it failed.

    The servo's torque must be off. An ``id`` that another servo already has is refused; after the ``id`` is written,
    the servo is read and locked under its new one. After ``baud_code`` is written, the servo does not understand this
    line any more and nothing is read back: the caller opens the port at the new rate, reads the register and calls
    ``lock_eeprom``. Raises ValueError as ``check_eeprom`` does.
    """
    check_eeprom(name, value)
    if obstacle := _obstacle(line, servo_id, name, value):
        return obstacle
    why, current_id = None, servo_id
    try:
        why = write_and_verify(line, servo_id, _LOCK, 0)
        if why is None:
            current_id, why = _write_unlocked(line, servo_id, REGISTERS[name], value)
    finally:
        lock_failure = None if name == "baud_code" and why is None else lock_eeprom(line, current_id)
    if lock_failure:
        why = f"{why or f'{name} is written'}; but its EEPROM could not be locked again: {lock_failure}"
    return why


def lock_eeprom(line: Line, servo_id: int) -> str | None:
    """Close the EEPROM's lock and read it back; returns why it failed."""
    return write_and_verify(line, servo_id, _LOCK, 1)


def check_eeprom(name: str, value: int) -> None:
    """Raise ValueError unless this is a writable EEPROM register and the value is permitted."""
    writable = {r.name: r for r in REGISTERS.values() if r.eeprom and r.writable}
    if name not in writable:
        raise ValueError(f"{name} is no EEPROM register that may be written; these are: {', '.join(writable)}")
    encode(writable[name], value)


def _obstacle(line: Line, servo_id: int, name: str, value: int) -> str | None:
    """Return why the register must not be written now."""
    torque = read_register(line, servo_id, "torque_enable")
    if torque is None:
        return line.failure
    if torque != 0:
        return "its torque is on; switch it off first"
    if name == "id" and value != servo_id:
        replies, garbage = line.read_all_replies(value, REGISTERS["id"].address, 1)
        if replies or garbage:
            return f"another servo already has id {value}"
    return None


def _write_unlocked(line: Line, servo_id: int, register: Register, value: int) -> tuple[int, str | None]:
    """Write a register while the lock is open; returns the id that the servo has now, and why it failed."""
    if register.name == "id" and value != servo_id:
        return _change_id(line, servo_id, register, value)
    if register.name != "baud_code":
        return servo_id, write_and_verify(line, servo_id, register, value)
    line.write(servo_id, register.address, encode(register, value), retries=0)
    line.write(servo_id, _LOCK.address, b"\1", retries=0)  # reaches the servo only when its rate is unchanged
    return servo_id, None


def _change_id(line: Line, old: int, register: Register, new: int) -> tuple[int, str | None]:
    # The acknowledgement is not used: it may carry the old id or the new one.
    line.write(old, register.address, encode(register, new), retries=0)
    if read_register(line, new, register.name) == new:
        return new, None
    if line.read(old, register.address, register.size) is not None:
        return old, f"did not take the id {new} and still replies as id {old}"
    return new, f"does not reply under id {new}, nor under {old} any more"
