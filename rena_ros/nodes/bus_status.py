"""One diagnostic status for the bus: its figures over the last second and what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from rena_ros.bus.states import BusState
from rena_ros.control.arbiter import NO_SOURCE, SOURCES, Arbiter
from rena_ros.control.command_health import CommandWatch, judge_commands
from rena_ros.control.gate import Gate
from rena_ros.control.health import BusHealth, Finding, judge_bus
from rena_ros.nodes.messages import status_msg

_COUNTED = ("sync_writes", "reads", "stale_readings", "reply_errors", "retries", "unanswered", "rejected", "echoes")


class BusStatus:
    """Collects what the servos node reads, and in ``commands`` by source what became of them, between two messages."""

    def __init__(
        self,
        gate: Gate,
        arbiter: Arbiter,
        crowded: Callable[[], Mapping[str, Sequence[str]]],
        node: str,
        port: str,
        now_s: float,
    ) -> None:
        """``node``: the node's name with its namespace, for there may be two robots.

        ``crowded`` returns the publishing nodes of command topics on which several command in turn.
        """
        self.commands = {source: CommandWatch() for source in SOURCES}
        self._crowded = crowded
        self._gate, self._arbiter, self._node, self._port = gate, arbiter, node, port
        self._delays_us: dict[str, int] = {}
        self._state: BusState | None = None
        self._clear(now_s)

    def connected(self, delays_us: dict[str, int]) -> None:
        """A connection was made; ``delays_us``: return delays of the servos that reply, by name."""
        self._delays_us, self._state = delays_us, None
        self._wire_s = 0.0

    def add(self, state: BusState) -> None:
        """Add one read of all states."""
        self._state = state
        self._stale += ~state.fresh
        if self._gate.bus is not None:
            self._read_ms.append(self._gate.bus.counters.cycle_s * 1e3)

    def message(self, now_s: float) -> DiagnosticStatus:
        """The status since the last call; then the collection starts again. Counters run since the port was opened."""
        gate = self._gate
        verdict = judge_bus(self._health(), self._command_findings(now_s))
        values = {
            "connected": gate.bus is not None,
            "torque": gate.torque,
            "stopped": gate.stopped,
            "driven": int(gate.torque_state.driven.sum()),
            "bus_rate_hz": f"{len(self._read_ms) / max(now_s - self._since_s, 1e-9):.1f}",
            "read_ms": f"{np.median(self._read_ms):.2f}" if self._read_ms else "",
            "read_max_ms": f"{max(self._read_ms):.2f}" if self._read_ms else "",
            "wire_percent": f"{100 * self._utilisation(now_s):.0f}",
            "return_delay_us": sum(self._delays_us.values()),
            "commands_written": gate.commands.written,
            "commands_refused": gate.commands.refused,
            "commands_clamped": gate.commands.clamped,
            "commands_clamped_far": gate.commands.far,
        }
        values |= self._ownership(now_s)
        if gate.bus is not None:
            counters = gate.bus.counters
            values |= {name: getattr(counters, name) for name in (*_COUNTED, "discarded_bytes")}
        values |= self._extremes()
        self._clear(now_s)
        return status_msg(f"{self._node}: bus", verdict.level, verdict.message, values, hardware_id=self._port)

    def _clear(self, now_s: float) -> None:
        bus = self._gate.bus
        self._wire_s = bus.counters.wire_s if bus is not None else 0.0
        self._since_s = now_s
        for watch in self.commands.values():
            watch.clear()
        self._followed = dict(self._arbiter.followed)
        self._read_ms: list[float] = []
        self._stale = np.zeros(len(self._gate.robot.names), int)

    def _health(self) -> BusHealth:
        gate, servos, reads = self._gate, self._gate.torque_state, len(self._read_ms)
        return BusHealth(
            port=self._port,
            connected=gate.bus is not None,
            stopped=gate.stopped,
            torque=gate.torque,
            silent=self._names(self._stale == reads) if reads else (),
            torque_lost=self._names(servos.lost),
            refusing=self._names(servos.refusing),
            still_on=self._names(servos.left_on),
            lost_share=float(self._stale.sum() / (reads * len(self._stale))) if reads else 0.0,
            return_delay_us=sum(self._delays_us.values()),
        )

    def _command_findings(self, now_s: float) -> list[Finding]:
        gate, arbiter = self._gate, self._arbiter
        refusal = None if gate.stopped else gate.refusal  # a stop is a finding of its own
        health = {
            source: watch.health(refusal, arbiter.slow_period_s(source, now_s))
            for source, watch in self.commands.items()
        }
        return judge_commands(health, arbiter.timeout_s, self._crowded())

    def _utilisation(self, now_s: float) -> float:
        bus = self._gate.bus
        return (bus.counters.wire_s - self._wire_s) / max(now_s - self._since_s, 1e-9) if bus is not None else 0.0

    def _ownership(self, now_s: float) -> dict[str, object]:
        """The source that commands the robot, its commands per second, and ignored commands by source."""
        arbiter, owner, rate_hz = self._arbiter, self._arbiter.owner(now_s), ""
        if owner != NO_SOURCE:
            count = arbiter.followed[owner] - self._followed[owner]
            rate_hz = f"{count / max(now_s - self._since_s, 1e-9):.1f}"
        ignored = {f"ignored_{source}": count for source, count in arbiter.ignored.items()}
        return {"owner": owner, "owner_rate_hz": rate_hz, **ignored}

    def _extremes(self) -> dict[str, str]:
        """The hottest servo and the lowest and highest voltage, among the servos that have ever replied."""
        state = self._state
        if state is None or not np.isfinite(state.seen_s).any():
            return {}
        known = np.isfinite(state.seen_s)
        hottest = int(np.argmax(np.where(known, state.temperature_c, -1)))
        return {
            "max_temperature_c": f"{state.temperature_c[hottest]} ({self._gate.robot.names[hottest]})",
            "min_voltage_v": f"{state.voltage_v[known].min():.1f}",
            "max_voltage_v": f"{state.voltage_v[known].max():.1f}",
        }

    def _names(self, mask: np.ndarray) -> tuple[str, ...]:
        return tuple(self._gate.robot.names[i] for i in np.flatnonzero(mask))
