"""Worker processes that record shards in parallel, one stage each.

Each worker has its own pipe, so a worker that dies holds no lock or queue of the others, and its death is noticed. The
shard that it was recording stays missing, and the next run records it.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.collecting.appearance import Appearance
from rena_ros.collecting.shard_recorder import record_shard
from rena_ros.collecting.stage import Stage
from rena_ros.datasets.shards import write_shard
from rena_ros.perception.engines import AUTO
from rena_ros.robot.file import load_robot
from rena_ros.strategy.expert import Expression
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import replacement
from rena_ros.twin.body import load_body

PlannedShard = tuple[int, Sequence[Expression]]  # number of its first sample, its expressions


@dataclass(frozen=True)
class Job:
    """What a worker must know once. ``width``, ``height``: of the pictures, pixels. ``body_file``: None for none.

    ``engine``: what reads faces, see ``FaceReader``.
    """

    directory: Path
    robot_file: Path
    strategy_file: Path
    seed: int
    width: int
    height: int
    body_file: Path | None = None
    appearance: Appearance = field(default_factory=Appearance)
    engine: str = AUTO


def record_shards(job: Job, shards: Sequence[PlannedShard], workers: int, recorded: Callable[[], None]) -> None:
    """Record and write all ``shards`` with up to ``workers`` processes; call ``recorded`` after each sample.

    Raises RenaError; see ``share_out``.
    """
    share_out(partial(_record_all, job), shards, workers, recorded)


def share_out(
    perform: Callable[[Connection], None], items: Sequence[Any], workers: int, recorded: Callable[[], None]
) -> None:
    """Let up to ``workers`` processes work off ``items``; call ``recorded`` whenever one sends ("recorded", None).

    ``perform``, a function of a module, runs in each process: it sends ("ready", None), receives an item, works, and
    so on until it receives None. Raises RenaError with a worker's message when it raised one, or when it died. Then,
    and on Ctrl-C, all other workers are ended.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(items)
    processes: dict[Connection, BaseProcess] = {}
    try:
        for _ in range(min(workers, len(waiting))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, perform), daemon=True)
            process.start()
            theirs.close()
            processes[ours] = process
        while processes:
            ready = wait(list(processes))
            for connection in [one for one in processes if one in ready]:
                _handle(connection, processes, waiting, recorded)
    finally:
        for worker in processes.values():
            worker.terminate()
        for worker in processes.values():
            worker.join()


def _handle(
    connection: Connection,
    processes: dict[Connection, BaseProcess],
    waiting: list[Any],
    recorded: Callable[[], None],
) -> None:
    """Handle one message of one worker."""
    try:
        kind, value = connection.recv()
    except (EOFError, ConnectionResetError):
        processes[connection].join()
        raise RenaError(
            f"a collecting process died (exit code {processes[connection].exitcode}); finished shards are safe: "
            "run the same command again, with --workers 1 if memory is short"
        ) from None
    if kind == "recorded":
        recorded()
    elif kind == "ready":
        if waiting:
            connection.send(waiting.pop(0))
        else:
            connection.send(None)
            processes.pop(connection).join()
    elif kind == "refused":
        raise RenaError(value)
    else:
        raise RuntimeError(f"a collecting process failed:\n{value}")


def _work(connection: Connection, perform: Callable[[Connection], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent ends this process
    try:
        perform(connection)
    except RenaError as error:
        connection.send(("refused", str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent has ended
    except Exception:
        connection.send(("failed", traceback.format_exc()))


def _record_all(job: Job, connection: Connection) -> None:
    robot = load_robot(job.robot_file)
    strategy = load_strategy(job.strategy_file, robot)
    with Stage(robot, job.width, job.height, load_body(job.body_file, robot), job.engine) as stage:
        note = partial(connection.send, ("recorded", None))
        connection.send(("ready", None))
        while (shard := connection.recv()) is not None:
            first, plan = shard
            replace = partial(replacement, robot, strategy, job.seed)
            recorded = record_shard(stage, first, plan, replace, note, job.appearance)
            write_shard(job.directory, recorded)
            connection.send(("ready", None))


def worker_count(wanted: int | None) -> int:
    """Return the number of processes: ``wanted``, or one per usable core, at most two. Raises RenaError below 1."""
    if wanted is not None and wanted < 1:
        raise RenaError(f"--workers must be at least 1, not {wanted}")
    return wanted or min(2, len(os.sched_getaffinity(0)))
