"""`rena bench mimic`: from a picture to the last byte on the bus, hop by hop, as `rena mimic` itself measures it.

The peer is MediaPipe's FaceLandmarker alone on frames of the same source, before and after each run.
"""

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.arrays import ByteArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_text
from rena_ros.bench.face_engines import landmarker_alone, reader_alone
from rena_ros.bench.face_scenes import scenes as face_scenes
from rena_ros.bench.machine import Machine
from rena_ros.bench.processes import busy_process, child_process, emulated_bus, interruptible
from rena_ros.bench.report import begin, progress_bar, pyplot, rounded, save_figures, save_plot
from rena_ros.perception.engines import installed_engines
from rena_ros.perception.video import PERFORMER

DOMAIN = 77  # of a run of its own, where the user names none
ALONE_FRAMES = 60
_SLOW_FRAMES = 5  # the first of them
LARGE = (1920, 1080)
FILM, NO_FILM, NO_TWIN, SEPARATE, BUSY, LARGE_FILM = (
    *("twin and film", "twin", "emulator alone", "twin and film, separate processes"),
    *("twin and film, beside a busy process", "twin, 1080p"),
)
SCENES = {
    FILM: (),
    NO_FILM: ("--no-film",),
    NO_TWIN: ("--no-film", "--autostart"),
    SEPARATE: ("--no-composed",),
    BUSY: (),
    LARGE_FILM: ("--no-film",),
}
CAPTION = """\
Latency: from the picture's stamp to the last byte on the bus. alone: FaceLandmarker's median on frames of the same
source in the same minutes. CPU: of all processes, in cores. film: pictures are kept for the film of the run."""


