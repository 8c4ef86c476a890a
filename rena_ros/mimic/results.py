"""After a run: make the film, the round trip and the figures of what was recorded, as far as it goes."""

import contextlib
import datetime
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, ros_path, sha256_of, user_path, write_json
from rena_ros.graph import TWIN
from rena_ros.mimic import summary
from rena_ros.mimic.film import make_film
from rena_ros.mimic.measurements import Measurements
from rena_ros.mimic.round_trip import compare, person_track, twin_track
from rena_ros.mimic.session import RunOutcome
from rena_ros.mimic.spool import SpoolReader

FILM, REPORT = "mimic.mp4", "emulator.json"  # in the folder of the results and in the spool
BAGS = "bags"  # in the folder of the results


@dataclass(frozen=True)
class MimicRun:
    """A run as the user asked for it (``source``, ``robot``, ``mirror``, ``model``) and the places of its files.

    ``out``: the folder of the results. ``json_copy``: where the figures are written as well. ``earlier_bags``: those of
    runs before this one; None where this run records none. ``film``: whether the pictures were kept.
    """

    source: str
    robot: str
    mirror: bool
    model: Path
    out: Path
    json_copy: Path | None
    earlier_bags: frozenset[Path] | None = None
    film: bool = True

    @property
    def is_twin(self) -> bool:
        """Whether the robot was the drawn one behind emulated servos."""
        return self.robot == TWIN

    @property
    def bags(self) -> list[Path]:
        """The bags of this run: several where the disk was nearly full in between."""
        folder = self.out / BAGS
        if self.earlier_bags is None or not folder.is_dir():
            return []
        return sorted(bag for bag in folder.iterdir() if bag.is_dir() and bag not in self.earlier_bags)

    @property
    def spool(self) -> Path:
        """The folder of the spool files and of the emulator's report; deleted at the end."""
        return self.out / ".spool"


def conclude(run: MimicRun, measurements: Measurements, outcome: RunOutcome, console: Console) -> int:
    """Write ``out``/summary.json (and its copy) and ``out``/mimic.mp4, and print the figures. Returns the exit code.

    A part that cannot be made, or that Ctrl-C cuts short, is named in the summary's notes.
    """
    figures = _figures(run, measurements, outcome)
    notes = figures["provenance"]["notes"]
    summary_file = run.out / "summary.json"
    good = outcome.failure is None
    if outcome.failure is not None:
        _report_error(outcome.failure, notes)
    with contextlib.suppress(RenaError):  # making the film may take a while: the figures are safe meanwhile
        write_json(summary_file, figures)
    if figures["frames"] and run.film:
        good &= _attempt(partial(_add_pictures, run, measurements, figures, outcome, console), notes)
    shutil.rmtree(run.spool, ignore_errors=True)  # on a full disk this frees the space for the summary
    if figures["frames"]:
        summary.show(figures, console)
    for path in (summary_file, run.json_copy):
        good &= path is None or _attempt(partial(write_json, path, figures), notes)
    for note in notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True, style="yellow")
    for bag in run.bags:
        console.print(f"bag: {bag}, {_megabytes(bag)} MB; rena play {bag} gives it back", markup=False, soft_wrap=True)
    if figures["provenance"]["film"]:
        console.print(f"film: {run.out / FILM}", markup=False, soft_wrap=True)
    if good and not figures["frames"]:
        print("rena mimic: the run ended before the camera sent a picture", file=sys.stderr)
        return 130 if outcome.ending == "interrupted" else 1
    return 0 if good else 1


def _figures(run: MimicRun, measurements: Measurements, outcome: RunOutcome) -> dict[str, Any]:
    """Everything in summary.json that needs no picture."""
    notes = [f"{name} did not end on Ctrl-C and was sent {number}" for name, number in outcome.forced.items()]
    if outcome.spool_failure:
        notes.append(f"pictures could not be kept: {outcome.spool_failure}")
    emulator = _read_report(run.spool / REPORT) if run.is_twin else None
    if run.is_twin and emulator is None:
        notes.append("the emulator left no report")
    if run.earlier_bags is not None and not run.bags:
        notes.append("nothing was recorded: see log/recorder.log")
    frames = measurements.frames(outcome.span_ns)
    figures = summary.measure(measurements, emulator, outcome.span_ns)
    figures["cpu_percent"], figures["memory_mib"] = outcome.use.cpu_percent(), outcome.use.memory_mib()
    if outside := figures["frames"] - len(frames):
        notes.append(f"{outside} pictures are stamped outside the run (a clock was set?): the film leaves them out")
    figures["provenance"] = {
        "source": ros_path(user_path(run.source)),
        "robot": run.robot,
        "mirror": run.mirror,
        "model": {"file": printable(run.model.name), "sha256": sha256_of(run.model)},
        "recorded": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "duration_s": round((frames[-1] - frames[0]) / 1e9, 3) if frames else 0.0,
        "ended": outcome.ending,
        "film": None,
        "bags": [{"path": f"{BAGS}/{bag.name}", "mb": _megabytes(bag)} for bag in run.bags],
        "emulator": emulator,
        "versions": summary.versions(),
        "notes": notes,
    }
    return figures


def _add_pictures(
    run: MimicRun, measurements: Measurements, figures: dict[str, Any], outcome: RunOutcome, console: Console
) -> None:
    """Make the film and, after a run without failure, the round trip. Raises RenaError."""
    provenance, finished_ns = figures["provenance"], measurements.events("servos")
    try:
        with _progress(console, "film") as progress:
            make_film(
                run.out / FILM,
                run.spool,
                finished_ns,
                with_robot=run.is_twin,
                span_ns=outcome.span_ns,
                progress=progress,
            )
        if not run.is_twin:
            provenance["notes"].append("no picture of a real robot: the film shows the person alone")
        if outcome.failure is None:
            _add_round_trip(run, figures, console)
    except KeyboardInterrupt:
        provenance["notes"].append("interrupted while the film or the round trip was being made")
    finally:
        provenance["film"] = FILM if (run.out / FILM).exists() else None


def _add_round_trip(run: MimicRun, figures: dict[str, Any], console: Console) -> None:
    notes = figures["provenance"]["notes"]
    if not run.is_twin:
        notes.append("no round trip without the twin")
        return
    with _progress(console, "reading the robot's face") as progress:
        twin = twin_track(SpoolReader(run.spool, "robot"), progress)
    trip = compare(person_track(SpoolReader(run.spool, "readings")), twin)
    if trip is None:
        notes.append("no round trip: the person and the robot were hardly ever seen at the same time")
    else:
        figures["round_trip"] = trip.as_dict()


@contextlib.contextmanager
def _progress(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that disappears at the end; yields a function that takes (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _attempt(step: Callable[[], None], notes: list[str]) -> bool:
    """Take one step; a RenaError is reported. Returns whether there was none."""
    try:
        step()
    except RenaError as error:
        _report_error(error, notes)
        return False
    return True


def _report_error(error: RenaError, notes: list[str]) -> None:
    print(f"rena mimic: {error}", file=sys.stderr, flush=True)
    notes.append(str(error).splitlines()[0])


def _read_report(report: Path) -> dict[str, Any] | None:
    try:
        return json.loads(report.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None


def _megabytes(bag: Path) -> float:
    return round(sum(path.stat().st_size for path in bag.iterdir()) / 1e6, 1)
