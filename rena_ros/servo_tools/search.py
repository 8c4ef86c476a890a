"""Asking one id after another which servo replies. Reads only: nothing moves and nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rena_ros.bus.line import Line
from rena_ros.bus.registers import REGISTERS, RETURN_DELAY_COUNT_S

RETURN_DELAY_COUNT_US = round(RETURN_DELAY_COUNT_S * 1e6)
FACTORY_ID = REGISTERS["id"].default  # every new servo has this id
# One read identifies a servo: firmware, model, id, baud code, return delay.
_IDENTITY, _IDENTITY_BYTES = REGISTERS["firmware_major"].address, 8
# The lock, and what differs between two servos of one model: position, speed, load, voltage, temperature.
_STATE, _STATE_BYTES = REGISTERS["lock"].address, 9
_TRIES = 3
_MARGIN_S = 0.012  # wait beyond the computed end of a reply, until a servo has shown that replies come sooner


@dataclass(frozen=True)
class FoundServo:
    """What replies as ``id`` at ``baud``.

    ``shared``: most replies to the same request differ or are garbled, as when several servos have this id.
    ``model``, ``firmware`` and ``return_delay_us`` are None when no reply was readable. ``status``: bits as in
    registers.Status. ``unlocked``: a reply said that the EEPROM's lock is open.
    """

    id: int
    baud: int
    model: int | None = None
    firmware: str | None = None
    return_delay_us: int | None = None
    status: int = 0
    shared: bool = False
    unlocked: bool = False


def search_ids(
    line: Line, likely: Sequence[int], others: Sequence[int], progress: Callable[[], None]
) -> list[FoundServo]:
    """Ask the likely ids, then the others; return what was found, ordered by id. Calls ``progress`` after each id.

    An id without a servo costs the whole waiting time. So once a servo has shown how soon replies come on this
    computer and adapter, the next ids get twice that time at most. A likely id that is silent is asked again with the
    full time.
    """
    servos: list[FoundServo] = []
    margin_s = None
    for servo_id in (*likely, *others):
        found = probe_id(line, servo_id, margin_s or _MARGIN_S)
        if found is None and servo_id in likely:
            found = probe_id(line, servo_id, _MARGIN_S)
        if found is not None:
            servos.append(found)
            if margin_s is None and found.model is not None and not found.shared:
                margin_s = min(_MARGIN_S, 2 * _slowest_reply_s(line, servo_id) + 0.002)
        progress()
    return sorted(servos, key=lambda found: found.id)


def probe_id(line: Line, servo_id: int, margin_s: float = _MARGIN_S) -> FoundServo | None:
    """Ask one id which servo it is; None when nothing replies."""
    any_bytes = False
    for _ in range(_TRIES):
        packets, garbage = line.read_all_replies(servo_id, _IDENTITY, _IDENTITY_BYTES, margin_s=margin_s)
        any_bytes |= garbage
        if packets or not any_bytes:
            break
    if not packets and not any_bytes:
        return None
    states = [line.read_all_replies(servo_id, _STATE, _STATE_BYTES, margin_s=margin_s) for _ in range(_TRIES)]
    disagreements = sum(garbage or len({packet.params for packet in replies}) > 1 for replies, garbage in states)
    shared = disagreements > _TRIES // 2  # noise on the line spoils one reply now and then, not most of them
    if not packets:
        return FoundServo(servo_id, line.port.baud, shared=shared)
    identity, status = packets[0].params, packets[0].code
    return FoundServo(
        servo_id,
        line.port.baud,
        model=int.from_bytes(identity[3:5], "little"),
        firmware=f"{identity[0]}.{identity[1]}",
        return_delay_us=identity[7] * RETURN_DELAY_COUNT_US,
        status=status,
        shared=shared,
        unlocked=any(packet.params[:1] == b"\0" for replies, _ in states for packet in replies),
    )


def _slowest_reply_s(line: Line, servo_id: int) -> float:
    slowest_s = 0.0
    for _ in range(5):
        start_s = line.port.now()
        if line.read(servo_id, _IDENTITY, _IDENTITY_BYTES, retries=0) is not None:
            slowest_s = max(slowest_s, line.port.now() - start_s)
    return slowest_s or _MARGIN_S
