"""`rena bench perception`: what an engine that reads faces costs, and how close its readings come to MediaPipe's.

The peer is MediaPipe's FaceLandmarker alone, called directly on the same frames: no choice of a person, no arrays.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.bench.face_scenes import scenes
from rena_ros.bench.machine import Machine
from rena_ros.bench.processes import interruptible
from rena_ros.bench.report import begin, progress_bar, pyplot, rounded, save_figures, save_plot
from rena_ros.perception.engines import ENGINES, installed_engines
from rena_ros.perception.face_reader import MAX_FACES, FaceReader
from rena_ros.perception.model_file import find_face_model
from rena_ros.perception.startup_log import without_startup_log

Read = Callable[[ByteArray, int], object]  # a frame and its stamp in ms
ALONE = "FaceLandmarker alone"
BLOCK = 12  # frames that one engine reads before the next has its turn
NUDGED = "mediapipe, 1 % of the samples moved by 1 of 255"
CAPTION = """\
Differences of two readings of the same frames: of all coefficients (99.9 % of them, and the largest) and of the head's
angles, degrees. The last row is MediaPipe against itself on a film with a trace of noise."""


@dataclass
class Differences:
    """How far the readings of one engine are from those of the other, over the frames of a scene."""

    frames: int = 0
    faces: int = 0  # that the reference found in all frames
    counts_differ: int = 0  # frames in which the engines found another number of faces
    coefficients: list[FloatArray] = field(default_factory=list)  # absolute differences (52,) for each reading
    angles_deg: list[FloatArray] = field(default_factory=list)  # (3,)

    def as_dict(self) -> dict:
        """Return the figures, rounded, ready for JSON; NaN where no frame has a reading."""
        figures: dict[str, object] = {"frames": self.frames, "faces": self.faces, "counts_differ": self.counts_differ}
        for name, unit, gaps in (("coefficient", "", self.coefficients), ("angle", "_deg", self.angles_deg)):
            values = np.concatenate(gaps) if gaps else np.array([np.nan])
            figures |= {
                f"{name}_999{unit}": float(np.quantile(values, 0.999)),
                f"{name}_max{unit}": float(values.max()),
            }
        return rounded(figures, 5)


def compared(frames: Iterable[ByteArray], one: FaceReader, other: FaceReader, nudge: bool = False) -> Differences:
    """Return how far the readings of ``other`` are from those of ``one``, the reference, frame after frame.

    ``nudge``: ``other`` reads each frame with 1 % of its samples moved by one step, up or down.
    """
    differences, rng = Differences(), np.random.default_rng(0)
    for k, frame in enumerate(frames):
        expected = one.read(frame, 33 * k)
        found = other.read(_nudged(frame, rng) if nudge else frame, 33 * k)
        differences.frames += 1
        differences.faces += one.faces
        differences.counts_differ += one.faces != other.faces or (expected is None) != (found is None)
        if expected is not None and found is not None:
            gap = np.abs(expected.features - found.features)
            differences.coefficients.append(gap[:52])
            differences.angles_deg.append(np.degrees(gap[52:]))
    return differences


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench perception` takes."""
    parser.add_argument(
        "--film", type=user_path, metavar="FILE", help="a film of a person; default: the drawn performer"
    )
    parser.add_argument("--frames", type=int, default=240, metavar="N", help="of each scene at most (default 240)")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write perception.json and perception.png there")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0, also for missed aims, which the output shows; 130 after an interrupt."""
    if args.frames < 2 * BLOCK:
        raise RenaError(f"--frames must be at least {2 * BLOCK}")
    console, machine = begin(args.out)
    cv2.setNumThreads(1)
    engines = list(installed_engines())
    if missing := [engine for engine in ENGINES[1:] if engine not in engines]:
        console.print(f"not installed: {', '.join(missing)}", style="yellow")
    made = scenes(args.film, args.frames)
    timed = "film" if args.film else "performer"
    figures: dict[str, dict] = {"speed": {}, "start": {}, "parity": {}}
    try:
        with interruptible(), progress_bar(console) as progress:
            bar = progress.add_task(f"speed on {timed}", total=1 + len(engines) + len(made))
            times = _timed(list(made[timed]()), engines)
            figures["speed"] = {name: _speed(values) for name, values in times.items()}
            progress.advance(bar)
            frame = next(iter(made[timed]()))
            for engine in engines:
                progress.update(bar, advance=1, description=f"start of {engine}")
                figures["start"][engine] = _start(engine, frame)
            for name, make in made.items() if len(engines) == 2 else ():
                progress.update(bar, advance=1, description=f"parity on {name}")
                with FaceReader(engine="mediapipe") as reference, FaceReader(engine="litert") as reader:
                    figures["parity"][name] = compared(make(), reference, reader).as_dict()
            if "mediapipe" in engines:
                with FaceReader(engine="mediapipe") as reference, FaceReader(engine="mediapipe") as reader:
                    figures["parity"][NUDGED] = compared(made[timed](), reference, reader, nudge=True).as_dict()
    except KeyboardInterrupt:
        console.print("interrupted: the measurements until then", style="yellow")
    _show(console, timed, figures)
    if args.out and figures["speed"]:
        header = {"machine": vars(machine), "load_at_end": Machine.now().load, "scene": timed}
        save_figures(console, args.out, "perception", header | figures)
        _plot(times, timed, args.out, console)
    return 0 if figures["parity"] or len(engines) == 1 else 130


