"""What processes use, as Linux counts it."""

import mmap
import os
import subprocess
import sys

from rena_ros.processes.usage import ProcessUse, cpu_of, memory_of


def test_the_use_of_processes_between_two_looks():
    use = ProcessUse()
    assert use.cpu_percent() == {} and use.memory_mib() == {}
    use.note({"mine": os.getpid()}, 0.0)
    before_s = cpu_of(os.getpid())
    kept = mmap.mmap(-1, 32 << 20)  # new memory, which an allocator might have at hand
    for at in range(0, len(kept), mmap.PAGESIZE):
        kept[at] = 1
    while cpu_of(os.getpid()) < before_s + 0.05:
        sum(range(1000))
    use.note({"mine": os.getpid()}, 10.0)
    assert use.cpu_percent()["mine"] >= 0.5  # 50 ms of 10 s
    first, last = use.memory_mib()["mine"]
    assert last - first > 16 and abs(last - memory_of(os.getpid())) < 16


def test_a_process_that_has_ended_is_left_out():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    use = ProcessUse()
    use.note({"gone": done.pid}, 0.0)
    assert use.memory_mib() == {}
