"""The folder of a collection session: what it collects, its runs, its bags, and what is still to do.

SESSION holds ``session.json``, ``robot.yaml`` and ``strategy.yaml`` (copies), ``bags/NNNN`` (one for each run, or part
of one) and ``log/``. A run that was cut off leaves a bag that is mended before the next run.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from rena_ros.bags.finished import bags_in, is_finished
from rena_ros.bags.recovery import recover
from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, sha256_of, write_bytes, write_json
from rena_ros.recording.stored import Stored, stored_in

FORMAT = 1
FILE, ROBOT_FILE, STRATEGY_FILE, BAGS, LOG = "session.json", "robot.yaml", "strategy.yaml", "bags", "log"
# The goals of a session follow from these: with another one of them it cannot go on.
RECIPE = ("seed", "robot_sha256", "strategy_sha256")


@dataclass(frozen=True)
class SessionFile:
    """What session.json says.

    ``samples`` may grow from run to run. ``capture_delay_s``: how much later than its capture a picture is stamped;
    None: not measured. ``runs``: of each run its beginning and, unless it was cut off, its end (UTC), its command, its
    source and Rena's version.
    """

    samples: int
    seed: int
    robot_sha256: str
    strategy_sha256: str
    capture_delay_s: float | None = None
    runs: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make SESSION and lock it for this process. Raises RenaError when another run holds it or it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RenaError(f"cannot write into {directory}: {error.strerror}; choose another --out") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise RenaError(f"another run collects into {directory}: wait for it, or choose another --out") from error
    try:
        yield
    finally:
        os.close(lock)


def begin(
    directory: Path, samples: int, seed: int, robot_file: Path, strategy_file: Path, run: dict[str, str], resume: bool
) -> SessionFile:
    """Begin a session, or go on with one (``resume``), and note the run. SESSION must be locked.

    A session that has no bags yet, as after measuring the camera's delay, goes on in any case. Raises RenaError when
    the folder holds something else, a session without ``resume``, none with it, or one of another recipe.
    """
    fresh = SessionFile(samples, seed, sha256_of(robot_file), sha256_of(strategy_file))
    earlier = load(directory) if (directory / FILE).exists() else None
    if earlier is None:
        if resume:
            raise RenaError(f"{directory} holds no session to resume: leave --resume out to begin one")
        if foreign := [path.name for path in directory.iterdir() if path.name != LOG]:
            raise RenaError(f"{directory} is not empty and holds no session ({foreign[0]} …): choose another --out")
        session = fresh
    else:
        session = _continued(directory, earlier, fresh, resume)
    copies = {ROBOT_FILE: robot_file.read_bytes(), STRATEGY_FILE: strategy_file.read_bytes()}
    session = replace(session, runs=[*session.runs, {"began": _now(), **run}])
    save(directory, session)  # first: a folder that has it is a session, however early the run is killed
    for name, content in copies.items():
        write_bytes(directory / name, content)
    (directory / BAGS).mkdir(exist_ok=True)
    return session


def load(directory: Path) -> SessionFile:
    """Read session.json. Raises RenaError when it is missing or describes no session."""
    path = directory / FILE
    try:
        data: dict[str, Any] = json.loads(read_text(path, "session file"))
        if data.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return SessionFile(**data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RenaError(
            f"{path} describes no session that this version of Rena knows ({error}); what is recorded stays usable: "
            f"move that file away, then rena dataset build {directory} --out DIR"
        ) from error


def save(directory: Path, session: SessionFile) -> None:
    """Write session.json as a whole. Raises RenaError."""
    write_json(directory / FILE, {"format": FORMAT, **asdict(session)})


def end_run(directory: Path, ending: str) -> None:
    """Note when and how the last run ended; a run that was cut off has no such note. Raises RenaError."""
    session = load(directory)
    *others, last = session.runs
    save(directory, replace(session, runs=[*others, {**last, "ended": _now(), "ending": ending}]))


def mend(directory: Path) -> int:
    """Mend every bag of the session that was cut off; returns how many. Raises RenaError."""
    cut = [bag for bag in _bags(directory) if not is_finished(bag)]
    for bag in cut:
        recover(bag)
    return len(cut)


def stored(directory: Path) -> Stored:
    """Return which samples the session's bags hold; they must be finished. Raises RenaError."""
    return stored_in(_bags(directory))


def note_delay(directory: Path, held: Stored) -> SessionFile:
    """Write the camera's delay that the bags hold, if any, into session.json; returns the session. Raises RenaError."""
    session = load(directory)
    if held.capture_delay_s is not None and held.capture_delay_s != session.capture_delay_s:
        session = replace(session, capture_delay_s=held.capture_delay_s)
        save(directory, session)
    return session


def missing(done: Iterable[int], samples: int) -> list[int]:
    """Return the indices that are still to collect, ascending."""
    return sorted(set(range(samples)) - set(done))


def todo_text(indices: Iterable[int]) -> str:
    """Return ascending indices as a text such as "57,103-8999", as the babble node takes it."""
    runs = groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0])
    spans = [[index for _, index in run] for _, run in runs]
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def _continued(directory: Path, earlier: SessionFile, fresh: SessionFile, resume: bool) -> SessionFile:
    changed = [key.removesuffix("_sha256") for key in RECIPE if getattr(earlier, key) != getattr(fresh, key)]
    if not resume and _bags(directory):
        raise RenaError(f"{directory} holds a session already: add --resume to go on with it, or choose another --out")
    if changed and (resume or _bags(directory)):
        remedy = "give what it began with, or choose another --out"
        raise RenaError(f"{directory} holds a session of another {' and '.join(changed)}: {remedy}")
    if fresh.samples < earlier.samples and _bags(directory):
        raise RenaError(f"{directory} is a session of {earlier.samples} samples: it can grow, not shrink")
    return replace(fresh, capture_delay_s=earlier.capture_delay_s, runs=earlier.runs)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _bags(directory: Path) -> list[Path]:
    """Return the session's bags in their order; none where nothing was recorded."""
    try:
        return bags_in(directory / BAGS)
    except RenaError:
        return []
