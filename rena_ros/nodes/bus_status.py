"""The bus as one diagnostic status: how it does, and what is wrong with it."""

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from rena_ros.bus.bus import BusState
from rena_ros.bus.registers import STATUS_BITS
from rena_ros.gate import Gate


class BusStatus:
    """Gathers what the servos node sees between two messages."""

    def __init__(self, gate: Gate, port: str) -> None:
        self._gate = gate
        self._port = port
        self._state: BusState | None = None
        self._read_ms: list[float] = []
        self._since_s = time.monotonic()
        self._stale = np.zeros(len(gate.robot.names), int)

    def saw(self, state: BusState) -> None:
        """Take note of one read of all states."""
        self._state = state
        self._stale += ~state.fresh
        self._read_ms.append(self._gate.bus.counters.cycle_s * 1e3)

    def message(self) -> DiagnosticStatus:
        """The status since the last call; then it starts anew. Counters run since the port was opened."""
        gate, now_s = self._gate, time.monotonic()
        level, text = self._verdict()
        values = {
            "connected": gate.bus is not None,
            "torque": gate.torque,
            "bus_rate_hz": f"{len(self._read_ms) / (now_s - self._since_s):.1f}",
            "read_ms": f"{np.median(self._read_ms):.2f}" if self._read_ms else "",
            "read_max_ms": f"{max(self._read_ms):.2f}" if self._read_ms else "",
            "commands_written": gate.commands.written,
            "commands_refused": gate.commands.refused,
            "commands_clamped": gate.commands.clamped,
        }
        if gate.bus is not None:
            counters = gate.bus.counters
            for name in ("sync_writes", "reads", "stale_readings", "reply_errors", "retries", "discarded_bytes"):
                values[name] = getattr(counters, name)
        values |= self._extremes()
        self._read_ms, self._since_s = [], now_s
        self._stale[:] = 0
        return DiagnosticStatus(
            level=level,
            name="servos: bus",
            hardware_id=self._port,
            message=text,
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
        )

    def _verdict(self) -> tuple[bytes, str]:
        if self._gate.bus is None:
            return DiagnosticStatus.ERROR, f"disconnected from {self._port}"
        names = self._gate.robot.names
        reads = len(self._read_ms)
        silent = [name for name, stale in zip(names, self._stale, strict=True) if reads and stale == reads]
        if silent:
            return DiagnosticStatus.ERROR, f"silent: {', '.join(silent)}"
        if self._state is not None and self._state.status.any():
            return DiagnosticStatus.WARN, ", ".join(
                f"{name}: {_conditions(status)}"
                for name, status in zip(names, self._state.status.tolist(), strict=True)
                if status
            )
        if self._stale.any():
            return DiagnosticStatus.WARN, f"{int(self._stale.sum())} stale readings in the last second"
        return DiagnosticStatus.OK, "torque on" if self._gate.torque else "limp"

    def _extremes(self) -> dict[str, str]:
        """The hottest servo and the lowest and highest voltage among those that have ever answered."""
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


def _conditions(status: int) -> str:
    return " and ".join(text for bit, text in STATUS_BITS.items() if status & bit) or f"status {status}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
