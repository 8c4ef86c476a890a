"""How a process asks Linux to come first, or last, so that it counts against other sessions, too."""

import os
from pathlib import Path


def be_nice(niceness: int) -> None:
    """Set this process's niceness, -20 (first) to 19 (last), and that of its session when it leads it.

    With autogroups (sched(7); on in most desktop kernels) the processors are shared between sessions first, and a
    process's niceness counts only among those of its own session: alone there, it would mean nothing. Somebody
    else's session, such as a terminal's, is left as it is. Raises OSError (PermissionError below 0 without the right).
    """
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    autogroup = Path("/proc/self/autogroup")
    if os.getsid(0) == os.getpid() and autogroup.exists():
        autogroup.write_text(str(niceness))
