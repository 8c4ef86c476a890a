"""What the faults of the moment make of the servos' states, and of the frames they answer with. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.protocol import HEADER, OVERHEAD_BYTES
from rena_ros.bus.registers import BAUDS
from rena_ros.emulator.fault_schedule import FaultSchedule, ScheduledFault
from rena_ros.emulator.faults import REJECTED
from rena_ros.emulator.wire import TimedReply


@dataclass(frozen=True)
class FaultConditions:
    """The states of n servos, arrays (n,). ``temperature_c`` and ``voltage`` (0.1 V) are -1 where nothing is wrong."""

    deaf: np.ndarray
    rejecting: np.ndarray
    stuck: np.ndarray
    overloaded: np.ndarray
    eeprom_locked: np.ndarray
    encoder: np.ndarray
    temperature_c: np.ndarray
    voltage: np.ndarray


def fault_conditions(active: list[ScheduledFault], count: int) -> FaultConditions:
    """All states that the active faults amount to. A fault that hits only some answers is no state."""
    found = {
        name: np.zeros(count, bool) for name in ("dead", "reject", "stuck", "overload", "eeprom_locked", "encoder")
    }
    temperature_c, voltage = np.full(count, -1), np.full(count, -1)
    for one in active:
        fault, where = one.fault, list(one.servos)
        if fault.kind in found and not fault.sometimes:
            found[fault.kind][where] = True
        elif fault.kind == "overheat":
            temperature_c[where] = fault.value("temperature_c")
        elif fault.kind == "undervoltage":
            voltage[where] = round(fault.value("voltage_v") * 10)
    return FaultConditions(
        deaf=found["dead"],
        rejecting=found["reject"],
        stuck=found["stuck"],
        overloaded=found["overload"],
        eeprom_locked=found["eeprom_locked"],
        encoder=found["encoder"],
        temperature_c=temperature_c,
        voltage=voltage,
    )


def eeprom_settings(one: ScheduledFault, ids: np.ndarray, index: dict[str, int]) -> dict[str, int]:
    """The EEPROM registers that a fault sets, as a set-up gone wrong leaves them: tools can put them right."""
    fault = one.fault
    if fault.kind == "return_delay":
        return {"return_delay": round(fault.value("us") / 2)}
    if fault.kind == "wrong_baud":
        return {"baud_code": BAUDS.index(fault.value("baud"))}
    if fault.kind == "same_id":
        return {"id": int(ids[index[fault.value("with")]])}
    return {}


def alter_reply(answer: TimedReply, faults: FaultSchedule) -> list[TimedReply]:
    """What becomes of one servo's answer on its way: nothing, itself, or something worse."""
    servo, frame = answer.servo, answer.frame
    if faults.hits("dead", servo):
        return []
    if faults.hits("reject", servo):
        frame = protocol.reply(frame[2], frame[4] | REJECTED, bytes(len(frame) - OVERHEAD_BYTES))
    if fault := faults.hits("wrong_id", servo):
        frame = protocol.reply(fault.value("id"), frame[4], frame[5:-1])
    if faults.hits("corrupt", servo):
        frame = _one_bit_wrong(frame, faults.rng)
    if fault := faults.hits("truncated", servo):
        kept = fault.value("bytes")
        frame = frame[: len(frame) // 2 if kept is None else kept]
    answer = replace(answer, frame=frame)
    if fault := faults.hits("late", servo):
        late_s = fault.value("delay_ms") / 1000
        answer = (
            replace(answer, delay_s=answer.delay_s + late_s) if fault.value("hold") else replace(answer, late_s=late_s)
        )
    if faults.hits("duplicated", servo):
        return [answer, replace(answer, delay_s=0.0)]
    return [answer]


def _one_bit_wrong(frame: bytes, rng: np.random.Generator) -> bytes:
    spoilt = bytearray(frame)
    spoilt[int(rng.integers(len(HEADER), len(frame)))] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)
