"""Registers of single servos by name. ``write_register`` refuses EEPROM; ``eeprom`` writes it.

Whether a write has succeeded is judged by reading back; the acknowledgement is not enough.
"""

import numpy as np

from rena_ros.bus.line import Line
from rena_ros.bus.protocol import from_words, to_word
from rena_ros.bus.registers import REGISTERS, Register


def read_register(line: Line, servo_id: int, name: str) -> int | None:
    """Return a register's value in counts, signed where it has a sign bit; None when the servo does not reply."""
    register = REGISTERS[name]
    reply = line.read(servo_id, register.address, register.size)
    return None if reply is None else decode(register, reply.params)


def write_register(line: Line, servo_id: int, name: str, value: int) -> str | None:
    """Write a RAM register and read it back; returns why it failed.

    Raises ValueError for EEPROM, for a read-only register, and as ``encode`` does.
    """
    register = REGISTERS[name]
    if register.eeprom or not register.writable:
        raise ValueError(f"{name} is {'EEPROM' if register.writable else 'read-only'}: not written here")
    return write_and_verify(line, servo_id, register, value)


def write_and_verify(line: Line, servo_id: int, register: Register, value: int) -> str | None:
    """Write any writable register and read it back; returns why it failed. Raises ValueError as ``encode`` does."""
    return write_bytes(line, servo_id, register.address, encode(register, value), register.name)


def write_bytes(line: Line, servo_id: int, address: int, data: bytes, what: str) -> str | None:
    """Write bytes and read them back; returns why it failed, with ``what`` as the name of the data."""
    acknowledged = line.write(servo_id, address, data)
    rejection = f"; it {line.failure}" if acknowledged is not None and line.failure else ""
    reply = line.read(servo_id, address, len(data))
    if reply is None:
        return line.failure
    if reply.params != data:
        return f"did not take {what} (status {reply.code}){rejection}"
    return None


def encode(register: Register, value: int) -> bytes:
    """Return a value as the register's bytes. Raises ValueError when it does not fit or may not be written."""
    highest = 0xFF if register.size == 1 and register.highest is None else register.highest
    if highest is not None and not 0 <= value <= highest:
        raise ValueError(f"{register.name}: {value} is outside 0..{highest}")
    if register.size == 1:
        return bytes((value,))
    try:
        return to_word(value, register.sign_bit)
    except ValueError as error:
        raise ValueError(f"{register.name}: {error}") from None


def decode(register: Register, data: bytes) -> int:
    """Return the value of a register's bytes, in counts."""
    if register.size == 1:
        return data[0]
    return int(from_words(np.frombuffer(data, np.uint8), register.sign_bit))
