"""`rena bench twin`: what drawing a face costs, stage by stage, beside reading the same pictures."""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from unittest.mock import patch

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.bench.machine import Machine
from rena_ros.bench.processes import interruptible
from rena_ros.bench.report import begin, progress_bar, rounded, save_figures
from rena_ros.perception.face_reader import FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin import geometry, raster
from rena_ros.twin.face import TwinFace
from rena_ros.twin.performer import DURATION_S, performance

LOOKS = {"the robot": "rena", "the performer": "performer", "a person": "person-1"}
READING = "FaceReader on the same pictures"
STAGES = {  # what is timed within a picture: stage -> the kernels that it calls
    "shape": (geometry, ("deform", "clear_eye", "turn", "project")),
    "light": (geometry, ("smooth_normals", "light")),
    "visibility": (raster, ("rasterise",)),
    "colour": (raster, ("colour",)),
}
REST = "the rest"  # poses, copies, Python
BLOCK = 6  # pictures of one look before the next has its turn
CAPTION = "640x480 px, one thread. The rest: poses, backdrop, copies, Python."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench twin` takes."""
    parser.add_argument("--frames", type=int, default=120, metavar="N", help="pictures of each look (default 120)")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write twin.json there")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0; 130 after an interrupt."""
    if args.frames < BLOCK:
        raise RenaError(f"--frames must be at least {BLOCK}")
    console, machine = begin(args.out)
    cv2.setNumThreads(1)
    try:
        with interruptible(), progress_bar(console) as progress:
            bar = progress.add_task("drawing", total=args.frames)
            figures = measured(args.frames, lambda: progress.advance(bar))
    except KeyboardInterrupt:
        console.print("interrupted", style="yellow")
        return 130
    _show(console, figures)
    if args.out:
        header = {"machine": vars(machine), "load_at_end": Machine.now().load, "frames": args.frames}
        save_figures(console, args.out, "twin", header | {"looks": figures})
    return 0


def measured(frames: int, drawn: Callable[[], None]) -> dict[str, dict[str, float]]:
    """Draw ``frames`` pictures of each look in turn, and read them; return ms by look, the medians of the stages too.

    ``drawn`` is called after each picture of all looks.
    """
    robot = load_robot()
    faces = {name: TwinFace(robot, look=look) for name, look in LOOKS.items()}
    times: dict[str, list[list[float]]] = {name: [] for name in (*LOOKS, READING)}
    with FaceReader(video=False) as reader:
        for face in faces.values():
            reader.read(face.render(robot.neutral_goals))  # the first of each is slow
        for start in range(0, frames, BLOCK):
            span = range(start, min(start + BLOCK, frames))
            goals = [performance(k * DURATION_S / frames, robot) for k in span]
            pictures = {}
            for name, face in faces.items():
                with _timed_kernels() as seen:
                    for one in goals:
                        before = dict(seen)
                        wall_s, cpu_s = time.perf_counter(), time.process_time()
                        pictures[name] = face.render(one)
                        spent = time.perf_counter() - wall_s, time.process_time() - cpu_s
                        times[name].append([*spent, *(seen[stage] - before[stage] for stage in STAGES)])
                        drawn() if name == "the robot" else None
            for picture in pictures.values():
                wall_s, cpu_s = time.perf_counter(), time.process_time()
                reader.read(picture)
                times[READING].append([time.perf_counter() - wall_s, time.process_time() - cpu_s])
    return {name: _figures(np.array(values) * 1e3) for name, values in times.items()}


@contextlib.contextmanager
def _timed_kernels() -> Iterator[dict[str, float]]:
    """Give the seconds that the kernels of each stage have taken since the block began."""
    seen = dict.fromkeys(STAGES, 0.0)

    def timed(stage: str, kernel: Callable) -> Callable:
        def call(*given: object) -> None:
            start_s = time.perf_counter()
            kernel(*given)
            seen[stage] += time.perf_counter() - start_s

        return call

    with contextlib.ExitStack() as stack:
        for stage, (module, names) in STAGES.items():
            for name in names:
                stack.enter_context(patch.object(module, name, timed(stage, _kernel(module, name))))
        yield seen


def _kernel(module: ModuleType, name: str) -> Callable:
    kernel: Callable = getattr(module, name)
    return kernel


def _figures(times: FloatArray) -> dict[str, float]:
    wall = times[:, 0]
    figures: dict[str, object] = {"p50_ms": float(np.median(wall)), "p95_ms": float(np.percentile(wall, 95))}
    figures["cpu_p50_ms"] = float(np.median(times[:, 1]))
    if times.shape[1] > 2:
        figures |= {stage: float(np.median(times[:, 2 + k])) for k, stage in enumerate(STAGES)}
        figures[REST] = float(np.median(wall - times[:, 2:].sum(axis=1)))
    return rounded(figures, 3)


def _show(console: Console, figures: dict[str, dict[str, float]]) -> None:
    table = Table(title="One picture, ms", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for title in ("", "p50", "p95", "CPU p50", "/ reading", *STAGES, REST):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    reading = figures[READING]["cpu_p50_ms"]
    for name, row in figures.items():
        times = (f"{row[key]:.2f}" for key in ("p50_ms", "p95_ms", "cpu_p50_ms"))
        stages = (f"{row[stage]:.2f}" if stage in row else "" for stage in (*STAGES, REST))
        table.add_row(name, *times, f"{row['cpu_p50_ms'] / reading:.2f}", *stages)
    console.print(table)
    console.print(CAPTION, style="dim", highlight=False)
    worst = max(figures[name]["cpu_p50_ms"] for name in LOOKS)
    console.print(f"{'met' if worst <= 5 else 'missed'}: at most 5 ms a picture: {worst:.2f}", highlight=False)
