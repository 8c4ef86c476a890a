"""How a process asks Linux to come first, or last, so that it counts against other sessions, too."""

import os
import time
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
_TRIES, _WAIT_S = 20, 0.11  # all unprivileged processes together may change one autogroup in 0.1 s


def be_nice(niceness: int) -> None:
    """Set this process's niceness, -20 (first) to 19 (last), and that of its session when it leads it.

    With autogroups (sched(7); on in most desktop kernels) the processors are shared between sessions first, and a
    process's niceness counts only among those of its own session: alone there, it would mean nothing. Somebody
    else's session, such as a terminal's, is left as it is. Raises OSError (PermissionError below 0 without the right).
    """
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) != os.getpid() or session_niceness() is None:
        return
    for left in reversed(range(_TRIES)):
        try:
            AUTOGROUP.write_text(str(niceness))
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_WAIT_S)


def session_niceness() -> int | None:
    """Niceness of this process's session; None where the kernel has no autogroups, or this session is in none."""
    said = AUTOGROUP.read_text().split() if AUTOGROUP.exists() else []
    return int(said[-1]) if said else None
