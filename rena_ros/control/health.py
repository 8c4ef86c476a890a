"""Judge servos and bus: measured values and thresholds in, a level and a line of text out. Pure; no ROS, no bus.

Levels are those of diagnostic_msgs/DiagnosticStatus. ERROR: the user must act. WARN: operation goes on, but not as it
should. STALE: the servo has been silent for so long that nothing can be said. The worst finding gives the level; the
message names every finding, the worst first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from rena_ros.robot.model import Band, Thresholds

_BAD_SHARE = 0.05  # of a second's states: if more are missing, the wiring is at fault, not chance
_SLOW_REPLIES_US = 2000  # a larger sum of return delays is a warning


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Verdict:
    """A level, and the reason in one line."""

    level: Level
    message: str


@dataclass(frozen=True)
class ServoHealth:
    """What is known of one servo; None: not known.

    ``age_s``: since its last reply (None: it never replied). ``fresh``: share of the last second's reads to which it
    replied, [0, 1]. ``load``: fraction of full torque. ``conditions``: what its status byte reports, in words.
    ``torque``: what its torque register says; ``commanded``: the torque that was last written. ``held_back``: why it
    gets no goals although torque is on at other servos.
    """

    age_s: float | None = None
    fresh: float | None = None
    temperature_c: float | None = None
    voltage_v: float | None = None
    load: float | None = None
    current_a: float | None = None
    conditions: tuple[str, ...] = ()
    torque: bool | None = None
    commanded: bool | None = None
    held_back: str | None = None


@dataclass(frozen=True)
class BusHealth:
    """What is known of the bus.

    ``silent``, ``torque_lost`` (off though switched on), ``refusing`` (on though switched off) and ``still_on`` (left
    on by an earlier program) name servos. ``lost_share``: missing states of the last second, [0, 1].
    ``return_delay_us``: sum over all servos.
    """

    port: str
    connected: bool = False
    stopped: bool = False
    torque: bool = False
    silent: Sequence[str] = ()
    torque_lost: Sequence[str] = ()
    refusing: Sequence[str] = ()
    still_on: Sequence[str] = ()
    lost_share: float = 0.0
    return_delay_us: int = 0


Finding = tuple[Level, str]


def judge_servo(thresholds: Thresholds, health: ServoHealth) -> Verdict:
    """Judge one servo by the thresholds of its robot."""
    if health.age_s is None:
        return Verdict(Level.STALE, "has never replied: check its power, cable, id and rate")
    late = _beyond(thresholds.age_s, health.age_s, "silent for {:.1f} s")
    if late and late[0][0] is Level.ERROR:
        return Verdict(Level.STALE, late[0][1])
    findings = _torque(health) + late
    findings += [(Level.ERROR, f"reports {condition}") for condition in health.conditions]
    findings += _beyond(thresholds.temperature_c, health.temperature_c, "{:.0f} C")
    findings += _beyond(thresholds.voltage_low_v, health.voltage_v, "only {:.1f} V", low=True)
    findings += _beyond(thresholds.voltage_high_v, health.voltage_v, "{:.1f} V")
    findings += _beyond(thresholds.load, health.load, "load {:.0%}")
    findings += _beyond(thresholds.current_a, health.current_a, "{:.2f} A")
    if health.fresh is not None and health.fresh < 1 - _BAD_SHARE:
        findings.append((Level.WARN, f"replied to only {health.fresh:.0%} of the last second's reads"))
    return _verdict(findings, "torque on" if health.torque else "limp")


def judge_bus(health: BusHealth, further: Sequence[Finding] = ()) -> Verdict:
    """Judge the bus as a whole; ``further`` findings count while it is connected."""
    if not health.connected:
        return Verdict(Level.ERROR, f"disconnected from {health.port}" + (", stopped" if health.stopped else ""))
    findings: list[Finding] = []
    for names, what in (
        (health.refusing, "refuses to switch its torque off"),
        (health.torque_lost, "torque is off though it was switched on; the service set_torque switches it on again"),
        (health.silent, "silent"),
    ):
        if names:
            findings.append((Level.ERROR, f"{what}: {', '.join(names)}"))
    if health.stopped:
        findings.append((Level.WARN, "stopped; the service reset lifts it"))
    if health.still_on:
        findings.append((Level.WARN, f"torque still on from an earlier program: {', '.join(health.still_on)}"))
    if health.lost_share > _BAD_SHARE:
        findings.append((Level.WARN, f"{health.lost_share:.0%} of the last second's states are missing"))
    if health.return_delay_us > _SLOW_REPLIES_US:
        slow = f"the servos' return delays add {health.return_delay_us / 1e3:.1f} ms to each read"
        findings.append((Level.WARN, f"{slow}; `rena servo set-return-delay` sets them to 0"))
    return _verdict([*findings, *further], "torque on" if health.torque else "limp")


def _torque(health: ServoHealth) -> list[Finding]:
    if health.commanded and health.torque is False:
        return [(Level.ERROR, "torque is off though it was switched on")]
    if health.commanded is False and health.torque:
        return [(Level.ERROR, "torque is still on though it was switched off")]
    if health.commanded is None and health.torque:
        return [(Level.WARN, "torque still on from an earlier program")]
    if health.commanded and health.torque is None:
        return [(Level.ERROR, "its torque register cannot be read: its torque is unknown")]
    return [(Level.ERROR, health.held_back)] if health.held_back else []


def _beyond(band: Band, value: float | None, text: str, low: bool = False) -> list[Finding]:
    """Judge a value by its upper limits, by its lower ones if ``low``; a value at a limit is beyond it."""
    for level, limit in ((Level.ERROR, band.error), (Level.WARN, band.warn)):
        if value is not None and limit is not None and (value <= limit if low else value >= limit):
            return [(level, text.format(value))]
    return []


def _verdict(findings: list[Finding], default: str) -> Verdict:
    if not findings:
        return Verdict(Level.OK, default)
    ordered = sorted(findings, key=lambda finding: -finding[0])  # stable: within a level, in the order of judging
    return Verdict(ordered[0][0], "; ".join(text for _, text in ordered))
