"""Asking one id after another who is there. Reads only; nothing moves and nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rena_ros.bus.line import Line
from rena_ros.bus.registers import REGISTERS

# One read tells who a servo is: firmware, model, id, baud code, return delay.
_IDENTITY, _IDENTITY_BYTES = REGISTERS["firmware_major"].address, 8
# The lock, and what differs between two servos that are otherwise alike: position, speed, load, voltage, temperature.
_STATE, _STATE_BYTES = REGISTERS["lock"].address, 9
_TRIES = 3
_PATIENCE_S = 0.012  # beyond the computed end of an answer, as long as nobody has shown to be quicker


@dataclass(frozen=True)
class FoundServo:
    """Somebody who answers as ``id`` at ``baud``.

    ``shared``: the answers to one question differ or are garbled, time and again, as when several servos
    have this id. ``model``, ``firmware`` and ``return_delay_us`` are None when no answer was readable.
    ``status``: bits as in registers.Status. ``unlocked``: it said that its EEPROM's lock is open.
    """

    id: int
    baud: int
    model: int | None = None
    firmware: str | None = None
    return_delay_us: int | None = None
    status: int = 0
    shared: bool = False
    unlocked: bool = False


def search(line: Line, likely: Sequence[int], others: Sequence[int], progress: Callable[[], None]) -> list[FoundServo]:
    """Ask the likely ids, then the others; returns who answered, by id. ``progress`` is called after each id.

    An id where nobody is costs its whole patience: once a servo has shown how quick answers are on this
    computer and adapter, the others get twice that and not more. A likely one that is silent gets a second chance.
    """
    found, patience_s = [], None
    for servo_id in (*likely, *others):
        somebody = look(line, servo_id, patience_s or _PATIENCE_S)
        if somebody is None and servo_id in likely:
            somebody = look(line, servo_id, _PATIENCE_S)
        if somebody is not None:
            found.append(somebody)
            if patience_s is None and somebody.model is not None and not somebody.shared:
                patience_s = min(_PATIENCE_S, 2 * _slowest_answer_s(line, servo_id) + 0.002)
        progress()
    return sorted(found, key=lambda somebody: somebody.id)


def look(line: Line, servo_id: int, patience_s: float = _PATIENCE_S) -> FoundServo | None:
    """Who answers as this id, or None after silence."""
    heard = False
    for _ in range(_TRIES):
        packets, garbage = line.read_all_replies(servo_id, _IDENTITY, _IDENTITY_BYTES, margin_s=patience_s)
        heard |= garbage
        if packets or not heard:
            break
    if not packets and not heard:
        return None
    states = [line.read_all_replies(servo_id, _STATE, _STATE_BYTES, margin_s=patience_s) for _ in range(_TRIES)]
    disagreements = sum(noise or len({packet.params for packet in told}) > 1 for told, noise in states)
    shared = disagreements > _TRIES // 2  # noise on the line spoils an answer now and then, not most of them
    if not packets:
        return FoundServo(servo_id, line.port.baud, shared=shared)
    identity, status = packets[0].params, packets[0].code
    return FoundServo(
        servo_id,
        line.port.baud,
        model=int.from_bytes(identity[3:5], "little"),
        firmware=f"{identity[0]}.{identity[1]}",
        return_delay_us=identity[7] * 2,
        status=status,
        shared=shared,
        unlocked=any(packet.params[:1] == b"\0" for told, _ in states for packet in told),
    )


def _slowest_answer_s(line: Line, servo_id: int) -> float:
    slowest_s = 0.0
    for _ in range(5):
        start_s = line.port.now()
        if line.read(servo_id, _IDENTITY, _IDENTITY_BYTES, retries=0) is not None:
            slowest_s = max(slowest_s, line.port.now() - start_s)
    return slowest_s or _PATIENCE_S
