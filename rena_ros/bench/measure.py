"""One driver, measured in a process of its own: `python -m rena_ros.bench.measure --driver NAME --port PORT …`.

Every cycle has goals of its own, so that on servos whose horns follow at once (rena_ros.bench.instant_servos) a
position tells in which cycle it was taken: what a driver offers as new is true or stale, and nothing between.
"""

import argparse
import gc
import os
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.base.priority import be_nice
from rena_ros.bench.machine import cpu_of, machine_busy_s
from rena_ros.bench.peers import DRIVERS, CycleResult
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot


@dataclass(frozen=True)
class Record:
    """What happened in m cycles with n servos.

    ``cycle_s`` (m,): how long each took. ``offered`` bool (m, n): the driver gave this reading as new;
    ``true`` bool (m, n): it equals this cycle's goal. ``success`` bool (m,): the driver reported success;
    ``raised`` bool (m,): it raised an exception. ``cpu_s``: processor time of the driver's process in all m
    cycles. ``others_cores``: processors in use by everything but that process and the emulator, on average.
    """

    cycle_s: np.ndarray
    offered: np.ndarray
    true: np.ndarray
    success: np.ndarray
    raised: np.ndarray
    cpu_s: float
    others_cores: float

    def save(self, path: Path) -> None:
        """Write it to a file (NumPy's npz)."""
        np.savez(path, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            values = {field.name: arrays[field.name] for field in fields(cls)}
        return cls(**{name: value if value.ndim else float(value) for name, value in values.items()})


def goals_of_cycle(robot: Robot, cycle: int) -> np.ndarray:
    """Goals int (n,) that no other cycle nearby has: one tick further each cycle, within every servo's limits."""
    span = int((robot.max_ticks - robot.min_ticks).min()) + 1
    return robot.min_ticks + cycle % span


def measure(driver, robot: Robot, cycles: int, warm_up: int, emulator_pid: int, rate_hz: float = 0.0) -> Record:
    """Run ``warm_up`` cycles, then ``cycles`` that count; at ``rate_hz``, or back to back (0)."""
    count = len(robot.names)
    nothing = CycleResult(np.zeros(count, np.int64), np.zeros(count, bool), False)
    goals = [goals_of_cycle(robot, k) for k in range(warm_up + cycles)]
    cycle_s, raised, offers = np.zeros(cycles), np.zeros(cycles, bool), [nothing] * cycles
    start_s = time.perf_counter()
    for k in range(-warm_up, cycles):
        if k == 0:
            gc.collect()
            gc.freeze()  # as the servos node does; and the same for every driver
            busy_s, emulator_s, began_s = machine_busy_s(), cpu_of(emulator_pid), time.monotonic()
            cpu_s = time.process_time()
        start_s = _next_start(start_s, rate_hz)
        try:
            offer = driver.cycle(goals[k + warm_up])
        except Exception:  # a control loop around this driver would have to go on somehow
            offer = None
        if k >= 0:
            cycle_s[k], raised[k] = time.perf_counter() - start_s, offer is None
            offers[k] = offer or nothing
    cpu_s = time.process_time() - cpu_s
    others_s = machine_busy_s() - busy_s - (cpu_of(emulator_pid) - emulator_s) - cpu_s
    ticks = np.array([offer.ticks for offer in offers])
    return Record(
        cycle_s=cycle_s,
        offered=np.array([offer.offered for offer in offers]),
        true=ticks == np.array(goals[warm_up:]),
        success=np.array([offer.success for offer in offers]),
        raised=raised,
        cpu_s=cpu_s,
        others_cores=max(0.0, others_s / (time.monotonic() - began_s)),
    )


def _next_start(last_s: float, rate_hz: float) -> float:
    """Wait until a cycle's time after the last one; when that is past already, start at once."""
    if rate_hz:
        time.sleep(max(0.0, last_s + 1 / rate_hz - time.perf_counter()))
    return time.perf_counter()


def main() -> int:
    """Measure one driver and write the record. Returns 0, or 2 for something the user can mend."""
    parser = argparse.ArgumentParser(prog="measure", description=__doc__.splitlines()[0])
    parser.add_argument("--driver", choices=DRIVERS, required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--robot-file")
    parser.add_argument("--cycles", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--rate-hz", type=float, default=0.0)
    parser.add_argument("--niceness", type=int, default=0)
    parser.add_argument("--emulator-pid", type=int, default=os.getpid())
    parser.add_argument("--out", type=Path, required=True)
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
    record.save(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
