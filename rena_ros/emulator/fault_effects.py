"""What the active faults do to the servos' conditions, to their EEPROM and to their replies. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rena_ros.base.arrays import BoolArray, IntArray
from rena_ros.bus import protocol
from rena_ros.bus.protocol import HEADER, OVERHEAD_BYTES
from rena_ros.bus.registers import BAUDS
from rena_ros.emulator.fault_schedule import FaultSchedule, ScheduledFault
from rena_ros.emulator.faults import REJECTED
from rena_ros.emulator.wire import TimedReply


@dataclass(frozen=True)
class FaultConditions:
    """Arrays (n,), named as their fault kinds; ``temperature_c`` and ``voltage`` (0.1 V) are -1 without a fault."""

    dead: BoolArray
    reject: BoolArray
    stuck: BoolArray
    overload: BoolArray
    eeprom_locked: BoolArray
    encoder: BoolArray
    temperature_c: IntArray
    voltage: IntArray


def fault_conditions(active: Sequence[ScheduledFault], count: int) -> FaultConditions:
    """Return the conditions of ``count`` servos; a fault that hits only some replies is no condition."""
    kinds = ("dead", "reject", "stuck", "overload", "eeprom_locked", "encoder")
    found = {kind: np.zeros(count, bool) for kind in kinds}
    temperature_c, voltage = np.full(count, -1), np.full(count, -1)
    for one in active:
        fault, which = one.fault, list(one.servos)
        if fault.kind in found and not fault.sometimes:
            found[fault.kind][which] = True
        elif fault.kind == "overheat":
            temperature_c[which] = fault.value("temperature_c")
        elif fault.kind == "undervoltage":
            voltage[which] = round(fault.value("voltage_v") * 10)
    return FaultConditions(**found, temperature_c=temperature_c, voltage=voltage)


def eeprom_settings(one: ScheduledFault, ids: IntArray, index: Mapping[str, int]) -> dict[str, int]:
    """Return the EEPROM registers that a fault sets, as a faulty set-up does; ``ids`` (n,): the present ids."""
    fault = one.fault
    if fault.kind == "return_delay":
        return {"return_delay": round(fault.value("us") / 2)}
    if fault.kind == "wrong_baud":
        return {"baud_code": BAUDS.index(fault.value("baud"))}
    if fault.kind == "same_id":
        return {"id": int(ids[index[fault.value("with")]])}
    return {}


def alter_reply(reply: TimedReply, faults: FaultSchedule) -> list[TimedReply]:
    """Return what the active faults leave of one servo's reply: nothing, the reply, an altered one, or two."""
    servo, frame = reply.servo, reply.frame
    if faults.hits("dead", servo):
        return []
    if faults.hits("reject", servo):
        frame = protocol.reply(frame[2], frame[4] | REJECTED, bytes(len(frame) - OVERHEAD_BYTES))
    if fault := faults.hits("wrong_id", servo):
        frame = protocol.reply(fault.value("id"), frame[4], frame[5:-1])
    if faults.hits("corrupt", servo):
        frame = _with_one_bit_wrong(frame, faults.rng)
    if fault := faults.hits("truncated", servo):
        kept = fault.value("bytes")
        frame = frame[: len(frame) // 2 if kept is None else kept]
    reply = replace(reply, frame=frame)
    if fault := faults.hits("late", servo):
        late_s = fault.value("delay_ms") / 1000
        held = fault.value("hold")
        reply = replace(reply, delay_s=reply.delay_s + late_s) if held else replace(reply, late_s=late_s)
    if faults.hits("duplicated", servo):
        return [reply, replace(reply, delay_s=0.0)]
    return [reply]


def _with_one_bit_wrong(frame: bytes, rng: np.random.Generator) -> bytes:
    corrupt = bytearray(frame)
    corrupt[int(rng.integers(len(HEADER), len(frame)))] ^= 1 << int(rng.integers(8))
    return bytes(corrupt)
