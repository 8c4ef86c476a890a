"""The niceness of a process and of its session: Linux shares the processors between sessions first."""

import os
import time
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
_TRIES, _WAIT_S = 20, 0.11  # all unprivileged processes together may change one autogroup in 0.1 s


def be_nice(niceness: int) -> None:
    """Set the niceness of this process, -20 (first) to 19 (last), and that of its session when it leads one.

    With autogroups (sched(7); on in most desktop kernels) a process's niceness counts only among the processes of its
    own session; for a process alone in its session it has no effect. A session that another process leads, such as a
    terminal's, keeps its niceness. Raises OSError (PermissionError for a value below 0 without the right).
    """
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) != os.getpid() or session_niceness() is None:
        return
    for left in reversed(range(_TRIES)):
        try:
            AUTOGROUP.write_text(str(niceness), encoding="utf-8")
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_WAIT_S)


def session_niceness() -> int | None:
    """Return the niceness of this process's session; None without autogroups in the kernel or for this session."""
    words = AUTOGROUP.read_text(encoding="utf-8").split() if AUTOGROUP.exists() else []
    return int(words[-1]) if words else None