def _timed(frames: list[ByteArray], engines: list[str]) -> dict[str, FloatArray]:
    """Return wall and CPU time of each frame, ms, (n, 2), of each engine; they take turns every BLOCK frames."""
    with contextlib.ExitStack() as leaving:
        reads: dict[str, Read] = {name: leaving.enter_context(FaceReader(engine=name)).read for name in engines}
        if "mediapipe" in engines:
            reads[ALONE] = leaving.enter_context(landmarker_alone())
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in reads}
        for read in reads.values():
            read(frames[0], 0)  # the first is slow
        for turn, start in enumerate(range(0, len(frames) - BLOCK + 1, BLOCK)):
            for name in list(reads) if turn % 2 else reversed(list(reads)):
                for k in range(start, start + BLOCK):
                    wall_s, cpu_s = time.perf_counter(), time.process_time()
                    reads[name](frames[k], 33 * (k + 1))
                    found[name].append((time.perf_counter() - wall_s, time.process_time() - cpu_s))
    return {name: np.array(values) * 1e3 for name, values in found.items()}


@contextlib.contextmanager
def landmarker_alone() -> Iterator[Read]:
    """Return MediaPipe's own call on a frame, with the settings of FaceReader."""
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=find_face_model().read_bytes()),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=MAX_FACES,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with without_startup_log(), vision.FaceLandmarker.create_from_options(options) as landmarker:
        yield lambda frame, stamp_ms: landmarker.detect_for_video(Image(ImageFormat.SRGB, frame), stamp_ms)


@contextlib.contextmanager
def reader_alone() -> Iterator[Read]:
    """Yield FaceReader's own call on a frame."""
    with FaceReader() as reader:
        yield reader.read


def _speed(times: FloatArray) -> dict[str, float]:
    names = ("p5_ms", "p50_ms", "p95_ms")
    wall = dict(zip(names, np.percentile(times[:, 0], (5, 50, 95)).tolist(), strict=True))
    return rounded({**wall, "cpu_p50_ms": float(np.median(times[:, 1])), "frames": len(times)}, 3)


def _start(engine: str, frame: ByteArray) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="rena-bench-") as folder:
        picture = Path(folder) / "frame.png"
        cv2.imwrite(str(picture), frame[:, :, ::-1])
        command = [sys.executable, "-m", "rena_ros.bench.face_start", "--engine", engine, "--frame", str(picture)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RenaError(f"the start of {engine} could not be measured: {done.stderr.strip()}")
    return rounded(json.loads(done.stdout), 3)


def _nudged(frame: ByteArray, rng: np.random.Generator) -> ByteArray:
    moved = frame.astype(np.int16)
    chosen = rng.random(frame.shape) < 0.01
    moved[chosen] += rng.choice((-1, 1), int(chosen.sum())).astype(np.int16)
    return np.clip(moved, 0, 255).astype(np.uint8)


def _show(console: Console, timed: str, figures: dict[str, dict]) -> None:
    if not figures["speed"]:
        return
    reference = figures["speed"].get(ALONE, {}).get("p50_ms")
    speed = _grid(f"One frame, {timed}; ms", "", "p5", "p50", "p95", "CPU p50", f"p50 / {ALONE}")
    for name, row in figures["speed"].items():
        times = [f"{row[key]:.1f}" for key in ("p5_ms", "p50_ms", "p95_ms", "cpu_p50_ms")]
        speed.add_row(name, *times, f"{row['p50_ms'] / reference:.2f}" if reference else "")
    console.print(speed)
    start = _grid("Start", "", "first reading, s", "CPU of 21 readings, s", "memory, MiB", "threads")
    for name, row in figures["start"].items():
        seconds = (f"{row[key]:.2f}" for key in ("first_reading_s", "cpu_s"))
        start.add_row(name, *seconds, f"{row['memory_mib']:.0f}", f"{row['threads']}")
    console.print(start)
    if figures["parity"]:
        _show_parity(console, figures["parity"])
    ours, theirs = (figures["speed"].get(name) for name in ("litert", "mediapipe"))
    if ours and theirs:
        for key, what in (("p50_ms", "time"), ("cpu_p50_ms", "CPU")):
            ratio = ours[key] / theirs[key]
            console.print(f"{'met' if ratio <= 0.7 else 'missed'}: {what} at most 0.7 x mediapipe: {ratio:.3f}")


def _show_parity(console: Console, rows: dict[str, dict]) -> None:
    parity = _grid("litert against mediapipe", "", "frames", "faces", "counts differ", "99.9 %", "max", "angle", "max")
    for name, row in rows.items():
        counts = (f"{row[key]}" for key in ("frames", "faces", "counts_differ"))
        gaps = (f"{row[key]:.4f}" for key in ("coefficient_999", "coefficient_max"))
        parity.add_row(name, *counts, *gaps, f"{row['angle_999_deg']:.3f}", f"{row['angle_max_deg']:.3f}")
    console.print(parity)
    console.print(CAPTION, style="dim", highlight=False)


def _grid(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table


def _plot(times: dict[str, FloatArray], timed: str, folder: Path, console: Console) -> None:
    plt = pyplot()
    if plt is None:
        console.print("no plot: matplotlib is not installed", style="yellow")
        return
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, values in times.items():
        wall = np.sort(values[:, 0])
        axes.plot(wall, np.arange(1, len(wall) + 1) / len(wall), label=name)
    axes.set(title=f"One frame, {timed}", xlabel="ms", ylabel="share of frames", xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    console.print(f"plot: {save_plot(plt, figure, folder, 'perception')}", highlight=False, soft_wrap=True)
