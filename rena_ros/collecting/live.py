"""A collection session over ROS: start the nodes, watch them until the samples are there, and end them in order."""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from rena_ros.base.errors import RenaError
from rena_ros.base.signals import end_noted
from rena_ros.collecting.progress_view import BABBLE, CollectProgress, CollectView, ShownStatus, progress_of
from rena_ros.graph import Process
from rena_ros.processes.ending import ProcessDied, take_down
from rena_ros.processes.supervisor import Supervisor
from rena_ros.processes.usage import cpu_of

LOOK_S = 0.2
EASE_WAIT_S = 1.0  # after a failure: the servos node eases to neutral before torque goes off
BABBLE_NODE = "babble"


@dataclass
class LiveOutcome:
    """How the live part ended: "complete" (the babble node or the time is over), "interrupted" or "failed".

    ``progress``: the babble node's last; ``cpu_percent``: of one core, by process; ``forced``: processes that SIGINT
    did not end, with the signal that did.
    """

    ending: str = "interrupted"
    failure: RenaError | None = None
    progress: CollectProgress = field(default_factory=CollectProgress)
    seconds: float = 0.0
    cpu_percent: dict[str, float] = field(default_factory=dict)
    forced: dict[str, str] = field(default_factory=dict)


class LiveSession:
    """One run of the processes of a collection graph."""

    def __init__(
        self, processes: Sequence[Process], directory: Path, console: Console, namespace: str, params_file: Path
    ) -> None:
        """``directory``: the session's folder; ``params_file``: parameters of every node but those that it is given."""
        self._processes, self._log, self._console = processes, directory / "log", console
        self._namespace, self._params_file = namespace, params_file
        self._supervisor = Supervisor(self._log)
        self._cpu: dict[str, float] = {}
        self._began_s = time.monotonic()

    def run(self, title: str, earlier: int, samples: int, limit_s: float | None = None) -> LiveOutcome:
        """Run until all samples are there, Ctrl-C, or the death of a process; ``earlier``: samples of earlier runs.

        ``limit_s``: end then in any case; None: no limit.
        """
        outcome = LiveOutcome()
        with contextlib.ExitStack() as leaving:
            leaving.callback(self._supervisor.close)
            statuses: Mapping[str, ShownStatus] = {}
            try:
                statuses = self._start(leaving)
                with CollectView(title, earlier, samples, self._console) as view:
                    while not self._is_over() and not self._has_lasted(limit_s):
                        view.show(statuses)
                        time.sleep(LOOK_S)
                outcome.ending = "complete"
            except KeyboardInterrupt:
                pass
            except RenaError as error:
                outcome.ending, outcome.failure = "failed", error
                with contextlib.suppress(KeyboardInterrupt):
                    time.sleep(EASE_WAIT_S)
            outcome.progress = progress_of(statuses.get(BABBLE))
            outcome.seconds = time.monotonic() - self._began_s
            outcome.cpu_percent = {name: 100 * cpu_s / outcome.seconds for name, cpu_s in self._cpu.items()}
            with end_noted() as presses:
                outcome.forced = take_down(self._supervisor, presses, self._tell_of_waiting)
                leaving.close()
        return outcome

    def _start(self, leaving: contextlib.ExitStack) -> Mapping[str, ShownStatus]:
        """Start the monitor and all processes; returns the statuses, which the monitor keeps new."""
        from rena_ros.collecting.monitor import SessionMonitor  # imports rclpy: only after all other checks

        os.environ.setdefault("ROS_LOG_DIR", str(self._log))
        monitor = SessionMonitor(self._namespace)
        leaving.callback(monitor.close)
        output_settings = {"PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0"}
        for process in self._processes:
            command = process.command(params_file=self._params_file, namespace=self._namespace)
            self._supervisor.start(process.name, command, {**output_settings, **os.environ})
        return monitor.statuses

    def _is_over(self) -> bool:
        """Return whether the babble node has ended with code 0. Raises ProcessDied for any other end of a process."""
        for name, pid in self._supervisor.pids().items():
            with contextlib.suppress(OSError):
                self._cpu[name] = cpu_of(pid)
        ends = self._supervisor.ended()
        if wrong := [ended for ended in ends if ended.name != BABBLE_NODE or ended.code != 0]:
            raise ProcessDied(wrong[0], self._log)
        return bool(ends)

    def _has_lasted(self, limit_s: float | None) -> bool:
        return limit_s is not None and time.monotonic() - self._began_s >= limit_s

    def _tell_of_waiting(self, names: str) -> None:
        self._console.print(f"waiting for {names} to end; Ctrl-C again ends them by force", markup=False)
