"""How the processes of a run end: in order, or early and with a reason."""

import time
from collections.abc import Callable
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.processes.supervisor import Ended, Supervisor

EMULATOR = "emulator"
# The camera ends first, and the others finish what it sent. A camera that hangs does not keep the servos.
CAMERA_STOP_S, DRAIN_S = 5.0, 0.25


class ProcessDied(RenaError):
    """A process of the run ended by itself; the text names it and gives its exit code and last lines."""

    def __init__(self, ended: Ended, log_dir: Path):
        last = "\n".join(f"    {line}" for line in ended.last_lines) or "    (it printed nothing)"
        where = log_dir / f"{ended.name}.log"
        super().__init__(f"{ended.name} {ended.how}, so the run ended. Its last lines (all lines: {where}):\n{last}")


def take_down(supervisor: Supervisor, presses: Callable[[], int], tell: Callable[[str], None]) -> dict[str, str]:
    """End the processes of a run in order; returns those that SIGINT did not end, with the signal that did.

    The emulator ends last, so that it hears the servos node switch torque off. ``presses``: how often the user has
    pressed Ctrl-C meanwhile; ``tell``: see ``Supervisor.stop``.
    """
    supervisor.interrupt("camera", CAMERA_STOP_S, presses)
    time.sleep(DRAIN_S)
    others = [name for name in supervisor.pids() if name != EMULATOR]
    forced = supervisor.stop(*others, presses=presses, tell=tell) if others else {}
    return forced | supervisor.stop(presses=presses, tell=tell)
