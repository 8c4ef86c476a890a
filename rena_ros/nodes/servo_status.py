"""One diagnostic status per servo: its state over the last second and what is wrong with it."""

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from rena_ros.bus.registers import condition_names
from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.gate import Gate
from rena_ros.control.health import Level, ServoHealth, Verdict, judge_servo
from rena_ros.nodes.messages import status_msg

_FORMATS = {"temperature_c": ".0f", "voltage_v": ".1f", "load": ".3f", "current_a": ".3f", "age_s": ".2f"}


class ServoStatus:
    """Collects the servos' states between two messages; arrays (n,) in the order of ``Robot.names``."""

    def __init__(self, gate: Gate, node: str, port: str) -> None:
        """``node``: the node's name with its namespace, for there may be two robots."""
        self._gate, self._node, self._port = gate, node, port
        self._state: BusState | None = None
        self._current_a = np.full(len(gate.robot.names), np.nan)
        self._clear()

    def add(self, state: BusState) -> None:
        """Add one read of all states."""
        self._state = state
        self._reads += 1
        self._replies += state.fresh
        self._load_sum += np.abs(state.load) * state.fresh

    @property
    def has_read(self) -> bool:
        """Whether the states were ever read: before that, no servo can have replied."""
        return self._state is not None

    def add_health(self, health: HealthState) -> None:
        """Add what is read once a second: the current, A."""
        self._current_a[health.fresh] = np.abs(health.current_a[health.fresh])

    def messages(self, now_s: float) -> list[DiagnosticStatus]:
        """One status per servo for the time since the last call; then the collection starts again."""
        robot = self._gate.robot
        statuses = [self._message(i, self._health(i, now_s)) for i in range(len(robot.names))]
        self._clear()
        return statuses

    def _clear(self) -> None:
        count = len(self._gate.robot.names)
        self._reads = 0
        self._replies, self._load_sum = np.zeros(count, int), np.zeros(count)

    def _health(self, i: int, now_s: float) -> ServoHealth:
        servos, state, replies = self._gate.torque_state, self._state, int(self._replies[i])
        torque = None if servos.register[i] < 0 or servos.unread[i] else bool(servos.register[i])
        commanded = None if servos.commanded[i] < 0 else bool(servos.commanded[i])
        if state is None or not np.isfinite(state.seen_s[i]):
            return ServoHealth(torque=torque, commanded=commanded)
        name, bits = self._gate.robot.names[i], int(state.status[i])
        left_out = self._gate.torque and not servos.driven[i]
        return ServoHealth(
            age_s=max(now_s - float(state.seen_s[i]), 0.0),
            fresh=replies / self._reads if self._reads else None,
            temperature_c=float(state.temperature_c[i]),
            voltage_v=float(state.voltage_v[i]),
            load=float(self._load_sum[i] / replies) if replies else None,
            current_a=None if np.isnan(self._current_a[i]) else float(self._current_a[i]),
            conditions=condition_names(bits) or ((f"status {bits}",) if bits else ()),
            torque=torque,
            commanded=commanded,
            held_back=f"gets no goals: {servos.refusals.get(name, 'it was silent')}" if left_out else None,
        )

    def _message(self, i: int, health: ServoHealth) -> DiagnosticStatus:
        gate = self._gate
        name, servo_id = gate.robot.names[i], int(gate.robot.ids[i])
        verdict = Verdict(Level.STALE, "disconnected")
        values = {"id": servo_id, "torque": {None: "unknown", True: "on", False: "off"}[health.torque]}
        values["driven"] = bool(gate.torque_state.driven[i])
        for key, digits in _FORMATS.items():
            value = getattr(health, key)
            values[key] = "" if value is None else format(value, digits)
        values["fresh_percent"] = "" if health.fresh is None else f"{100 * health.fresh:.0f}"
        if gate.bus is not None:
            verdict = judge_servo(gate.robot.thresholds, health)
            errors = gate.bus.errors
            values |= {key: int(getattr(errors, key)[i]) for key in ("missed", "rejected", "corrupt")}
        return status_msg(
            f"{self._node}: {name}", verdict.level, verdict.message, values, hardware_id=f"{self._port} id {servo_id}"
        )
