"""The live part of a run: start the nodes, watch them until the end, and stop them again."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rena_ros.base.errors import RenaError
from rena_ros.base.signals import end_noted
from rena_ros.graph import TOPICS, Process
from rena_ros.mimic.live import LiveView
from rena_ros.mimic.measurements import Measurements
from rena_ros.mimic.spool import SpoolWriter
from rena_ros.processes.ending import EMULATOR, ProcessDied, take_down
from rena_ros.processes.supervisor import Supervisor
from rena_ros.processes.usage import ProcessUse

STREAMS = ("camera", "robot", "readings", "landmarks")
LINK, LINK_LIMIT_S = "servos", 15.0  # the emulator's port, in the folder of the spool
# A node imports its libraries and loads its model first: seconds on a cold disk.
UP_LIMIT_S = 60.0
LOOK_S = 1.0  # period at which nodes of the same names are looked for on the graph
# When a node between camera and servos fails, the servos need a second to ease to neutral.
EASE_WAIT_S = 1.0
NICENESS = 10


@dataclass(frozen=True)
class RunOutcome:
    """How the live part ended.

    ``ending``: "complete" (the clip or the time is over), "interrupted" or "failed"; ``forced``: the processes that
    SIGINT did not end, with the signal that did; ``spool_failure``: why pictures could not be kept. ``span_ns``: from
    the camera's start to the run's end, ns of system time; None when there was no camera. ``use``: of
    the processes from the first picture on; ``monitor`` is the command itself.
    """

    ending: str
    failure: RenaError | None
    forced: dict[str, str]
    spool_failure: str | None
    span_ns: tuple[int, int] | None
    use: ProcessUse


class Session:
    """One run of the processes of a graph, watched by a monitor."""

    def __init__(
        self,
        processes: Sequence[Process],
        out: Path,
        console: Console,
        namespace: str,
        params_file: Path,
        *,
        film: bool = True,
        hops: bool = False,
    ):
        """``params_file``: the parameters of every node but for those that its process gives.

        ``film``: keep the pictures and landmarks; ``hops``: measure what the nodes report on timing/hops.
        """
        self._film, self._hops = film, hops
        self._params_file = params_file
        self._processes = {process.name: process for process in processes}
        self._camera = next(process for process in processes if "camera" in process.nodes)
        self._out, self._console, self._namespace = out, console, namespace
        self._supervisor = Supervisor(out / "log")
        self._began: tuple[int, int] | None = None  # system time and monotonic time, ns
        self._use = ProcessUse()
        self.measurements = Measurements()

    def run(self, title: str, limit_s: float | None, total_s: float | None) -> RunOutcome:
        """Run until the clip or ``limit_s`` is over, Ctrl-C, or a process dies; ``total_s`` (length) is only shown."""
        ending, failure = "interrupted", None
        spool = SpoolWriter(self._out / ".spool", STREAMS)
        with contextlib.ExitStack() as leaving:
            leaving.callback(spool.close)
            leaving.callback(self._supervisor.close)
            try:
                monitor = self._start_monitor(spool, leaving)
                self._bring_up(monitor)
                ending = self._follow(monitor, spool, title, limit_s, total_s)
            except KeyboardInterrupt:
                pass
            except RenaError as error:
                ending, failure = "failed", error
                self._wait_for_ease()
            with end_noted() as presses:
                forced = take_down(self._supervisor, presses, self._tell_of_waiting)
                leaving.close()
        return RunOutcome(ending, failure, forced, spool.failure, self._span_ns(), self._use)

    def _span_ns(self) -> tuple[int, int] | None:
        if self._began is None:
            return None
        began_ns, monotonic_ns = self._began  # the system clock may be set while the run lasts
        return began_ns, began_ns + time.monotonic_ns() - monotonic_ns

    def _start_monitor(self, spool: SpoolWriter, leaving: contextlib.ExitStack):
        from rena_ros.mimic.monitor import Monitor  # imports rclpy: only after all other checks

        # For the monitor in this process and for the nodes: the home folder need not be writable.
        os.environ.setdefault("ROS_LOG_DIR", str(self._out / "log"))
        monitor = Monitor(self.measurements, spool, self._namespace, film=self._film, hops=self._hops)
        leaving.callback(monitor.stop)
        return monitor

    def _bring_up(self, monitor) -> None:
        """Start all processes, the camera last: a clip may begin only when every other node is ready."""
        with self._console.status("starting the nodes") if self._console.is_terminal else contextlib.nullcontext():
            for process in self._processes.values():
                if process is self._camera:
                    continue
                self._start(process)
                if process.name == EMULATOR:
                    link = self._out / ".spool" / LINK
                    self._until(link.exists, LINK_LIMIT_S, lambda: "the emulator's serial port did not appear")
            expected = {name: TOPICS[name] for name in self._processes if name in TOPICS}
            self._until(
                lambda: not monitor.node.missing(expected),
                UP_LIMIT_S,
                lambda: f"did not come up: {', '.join(monitor.node.missing(expected))}; see {self._out / 'log'}",
            )
            self._refuse_doubles(monitor)
            if "twin" in self._processes and self._film:
                self._until(lambda: self.measurements.pictures("robot"), UP_LIMIT_S, lambda: "the twin drew no picture")
            self._began = time.time_ns(), time.monotonic_ns()
            self._start(self._camera)

    def _follow(self, monitor, spool: SpoolWriter, title: str, limit_s: float | None, total_s: float | None) -> str:
        started_s: float | None = None
        failure_shown, next_look_s = False, 0.0
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)  # this thread, like the monitor's, only watches from now on
        with LiveView(title, self._out / "mimic.mp4", total_s, self._console) as view:
            while True:
                time.sleep(0.1)
                if self._camera_has_ended():
                    return "complete"
                if monitor.failure is not None:
                    raise monitor.failure
                now_s = time.monotonic()
                if now_s >= next_look_s:
                    next_look_s = now_s + LOOK_S
                    self._refuse_doubles(monitor)
                    if self.measurements.begun:
                        self._use.note({**self._supervisor.pids(), "monitor": os.getpid()}, now_s)
                if started_s is None and self.measurements.begun:
                    started_s = now_s
                elapsed_s = 0.0 if started_s is None else now_s - started_s
                if limit_s is not None and elapsed_s >= limit_s:
                    return "complete"
                if spool.failure and not failure_shown:
                    failure_shown = True
                    self._console.print(
                        f"pictures for the film can no longer be kept: {spool.failure}; the run continues", markup=False
                    )
                view.show(self.measurements.snapshot, elapsed_s)

    def _refuse_doubles(self, monitor) -> None:
        """Raise RenaError when another machine, which no claim reaches, runs nodes of the same names."""
        names = [name for process in self._processes.values() for name in process.nodes]
        published = {name: TOPICS[name][0] for name in names if name in TOPICS}
        if doubled := monitor.node.on_other_machines(published):
            raise RenaError(
                f"another machine runs {', '.join(doubled)} in this ROS domain and namespace, so this run ended: "
                "give it its own, ROS_DOMAIN_ID=… rena mimic, or --namespace NAME"
            )

    def _camera_has_ended(self) -> bool:
        """True when the clip is over. Raises ProcessDied for any other end of any process."""
        ends = self._supervisor.ended()
        for ended in ends:
            if ended.name != self._camera.name or ended.code != 0:
                raise ProcessDied(ended, self._out / "log")
        return bool(ends)

    def _wait_for_ease(self) -> None:
        """After a failure, give the servos node, if it still runs, time to ease to neutral before torque goes off."""
        with contextlib.suppress(KeyboardInterrupt):
            if "servos" in self._supervisor.pids() and self.measurements.begun:
                time.sleep(EASE_WAIT_S)

    def _tell_of_waiting(self, names: str) -> None:
        self._console.print(f"waiting for {names} to end; Ctrl-C again ends them by force", markup=False)

    def _start(self, process: Process) -> None:
        command = process.command(params_file=self._params_file, namespace=self._namespace)
        output_settings = {"PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0"}
        self._supervisor.start(process.name, command, {**output_settings, **os.environ})

    def _until(self, condition: Callable[[], object], limit_s: float, complaint: Callable[[], str]) -> None:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for ended in self._supervisor.ended():
                raise ProcessDied(ended, self._out / "log")
            if condition():
                return
            time.sleep(0.05)
        raise RenaError(f"within {limit_s:.0f} s: {complaint()}")
