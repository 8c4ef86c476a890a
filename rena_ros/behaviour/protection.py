"""What speaks against moving the robot at this moment: statuses, states and readings in, a reason out. No clock.

Levels and values decide, not the English of a status; its text is only passed on. A cause that is gone must stay away
for ``CLEAR_S``, and a servo that was hot or overloaded must come down to its warning threshold.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rena_ros.control.arbiter import OPERATOR
from rena_ros.control.health import Level
from rena_ros.robot.model import Band, Robot

CLEAR_S = 2.0
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
        self._because = "starting"

    def note(self, status: StatusReport, now_s: float) -> None:
        """Note one status of servos, recorder or camera; others are ignored."""
        if status.node == "servos" and status.part == "bus":
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

    def because(self, now_s: float, *further: str) -> str:
        """Return why the robot must not babble now, or ""; ``further``: causes that are known elsewhere, or ""."""
        causes = [*filter(None, further), *self._causes(now_s)]
        if causes:
            self._because, self._cause_s = "; ".join(causes), now_s
        elif now_s - self._cause_s >= CLEAR_S:
            self._because = ""
        return self._because

    def _causes(self, now_s: float) -> list[str]:
        causes = self._bus_causes(now_s)
        if not causes:
            servos = [text for _, text in self._servos.values() if text]
            more = [f"{len(servos) - _SHOWN} servos more"] if len(servos) > _SHOWN else []
            causes += servos[:_SHOWN] + more
        if not causes and (not self._seen_state or now_s - self._state_s > STALL_S):
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
        explained = any(text for _, text in self._servos.values())  # by servos that name themselves
        return [f"the bus reports: {bus.message}"] if bus.level >= Level.ERROR and not explained else []

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


def _is(status: StatusReport, **values: bool) -> bool:
    return all(status.values.get(key) == str(value).lower() for key, value in values.items())


def _beyond(band: Band, value: float, held: bool) -> bool:
    limit = band.warn if held and band.warn is not None else band.error
    return limit is not None and value >= limit
