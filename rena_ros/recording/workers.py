"""Worker processes that film shards side by side, one stage each.

Each worker talks over a pipe of its own: a worker that dies takes no lock and no queue with it, and is
noticed. Whatever a worker was filming when it was ended is simply missing, and is filmed by the next run.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.recording.plan import replacement
from rena_ros.recording.shard_recorder import record_shard
from rena_ros.recording.shards import write_shard
from rena_ros.recording.stage import Stage
from rena_ros.robot.file import load_robot
from rena_ros.strategy.expert import Expression, load_strategy


@dataclass(frozen=True)
class Job:
    """What a worker needs to know, once."""

    directory: Path
    robot_file: Path
    strategy_file: Path
    seed: int
    width: int
    height: int


def record_shards(
    job: Job,
    shards: Sequence[tuple[int, Sequence[Expression]]],
    workers: int,
    seen: Callable[[int], None],
) -> None:
    """Film and write all ``shards`` (first sample, its plan) with so many processes; ``seen(attempts)`` per sample.

    Raises RenaError with a worker's words when it met one or died; the other workers are ended then, as
    they are on Ctrl-C.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(shards)
    crew: dict[Connection, multiprocessing.Process] = {}
    try:
        for _ in range(min(workers, len(waiting))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, job), daemon=True)
            process.start()
            theirs.close()
            crew[ours] = process
        while crew:
            for connection in wait(list(crew)):
                _hear(connection, crew, waiting, seen)
    finally:
        for process in crew.values():
            process.terminate()
        for process in crew.values():
            process.join()


def _hear(connection: Connection, crew: dict, waiting: list, seen: Callable[[int], None]) -> None:
    try:
        kind, value = connection.recv()
    except (EOFError, ConnectionResetError):
        crew[connection].join()
        raise RenaError(
            f"a collecting process died (exit code {crew[connection].exitcode}); finished shards are safe: "
            "run the same command again, with --workers 1 when memory is short"
        ) from None
    if kind == "seen":
        seen(value)
    elif kind == "ready":
        if waiting:
            connection.send(waiting.pop(0))
        else:
            connection.send(None)
            crew.pop(connection).join()
    elif kind == "refused":
        raise RenaError(value)
    else:
        raise RuntimeError(f"a collecting process failed:\n{value}")


def _work(connection: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal: the parent ends us
    try:
        _film_all(connection, job)
    except RenaError as error:
        connection.send(("refused", str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone
    except Exception:
        connection.send(("failed", traceback.format_exc()))


def _film_all(connection: Connection, job: Job) -> None:
    robot = load_robot(job.robot_file)
    strategy = load_strategy(job.strategy_file, robot)
    with Stage(robot, job.width, job.height) as stage:
        connection.send(("ready", None))
        while (shard := connection.recv()) is not None:
            first, plan = shard
            write_shard(
                job.directory,
                record_shard(
                    stage,
                    first,
                    plan,
                    lambda sample, attempt: replacement(robot, strategy, job.seed, sample, attempt),
                    lambda attempts: connection.send(("seen", attempts)),
                ),
            )
            connection.send(("ready", None))


def worker_count(wanted: int | None) -> int:
    """How many processes to start: as asked, else one per usable core, two at most. Raises RenaError below 1."""
    if wanted is not None and wanted < 1:
        raise RenaError(f"--workers must be at least 1, not {wanted}")
    return wanted or min(2, len(os.sched_getaffinity(0)))
