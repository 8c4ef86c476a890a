"""`rena bench fuzz`: millions of random commands through the servos node's callback, on all cores."""

import argparse
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from multiprocessing.pool import Pool

from rich.console import Console
from rich.progress import TimeRemainingColumn
from rich.table import Table

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.signals import ASKING
from rena_ros.bench.fuzz import FuzzResult, fuzz
from rena_ros.bench.processes import interruptible
from rena_ros.bench.report import begin, progress_bar, save_figures

CHUNK = 10_000  # commands to one freshly started node
MEANINGS = {
    "limits": "goals outside the servo's limits",
    "antagonists": "antagonists that both pull",
    "speed": "goals faster than the servo's limit",
    "acceleration": "goals with more acceleration than the servo's limit",
    "limp": "goals while torque was off",
    "misjudged": "valid commands refused, invalid or a lower source's ones followed",
}


def merge(results: Sequence[FuzzResult]) -> FuzzResult:
    """Merge results into one: counts added, the highest top speed, the first few examples."""
    total = results[0]
    for result in results[1:]:
        most = {name: max(getattr(total, name), getattr(result, name)) for name in ("top_speed", "early_s")}
        sums = {f.name: getattr(total, f.name) + getattr(result, f.name) for f in fields(FuzzResult)}
        total = replace(total, **(sums | most))
    return replace(total, examples=total.examples[:5])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench fuzz` takes."""
    parser.add_argument("--commands", type=int, default=1_000_000, metavar="N", help="default: a million")
    parser.add_argument("--seed", type=int, default=0, help="of the random commands (default 0)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes side by side (default: one per core)")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write fuzz.json there")


def run(args: argparse.Namespace) -> int:
    """Count violations. Returns 0; 1 when a goal broke a limit or a command was misjudged; 130 if interrupted."""
    if args.commands < 1 or args.seed < 0 or (args.workers is not None and args.workers < 1):
        raise RenaError("--commands and --workers must be at least 1, and --seed not negative")
    console, machine = begin(args.out)
    begun_s = time.monotonic()
    jobs = _jobs(args.commands, args.seed)
    results = _work(jobs, args.workers or machine.cores, console)
    if not results:
        console.print("interrupted before the first result", style="yellow")
        return 130
    total, whole = merge(results), len(results) == len(jobs)
    took_s = time.monotonic() - begun_s
    console.print(_table(total, took_s))
    for example in total.examples:
        console.print(f"wrong: {example}", style="red", highlight=False, markup=False)
    if args.out:
        header = {"machine": vars(machine), "seed": args.seed, "whole": whole, "took_s": round(took_s, 1)}
        save_figures(console, args.out, "fuzz", {**header, **asdict(total)})
    if not total.passed:
        return 1
    return 0 if whole else 130


def _jobs(commands: int, seed: int) -> list[tuple[int, int]]:
    """Return the commands and the seed of each job; runs of different ``seed`` share none."""
    return [(min(CHUNK, commands - done), seed * 1_000_000 + k) for k, done in enumerate(range(0, commands, CHUNK))]


def _work(jobs: list[tuple[int, int]], workers: int, console: Console) -> list[FuzzResult]:
    """Return the results of the jobs, fewer after an interrupt."""
    results: list[FuzzResult] = []
    context = multiprocessing.get_context("spawn")  # a ROS context does not survive a fork
    with (
        contextlib.suppress(KeyboardInterrupt),
        interruptible(),
        worker_pool(context, min(workers, len(jobs))) as pool,
        progress_bar(console, TimeRemainingColumn) as progress,
    ):
        bar = progress.add_task("commands", total=sum(count for count, _ in jobs))
        for result in pool.imap_unordered(_fuzz, jobs):
            results.append(result)
            progress.update(bar, advance=result.commands)
    return results


def worker_pool(context: SpawnContext, workers: int) -> Pool:
    """Return a pool that Ctrl-C does not reach, not even while it starts: children inherit a blocked signal."""
    resource_tracker.ensure_running()  # its start unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return context.Pool(workers, _leave_interrupts_to_the_parent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fuzz(job: tuple[int, int]) -> FuzzResult:
    return fuzz(*job)


def _leave_interrupts_to_the_parent() -> None:
    for number in set(ASKING) - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)
    os.nice(5)


def _table(total: FuzzResult, took_s: float) -> Table:
    table = Table(title=f"{total.commands} random commands", title_justify="left", box=None, show_header=False)
    table.add_row("followed", f"{total.accepted}")
    table.add_row("refused", f"{total.refused}")
    table.add_row("goals on the wire", f"{total.goals} in {total.frames} frames")
    for name, meaning in MEANINGS.items():
        count = getattr(total, name)
        table.add_row(meaning, f"{count}", style="red" if count else "")
    table.add_row("fastest", f"{total.top_speed:.1%} of its servo's limit")
    table.add_row("points of takes", f"{total.points}; at most {total.early_s * 1e3:.0f} ms early")
    table.add_row("commands of smooth streams", f"{total.streamed}")
    table.add_row("time", f"{total.virtual_s:.0f} s of the robot's in {took_s:.0f} s")
    return table
