"""One driver, measured in a process of its own: `python -m rena_ros.bench.measure --driver NAME --port PORT …`.

Every cycle has goals of its own. On servos whose horns follow at once (``instant_servos``) a position shows in which
cycle it was taken, so a reading that a driver offers as new is either true or stale.
"""

import argparse
import gc
import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.priority import be_nice
from rena_ros.bench.drivers import DRIVERS, CycleResult, Driver
from rena_ros.bench.machine import machine_busy_s
from rena_ros.processes.usage import cpu_of
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot


@dataclass(frozen=True)
class Record:
    """The measurements of m cycles with n servos."""

    cycle_s: FloatArray  # (m,): duration of each cycle
    offered: BoolArray  # (m, n): the driver offered this reading as new
    true: BoolArray  # (m, n): the reading equals the cycle's goal
    success: BoolArray  # (m,): the driver reported success
    raised: BoolArray  # (m,): the driver raised an exception
    cpu_s: float  # processor time of the driver's process in all m cycles
    others_cores: float  # mean number of processors in use by all but that process and the emulator


def goals_of_cycle(robot: Robot, cycle: int) -> IntArray:
    """Return goals int (n,) that no other cycle nearby has: one tick further each cycle, within the limits."""
    span = int((robot.max_ticks - robot.min_ticks).min()) + 1
    return robot.min_ticks + cycle % span


def measure(driver: Driver, robot: Robot, cycles: int, warm_up: int, emulator_pid: int, rate_hz: float = 0.0) -> Record:
    """Run ``warm_up`` cycles, then ``cycles`` that count; at ``rate_hz``, or back to back (0)."""
    count = len(robot.names)
    nothing = CycleResult(np.zeros(count, np.int64), np.zeros(count, bool), False)
    goals = [goals_of_cycle(robot, k) for k in range(warm_up + cycles)]
    cycle_s, raised, results = np.zeros(cycles), np.zeros(cycles, bool), [nothing] * cycles
    start_s = time.perf_counter()
    for k in range(-warm_up, cycles):
        if k == 0:
            gc.collect()
            gc.freeze()  # as the servos node does; the same for every driver
            busy_s, emulator_s, began_s = machine_busy_s(), cpu_of(emulator_pid), time.monotonic()
            cpu_s = time.process_time()
        start_s = _next_start(start_s, rate_hz)
        try:
            result = driver.cycle(goals[k + warm_up])
        except Exception:  # a control loop around this driver would have to continue
            result = None
        if k >= 0:
            cycle_s[k], raised[k] = time.perf_counter() - start_s, result is None
            results[k] = result or nothing
    cpu_s = time.process_time() - cpu_s
    others_s = machine_busy_s() - busy_s - (cpu_of(emulator_pid) - emulator_s) - cpu_s
    ticks = np.array([result.ticks for result in results])
    return Record(
        cycle_s=cycle_s,
        offered=np.array([result.offered for result in results]),
        true=ticks == np.array(goals[warm_up:]),
        success=np.array([result.success for result in results]),
        raised=raised,
        cpu_s=cpu_s,
        others_cores=max(0.0, others_s / (time.monotonic() - began_s)),
    )


def _next_start(last_s: float, rate_hz: float) -> float:
    """Wait until one period after the last start, if that is still to come; return the time."""
    if rate_hz:
        time.sleep(max(0.0, last_s + 1 / rate_hz - time.perf_counter()))
    return time.perf_counter()


def main() -> int:
    """Measure one driver and write the record. Returns 0, or 2 for what the user can correct."""
    parser = argparse.ArgumentParser(prog="measure", description=__doc__.splitlines()[0])
    parser.add_argument("--driver", choices=DRIVERS, required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--robot-file")
    parser.add_argument("--cycles", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--rate-hz", type=float, default=0.0)
    parser.add_argument("--niceness", type=int, default=0)
    parser.add_argument("--emulator-pid", type=int, default=os.getpid())
    parser.add_argument("--out", type=user_path, required=True)
    args = parser.parse_args()
    try:
        robot = load_robot(args.robot_file)
        if args.niceness:
            be_nice(args.niceness)
        driver = DRIVERS[args.driver](args.port, robot)
    except PermissionError:
        print(f"the system does not permit a niceness of {args.niceness}", file=sys.stderr)
        return 2
    except RenaError as error:
        print(error, file=sys.stderr)
        return 2
    record = measure(driver, robot, args.cycles, args.warm_up, args.emulator_pid, args.rate_hz)
    driver.close()
    np.savez(args.out, **vars(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
