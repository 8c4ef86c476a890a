"""What speaks against moving the robot at this moment: statuses, states and readings in, a reason out. No clock.

Levels and values decide, not the English of a status; its text is only passed on. A cause that is gone must stay away
for ``CLEAR_S``, and a servo that was hot or overloaded must come down to its warning threshold. A servo that gives
cause again soon after has less and less to do: each time, the pause is twice as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rena_ros.control.arbiter import OPERATOR
from rena_ros.control.health import Level
from rena_ros.robot.model import Band, Robot

CLEAR_S, LONGEST_CLEAR_S = 2.0, 120.0
CALM_S = 60.0  # after so long without a pause because of servos, the next one is short again
STALL_S = 2.0  # readings and joint states come many times a second
STATUS_STALL_S = 3.5  # statuses come once a second
FACE_BACK_S = 1.0
FACELESS_LIMIT = 5
_SHOWN = 3


@dataclass(frozen=True)
class StatusReport:
    """One status of /diagnostics. ``node``: its node, without namespace; ``part``: what of it, such as "bus"."""

    node: str
    part: str
    level: int
    message: str
    values: Mapping[str, str]

    def number(self, key: str) -> float | None:
        """Return a value as a number; None when it is none."""
        try:
            return float(self.values.get(key, ""))
        except ValueError:
            return None


class Protection:
    """Collects what is known of servos, pictures and recorder; ``now_s``: seconds of a clock that is never set."""

    def __init__(self, robot: Robot, now_s: float, faceless_limit: int = FACELESS_LIMIT) -> None:
        """``faceless_limit``: so many tries without a face in a row are a cause."""
        self._robot, self._limit = robot, faceless_limit
        self._bus: StatusReport | None = None
        self._bus_s = self._state_s = self._reading_s = self._cause_s = now_s
        self._servos: dict[str, tuple[str, str]] = {}  # servo -> kind of its cause, text
        self._recorder: dict[str, str] = {}
        self._camera = ""
        self._seen_state = self._seen_reading = False
        self._faceless, self._face_since_s, self._hidden = 0, float("inf"), False
        self._because, self._clear_s, self._servo_s = "starting", CLEAR_S, float("-inf")
        self._reads, self._port_lost = 0.0, False

    def note(self, status: StatusReport, now_s: float) -> None:
        """Note one status of servos, recorder or camera; others are ignored."""
        if status.node == "servos" and status.part == "bus":
            self._note_port(status)
            self._bus, self._bus_s = status, now_s
        elif status.node == "servos" and status.part in self._robot.index:
            self._servos[status.part] = self._servo_cause(status)
        elif status.node == "recorder":
            text = f"the recorder reports: {status.message}" if status.level >= Level.ERROR else ""
            self._recorder[status.part] = text
        elif status.node == "camera":
            self._camera = f": {status.message}" if status.level >= Level.WARN else ""

    def state(self, now_s: float) -> None:
        """Note that joint states come."""
        self._state_s, self._seen_state = now_s, True

    def reading(self, face: bool, now_s: float) -> None:
        """Note that a picture was read."""
        self._reading_s, self._seen_reading = now_s, True
        self._face_since_s = min(self._face_since_s, now_s) if face else float("inf")
        if now_s - self._face_since_s >= FACE_BACK_S:
            self._hidden = False

    def tried(self, face: bool) -> None:
        """Note a try in which the picture showed a face or none."""
        self._faceless = 0 if face else self._faceless + 1
        if self._faceless >= self._limit:
            self._hidden, self._faceless, self._face_since_s = True, 0, float("inf")

    @property
    def can_command(self) -> bool:
        """Whether the servos node follows commands: it is connected and torque is on."""
        return self._bus is not None and _is(self._bus, connected=True, torque=True, stopped=False)

    @property
    def has_lost_torque(self) -> bool:
        """Whether torque is off only because the port was lost meanwhile and is back."""
        return self._port_lost and self._bus is not None and _is(self._bus, connected=True, torque=False, stopped=False)

    def because(self, now_s: float, *further: str) -> str:
        """Return why the robot must not babble now, or ""; ``further``: causes that are known elsewhere, or ""."""
        bus = self._bus_causes(now_s)
        servos = [] if bus else [text for _, text in self._servos.values() if text]
        causes = [*filter(None, further), *bus, *_shortened(servos), *self._other_causes(now_s, bool(bus or servos))]
        if causes and not self._because:
            again = bool(servos) and now_s - self._servo_s < CALM_S
            self._clear_s = min(2 * self._clear_s, LONGEST_CLEAR_S) if again else CLEAR_S
        if servos:
            self._servo_s = now_s
        if causes:
            self._because, self._cause_s = "; ".join(causes), now_s
        elif now_s - self._cause_s >= self._clear_s:
            self._because = ""
        return self._because

    def _note_port(self, bus: StatusReport) -> None:
        """Note whether the port was lost while torque was on; the servos node's count of reads begins again then."""
        reads = bus.number("reads") or 0.0
        torque_was_on = self._bus is not None and _is(self._bus, torque=True)
        if torque_was_on and (not _is(bus, connected=True) or reads < self._reads):
            self._port_lost = True
        if _is(bus, torque=True) or _is(bus, stopped=True):
            self._port_lost = False
        self._reads = reads

    def _other_causes(self, now_s: float, explained: bool) -> list[str]:
        """What stalls; ``explained``: whether bus or servos explain that no states come."""
        causes = []
        if not explained and (not self._seen_state or now_s - self._state_s > STALL_S):
            causes.append("no joint states come")
        if not self._seen_reading or now_s - self._reading_s > STALL_S:
            causes.append(f"no pictures are read{self._camera}")
        elif self._hidden:
            causes.append("the face is not found in the pictures")
        return causes + [text for text in self._recorder.values() if text]

    def _bus_causes(self, now_s: float) -> list[str]:
        bus = self._bus
        if bus is None or now_s - self._bus_s > STATUS_STALL_S:
            return ["no status comes from the servos node"]
        if not _is(bus, connected=True):
            return ["the servos node is disconnected from the servos"]
        if _is(bus, stopped=True):
            return ["the robot is stopped; the services reset and set_torque lift it"]
        if not _is(bus, torque=True):
            return ["torque is off; the service set_torque switches it on"]
        if bus.values.get("owner") == OPERATOR:
            return ["the operator commands the robot"]
        named = any(text for _, text in self._servos.values())  # they say themselves what is wrong
        return [f"the bus reports: {bus.message}"] if bus.level >= Level.ERROR and not named else []

    def _servo_cause(self, status: StatusReport) -> tuple[str, str]:
        name, limits = status.part, self._robot.thresholds
        held = self._servos.get(name, ("", ""))[0]
        temperature_c, load = status.number("temperature_c"), status.number("load")
        if status.level >= Level.STALE:
            return "lost", f"{name} is lost ({status.message})"
        if temperature_c is not None and _beyond(limits.temperature_c, temperature_c, held == "hot"):
            return "hot", f"{name} is hot: {temperature_c:.0f} C"
        if load is not None and _beyond(limits.load, load, held == "overloaded"):
            return "overloaded", f"{name} is overloaded: {load:.0%} of its torque"
        return ("error", f"{name}: {status.message}") if status.level >= Level.ERROR else ("", "")


def _shortened(texts: list[str]) -> list[str]:
    return texts[:_SHOWN] + ([f"{len(texts) - _SHOWN} servos more"] if len(texts) > _SHOWN else [])


def _is(status: StatusReport, **values: bool) -> bool:
    return all(status.values.get(key) == str(value).lower() for key, value in values.items())


def _beyond(band: Band, value: float, held: bool) -> bool:
    limit = band.warn if held and band.warn is not None else band.error
    return limit is not None and value >= limit
