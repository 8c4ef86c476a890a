"""One engine of `rena bench model`, in a process of its own: `python -m rena_ros.bench.forward_pass KIND FILE`.

A JSON line on standard output says that it is ready. Then each line on standard input is a number of passes to run, and
is answered by a line with their times. It imports nothing but what the engine itself needs, so that its memory is that
of a process that only infers.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VALUE = 0.1  # of every number that is read: the time does not depend on it
Forward = Callable[[], Any]  # returns goals, (1, 25) or (25,)
Loader = Callable[[Path, str | None], Forward]  # of a file, and of the robot file that it is for


def graph() -> Loader:
    """The forward pass of a graph in onnxruntime, in the session that ``Policy`` opens."""
    import numpy as np

    from rena_ros.behaviour.model_session import open_session

    def load(file: Path, robot_file: str | None) -> Forward:
        session = open_session(file)
        feed = {one.name: np.full((1, *one.shape[1:]), VALUE, np.float32) for one in session.get_inputs()}
        return lambda: session.run(("goals",), feed)[0]

    return load


def policy() -> Loader:
    """A whole call of ``Policy``: checks, the range of head poses, the clip."""
    import numpy as np

    from rena_ros.behaviour.policy import Policy, RestReading
    from rena_ros.robot.file import load_robot

    def load(file: Path, robot_file: str | None) -> Forward:
        model = Policy(file, load_robot(robot_file))
        features = np.full_like(model.robot_neutral.features, VALUE)
        landmarks = None
        if model.robot_neutral.landmarks is not None:
            landmarks = np.full_like(model.robot_neutral.landmarks, VALUE)
        rest = RestReading(features, landmarks)
        return lambda: model(features, landmarks, rest)

    return load


def eager() -> Loader:
    """The forward pass of a network in eager torch, on one thread."""
    from rena_ros.learning.eager import load_eager

    def load(file: Path, robot_file: str | None) -> Forward:
        return load_eager(file, VALUE)

    return load


# Kind -> what imports all that it needs, and returns what loads a file.
KINDS: dict[str, Callable[[], Loader]] = {"graph": graph, "policy": policy, "eager": eager}


def run_passes(forward: Forward, passes: int) -> dict[str, Any]:
    """Run so many passes; return the time of each (ns), the processor time of all (ns) and the peak memory (MiB)."""
    times_ns = [0] * passes
    cpu_ns = time.process_time_ns()
    for k in range(passes):
        start_ns = time.perf_counter_ns()
        forward()
        times_ns[k] = time.perf_counter_ns() - start_ns
    cpu_ns = time.process_time_ns() - cpu_ns
    return {"times_ns": times_ns, "cpu_ns": cpu_ns, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Return the most memory that this process has had resident, MiB."""
    # Not getrusage: its maximum is inherited from the process that started this one.
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> int:
    """Load the engine, then answer until standard input ends. Returns 0."""
    parser = argparse.ArgumentParser(prog="forward_pass", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--robot-file")
    args = parser.parse_args()
    start_s = time.perf_counter()
    load = KINDS[args.kind]()
    imported_s = time.perf_counter()
    forward = load(args.file, args.robot_file)
    ready = {"import_s": imported_s - start_s, "load_s": time.perf_counter() - imported_s}
    _say({**ready, "goals": forward().ravel().tolist()})
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        _say(run_passes(forward, int(line)))
    return 0


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main())
