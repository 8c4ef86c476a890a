"""After a run: the film, the round trip and the figures of what was recorded, whatever of it there is."""

import contextlib
import datetime
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.base.errors import RenaError
from rena_ros.graph import TWIN
from rena_ros.mimic import summary
from rena_ros.mimic.film import make_film
from rena_ros.mimic.measurements import Measurements
from rena_ros.mimic.round_trip import compare, person_track, twin_track
from rena_ros.mimic.session import RunOutcome
from rena_ros.mimic.spool import SpoolReader

FILM = "mimic.mp4"


def conclude(
    told: dict,
    samples: Measurements,
    outcome: RunOutcome,
    model: Path,
    out: Path,
    report: Path,
    copy: Path | None,
    console: Console,
) -> int:
    """Write ``out``/summary.json (and ``copy``) and ``out``/mimic.mp4, and print the figures. Returns the exit code.

    ``commanded``: what the user asked for, source, robot and mirror. ``report``: the emulator's. A part that cannot be
    made, or that a Ctrl-C cuts short, is named in the summary's notes. The spool is gone afterwards.
    """
    is_twin = told["robot"] == TWIN
    notes = [f"{name} did not leave on Ctrl-C and took a {number}" for name, number in outcome.forced.items()]
    if outcome.spool_failure:
        notes.append(f"pictures could not be kept: {outcome.spool_failure}")
    emulator = _read_report(report) if is_twin else None
    if is_twin and emulator is None:
        notes.append("the emulator left no report")
    figures = summary.measure(samples, emulator)
    figures["provenance"] = {
        **told,
        "model": {"file": model.name, "sha256": summary.fingerprint(model)},
        "recorded": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "duration_s": _recorded_s(samples),
        "ended": outcome.ending,
        "film": None,
        "emulator": emulator,
        "versions": summary.versions(),
        "notes": notes,
    }
    failed = outcome.failure is not None
    if failed:
        _complain(outcome.failure, notes)
    paths = [out / "summary.json", *([copy] if copy else [])]
    with contextlib.suppress(RenaError):  # the film may take a while: the figures are to be safe meanwhile
        summary.write(figures, *paths)
    try:
        if figures["frames"]:
            _add_film(figures, samples, out, is_twin, console)
            if not failed:
                _add_round_trip(figures, out, is_twin, console)
    except KeyboardInterrupt:
        notes.append("interrupted while the film or the round trip was being made")
    except RenaError as error:
        failed = True
        _complain(error, notes)
    shutil.rmtree(out / ".spool", ignore_errors=True)  # on a full disk this makes the room for the summary
    if figures["frames"]:
        summary.show(figures, console)
    try:
        summary.write(figures, *paths)
    except RenaError as error:
        failed = True
        _complain(error, notes)
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True, style="yellow")
    if figures["provenance"]["film"]:
        console.print(f"film: {out / FILM}", highlight=False, markup=False, soft_wrap=True)
    if failed or figures["frames"]:
        return 1 if failed else 0
    print("rena mimic: the run ended before the camera sent a picture", file=sys.stderr)
    return 130 if outcome.ending == "interrupted" else 1


def _add_film(figures: dict, samples: Measurements, out: Path, is_twin: bool, console: Console) -> None:
    path = out / FILM
    try:
        with _progress(console, "film") as tell:
            make_film(path, out / ".spool", samples.events("servos"), with_robot=is_twin, progress=tell)
    finally:
        figures["provenance"]["film"] = path.name if path.exists() else None
    if not is_twin:
        figures["provenance"]["notes"].append("no picture of a real robot: the film shows the person alone")


def _add_round_trip(figures: dict, out: Path, is_twin: bool, console: Console) -> None:
    notes = figures["provenance"]["notes"]
    if not is_twin:
        notes.append("no round trip without the twin")
        return
    spool = out / ".spool"
    with _progress(console, "reading the robot's face") as tell:
        twin = twin_track(SpoolReader.open(spool, "robot"), tell)
    trip = compare(person_track(SpoolReader.open(spool, "readings")), twin)
    if trip is None:
        notes.append("no round trip: the person and the robot were hardly ever seen at the same time")
    else:
        figures["round_trip"] = trip.as_dict()


@contextlib.contextmanager
def _progress(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is gone when it is done; yields what to call with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _complain(error: RenaError, notes: list[str]) -> None:
    print(f"rena mimic: {error}", file=sys.stderr, flush=True)
    notes.append(str(error).splitlines()[0])


def _recorded_s(samples: Measurements) -> float:
    frames = samples.frames()
    return round((frames[-1] - frames[0]) / 1e9, 3) if frames else 0.0


def _read_report(report: Path) -> dict | None:
    try:
        return json.loads(report.read_text())
    except (OSError, json.JSONDecodeError):
        return None