@dataclass(frozen=True)
class LatencyFigures:
    """One scene; times in ms, CPU in cores."""

    scene: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    alone_ms: float
    commands: float  # share of the frames with a face that led to a command, 0..1
    cores: float
    violations: int | None
    hops_ms: Mapping[str, Mapping[str, float]]
    cpu_percent: Mapping[str, float]
    load: float

    @classmethod
    def of(cls, scene: str, run: Mapping[str, Any], alone_ms: float) -> "LatencyFigures":
        """Take them from the JSON of `rena mimic`."""
        return cls(
            scene=scene,
            **{f"{name}_ms": run["latency_ms"][name] for name in ("p50", "p95", "p99")},
            alone_ms=alone_ms,
            commands=run["commands_written"] / max(1, run["frames_with_face"]),
            cores=sum(run["cpu_percent"].values()) / 100,
            violations=run["limit_violations"],
            hops_ms=run["hops_ms"],
            cpu_percent=run["cpu_percent"],
            load=os.getloadavg()[0],
        )

    def as_dict(self) -> dict:
        """Return the figures, rounded, with the ratios, ready for JSON."""
        ratios = {"ratio": self.p50_ms / self.alone_ms, "p99_ratio": self.p99_ms / self.alone_ms}
        return rounded({**vars(self), **ratios}, 3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench mimic` takes."""
    parser.add_argument("--source", default=PERFORMER, metavar="performer|FILE", help="the face (default: performer)")
    parser.add_argument("--duration", type=float, default=20.0, metavar="S", help="of each run (default 20)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="runs of each scene (default 1)")
    parser.add_argument("--scene", choices=tuple(SCENES), action="append", help="only this scene; may be repeated")
    parser.add_argument("--perception", help="what reads faces, as for `rena mimic`")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write mimic.json and mimic.png there")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0, also for missed aims, which the output shows; 130 after an interrupt."""
    if args.duration < 5 or args.rounds < 1:
        raise RenaError("--duration must be at least 5 s and --rounds at least 1")
    source = args.source if args.source == PERFORMER else str(user_path(args.source).resolve())
    console, machine = begin(args.out)
    chosen = [name for name in SCENES if not args.scene or name in args.scene]
    if source == PERFORMER:
        chosen = [name for name in chosen if name != LARGE_FILM]
    results: list[LatencyFigures] = []
    try:
        with (
            interruptible(),
            progress_bar(console) as progress,
            tempfile.TemporaryDirectory(prefix="rena-bench-") as at,
        ):
            bar = progress.add_task("", total=args.rounds * len(chosen))
            alone = _alone(source, console)
            for _, scene in itertools.product(range(args.rounds), chosen):
                progress.update(bar, description=scene)
                before = alone()
                figures = _mimic(scene, source, args, Path(at))
                results.append(LatencyFigures.of(scene, figures, float(np.median([*before, *alone()]))))
                progress.advance(bar)
    except KeyboardInterrupt:
        console.print("interrupted: the measurements until then", style="yellow")
    _show(console, results)
    if args.out and results:
        header = {"machine": vars(machine), "load_at_end": Machine.now().load, "source": Path(source).name}
        save_figures(console, args.out, "mimic", {**header, "runs": [one.as_dict() for one in results]})
        _plot(results, args.out, console)
    return 0 if len(results) == args.rounds * len(chosen) else 130


def _alone(source: str, console: Console) -> Callable[[], list[float]]:
    """Return what measures the peer on some frames of the source, ms of each: FaceReader where MediaPipe is missing."""
    film = None if source == PERFORMER else Path(source)
    frames = list(face_scenes(film, ALONE_FRAMES)["film" if film else "performer"]())
    has_peer = "mediapipe" in installed_engines()
    if not has_peer:
        console.print("MediaPipe is not installed: alone is FaceReader", style="yellow")

    def measure() -> list[float]:
        cv2.setNumThreads(1)
        with landmarker_alone() if has_peer else reader_alone() as read:
            times_s = [time.perf_counter()]
            for k, frame in enumerate(frames):
                read(frame, 33 * k)
                times_s.append(time.perf_counter())
        return (1e3 * np.diff(times_s)[_SLOW_FRAMES:]).tolist()

    return measure


def _mimic(scene: str, source: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run `rena mimic` once; return what it writes as JSON."""
    out = folder / "out"
    options = [*SCENES[scene], "--hops", "--out", str(out), "--json", str(folder / "figures.json")]
    options += ["--duration", str(args.duration)] + (["--perception", args.perception] if args.perception else [])
    with contextlib.ExitStack() as stack:
        if scene == NO_TWIN:
            options += ["--robot", str(stack.enter_context(emulated_bus()).link)]
        if scene == BUSY:
            stack.enter_context(busy_process())
        if scene == LARGE_FILM:
            source = str(_enlarged(source, args.duration, folder))
            options += ["--params-file", str(_large_camera(folder))]
        command = [sys.executable, "-m", "rena_ros.cli", "mimic", "--source", source, *options]
        environment = {"ROS_DOMAIN_ID": str(DOMAIN)} | dict(os.environ)
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        with child_process(command, stop_s=30.0, env=environment, **pipes) as process:
            message = process.communicate()[1]
    if process.returncode:
        raise RenaError(f"rena mimic failed in the scene {scene}: {message.strip() or process.returncode}")
    return json.loads((folder / "figures.json").read_text(encoding="utf-8"))


def _large_camera(folder: Path) -> Path:
    path = folder / "large.yaml"
    size = f"{{width: {LARGE[0]}, height: {LARGE[1]}}}"
    write_text(path, f"/**/camera:\n  ros__parameters: {size}\n")
    return path


def _enlarged(source: str, seconds: float, folder: Path) -> Path:
    """Write the first seconds of a film as Motion JPEG of 1920x1080, 30 frames a second, as cameras send it."""
    path = folder / "large.avi"
    if path.exists():
        return path
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = *LARGE, "yuvj422p"
        stream.codec_context.time_base = Fraction(1, 30)
        for k, rgb in enumerate(_frames(source, round(30 * seconds))):
            frame = av.VideoFrame.from_ndarray(np.asarray(cv2.resize(rgb, LARGE), np.uint8), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 30)
            for packet in stream.encode(frame.reformat(format="yuvj422p")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


def _frames(source: str, count: int) -> Iterator[ByteArray]:
    return face_scenes(Path(source), count)["film"]()


def _show(console: Console, results: list[LatencyFigures]) -> None:
    if not results:
        return
    table = Table(title="From picture to bus, ms", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for title in ("", "p50", "p95", "p99", "alone", "p50/alone", "p99/alone", "commands", "CPU", "load"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for one in results:
        times = (f"{value:.1f}" for value in (one.p50_ms, one.p95_ms, one.p99_ms, one.alone_ms))
        ratios = (f"{value / one.alone_ms:.2f}" for value in (one.p50_ms, one.p99_ms))
        table.add_row(one.scene, *times, *ratios, f"{one.commands:.1%}", f"{one.cores:.2f}", f"{one.load:.1f}")
    console.print(table)
    hops = Table(title="Hops, ms: p50 / p95", title_justify="left", box=None, padding=(0, 1, 0, 0))
    names = list(dict.fromkeys(hop for one in results for hop in one.hops_ms))
    for title in ("until", *(f"{k + 1}" for k in range(len(results)))):
        hops.add_column(title, justify="left" if title == "until" else "right", no_wrap=True)
    for name in names:
        found = (one.hops_ms.get(name) for one in results)
        hops.add_row(name, *(f"{ms['p50']:.1f} / {ms['p95']:.1f}" if ms else "" for ms in found))
    console.print(hops)
    console.print("Columns in the order of the rows above.", style="dim")
    console.print(CAPTION, style="dim", highlight=False)
    for text, met in _verdicts(results):
        console.print(f"{'met' if met else 'missed'}: {text}", style="" if met else "red", highlight=False)


def _verdicts(results: list[LatencyFigures]) -> Iterator[tuple[str, bool]]:
    for one in results:
        if one.violations:
            yield f"{one.scene}: {one.violations} goals outside their limits", False
        least = 0.97 if one.scene == BUSY else 0.99
        yield (
            f"{one.scene}: at least {least:.0%} of the frames lead to a command: {one.commands:.1%}",
            one.commands >= least,
        )
        if one.scene == FILM:
            ratio, tail = one.p50_ms / one.alone_ms, one.p99_ms / one.alone_ms
            yield (
                f"{one.scene}: p50 at most 20 ms and 1.1 x alone: {one.p50_ms:.1f} ms, {ratio:.2f}",
                (one.p50_ms <= 20 and ratio <= 1.1),
            )
            yield f"{one.scene}: p99 at most 2 x alone: {tail:.2f}", tail <= 2
    by_scene = {one.scene: one for one in results}
    if LARGE_FILM in by_scene and NO_FILM in by_scene:
        ratio = by_scene[LARGE_FILM].p50_ms / by_scene[NO_FILM].p50_ms
        yield f"1080p: p50 at most 1.15 x that of the source's own size: {ratio:.2f}", ratio <= 1.15


def _plot(results: list[LatencyFigures], folder: Path, console: Console) -> None:
    """Draw a waterfall: the hops' medians one after the other, a row for each run."""
    plt = pyplot()
    if plt is None:
        console.print("no plot: matplotlib is not installed", style="yellow")
        return
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.5 * len(results)), layout="constrained")
    names = list(dict.fromkeys(hop for one in results for hop in one.hops_ms))
    for row, one in enumerate(results):
        left = 0.0
        for k, name in enumerate(names):
            if ms := one.hops_ms.get(name):
                axes.barh(row, ms["p50"], left=left, color=f"C{k}", label=name if row == 0 else None)
                left += ms["p50"]
        axes.plot([one.p95_ms, one.p99_ms], [row, row], "k|", markersize=10)
        axes.plot(one.alone_ms, row, "kx")
    axes.axvline(20, color="grey", linewidth=1)
    axes.set_yticks(range(len(results)), labels=[one.scene for one in results])
    axes.invert_yaxis()
    axes.set(xlabel="ms since the picture's stamp: medians of the hops; | p95 and p99; x FaceLandmarker alone")
    axes.legend(ncols=5, fontsize="small", loc="upper center", bbox_to_anchor=(0.4, -0.28))
    console.print(f"plot: {save_plot(plt, figure, folder, 'mimic')}", highlight=False, soft_wrap=True)
