"""The command `rena report`: carry out the paper's experiments and write them up.

The folder OUT holds ``results.md``, its plots, ``results.json``, ``runs/`` (one JSON file for each finished run; none
is ever repeated), ``study.log`` (the search for learning rates) and ``work/`` (checkpoints, models; git ignores it).
"""

import argparse
import contextlib
import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of_text, user_path, write_json, write_text
from rena_ros.base.missing import require
from rena_ros.learning.fit import use_threads
from rena_ros.perception.engines import engine_version
from rena_ros.report.agreement import agree, options_of, protocol_of, read
from rena_ros.report.carry_out import Experiments
from rena_ros.report.cells import Results
from rena_ros.report.drawn import Mirror
from rena_ros.report.findings import findings
from rena_ros.report.kinds import KINDS, ON_PEOPLE
from rena_ros.report.page import page
from rena_ros.report.parts import ReportData, load_data
from rena_ros.report.plan import (
    OWN,
    QUICK,
    SEQUENCES,
    FloorOfOracle,
    Protocol,
    ReportRun,
    ShownModel,
    needs,
    planned_units,
)
from rena_ros.report.sharing import SharedWork
from rena_ros.report.tuning import open_storage
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

PACKAGES = ("torch", "onnx", "onnxruntime", "numpy", "scikit-learn", "scipy", "optuna")
CHECKOUT = Path(__file__).resolve().parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena report`."""
    protocol = Protocol()
    add = parser.add_argument
    add("--data", type=user_path, metavar="DIR", help="own face: 9,000 samples or more, the last 1,000 to test")
    add("--more", type=user_path, metavar="DIR", nargs="+", default=[], help="further samples for the learning curve")
    add("--fresh", type=user_path, metavar="DIR", help="a dataset of another seed, measured whole")
    add("--identities", type=user_path, metavar="DIR", help="samples of many identities, to train on too")
    add("--strangers", type=user_path, metavar="DIR", help="identities never trained on, measured whole")
    add("--film", type=user_path, metavar="FILE", help="a film of a person that every model mirrors (Table III)")
    add("--out", type=user_path, metavar="DIR", help=f"default: {_shown_default()}; with --quick out/report-quick")
    add("--quick", action="store_true", help="tiny sizes, to see that everything works; collects data where none is")
    add("--seeds", type=int, metavar="N", help=f"runs of each setting (default {len(protocol.seeds)})")
    add("--trials", type=int, metavar="N", help=f"learning rates tried for each kind (default {protocol.trials})")
    add("--epochs", type=int, metavar="N", help=f"passes over the training samples (default {protocol.epochs})")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of a training (default 1)")
    add("--worker", action="store_true", help="help with the report in --out, which another process has begun")
    add("--storage", metavar="URL", help="database for the search, such as PostgreSQL (default: OUT/study.log)")
    add("--robot-file", type=user_path, metavar="FILE", help="robot that the data was collected with; default: Rena")


def run(args: argparse.Namespace) -> int:
    """Do what is left of the report and, unless it is a worker, write it up. Returns 0, or 130 after Ctrl-C."""
    require("matplotlib")  # for the plots, after everything
    console = Console(soft_wrap=True)
    if args.threads < 1:
        raise RenaError(f"--threads must be at least 1, not {args.threads}")
    use_threads(args.threads)
    shared = SharedWork(args.out or _default_out(args.quick))
    plan = shared.work / "plan.json"
    if args.worker:
        agreed = read(plan)
        options, protocol = options_of(agreed), protocol_of(agreed)
    else:
        protocol, options = _protocol(args), {key: getattr(args, key) for key in OPTIONS}
        if options["data"] is None:
            options["data"] = _collected(args, protocol, shared)
            if options["data"] is None:
                return 130
    robot = load_robot(options["robot_file"])
    places = {key: options[key] for key in ("more", "fresh", "identities", "strangers", "film")}
    data = load_data(protocol, options["data"], **places)
    if data.own.names != robot.names:
        raise RenaError(f"{options['data']} was collected with other servos than those of {robot.source}: --robot-file")
    if not args.worker:
        agree(plan, options, protocol, data.origin)
    units = planned_units(protocol, KINDS, len(data.own), data.people_samples, data.film_sha256)
    study = f"rena {sha256_of_text(str((data.origin, replace(protocol, seeds=()))))[:16]}"
    storage = open_storage(options["storage"], shared.folder)
    try:
        with _progress(console, len(units)) as (tell_done, tell_unit):
            work = Experiments(protocol, KINDS, units, data, robot, Mirror(robot), shared, storage, study, tell_unit)
            by_name = {unit.name: unit for unit in units}
            shared.share(list(by_name), lambda name: needs(by_name[name], units, KINDS), work.carry_out, tell_done)
    except KeyboardInterrupt:
        done = sum(shared.done(unit.name) for unit in units)
        console.print(f"stopped: {done} of {len(units)} units are done in {shared.folder}; the same command continues")
        return 130
    if args.worker:
        console.print(f"all {len(units)} units of {shared.folder} are done; the process that began it writes the page")
        return 0
    runs = [shared.result(unit.name) or {} for unit in units if isinstance(unit, ReportRun)]
    shown = {unit: shared.result(unit.name) or {} for unit in units if isinstance(unit, ShownModel)}
    faces = {unit.kind: one for unit, one in shown.items() if not unit.film}
    films, sequences = (
        {unit.kind + ON_PEOPLE * (unit.data != OWN): one for unit, one in shown.items() if unit.film == film}
        for film in (data.film_sha256 or None, SEQUENCES)
    )
    floor = shared.result(FloorOfOracle().name) or {}
    render(shared.folder, Results(tuple(runs), faces, films, floor, sequences), protocol, robot, data, console)
    return 0


OPTIONS = ("data", "more", "fresh", "identities", "strangers", "film", "robot_file", "storage")


def render(
    folder: Path, results: Results, protocol: Protocol, robot: Robot, data: ReportData, console: Console
) -> None:
    """Write results.md, its plots and results.json into the folder; print the sentences. Raises RenaError."""
    from rena_ros.report import charts  # matplotlib takes a second to import

    samples, servos = len(data.own), [(servo.name, servo.region) for servo in robot.servos]
    sentences = findings(results, protocol, KINDS, robot.names, samples)
    origin = {
        "commit": source_commit(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES} | engine_version(),
        "python": platform.python_version(),
        "data": data.origin,
    }
    plots = charts.draw(folder, results, protocol, KINDS, robot.names, samples)
    text = page(results, protocol, KINDS, servos, samples, sentences, plots, origin)
    write_text(folder / "results.md", text)
    figures: dict[str, Any] = {"quick": protocol.quick, "protocol": asdict(protocol), **origin}
    figures |= {
        "servos": list(robot.names),
        "findings": sentences,
        "table_2": results.faces,
        "film": results.films,
        "sequences": results.sequences,
        "floor": results.floor,
        "runs": list(results.runs),
    }
    write_json(folder / "results.json", figures)
    for sentence in sentences:
        console.print(f"- {sentence}", highlight=False, markup=False)
    if protocol.quick:
        console.print("quick run: these numbers only show that the machinery works")
    console.print(f"{folder / 'results.md'}, results.json and {len(plots)} plots")


def _protocol(args: argparse.Namespace) -> Protocol:
    protocol = QUICK if args.quick else Protocol()
    given: dict[str, Any] = {}
    for name, least in (("seeds", 1), ("trials", 1), ("epochs", 1)):
        value = getattr(args, name)
        if value is None:
            continue
        if value < least:
            raise RenaError(f"--{name} must be at least {least}, not {value}")
        given[name] = tuple(range(value)) if name == "seeds" else value
    return replace(protocol, **given)


def _collected(args: argparse.Namespace, protocol: Protocol, shared: SharedWork) -> Path | None:
    """Return a small dataset of the twin, collected into the report's work folder; None after Ctrl-C."""
    if not args.quick:
        raise RenaError(
            "--data is missing: collect the robot's own face first (rena collect --fast --samples 9000 --seed 1 --out "
            "DIR), or try the machinery with --quick"
        )
    from rena_ros.collecting import command

    parser, out = argparse.ArgumentParser(), shared.work / "data"
    command.add_arguments(parser)
    words = ["--fast", "--seed", "1", "--samples", str(protocol.pool + protocol.test), "--out", str(out)]
    robot = ["--robot-file", str(args.robot_file)] if args.robot_file else []
    return None if command.run(parser.parse_args(words + robot)) else out


def _default_out(quick: bool) -> Path:
    if quick:
        return Path("out/report-quick")
    return CHECKOUT / "docs/results" if (CHECKOUT / ".git").exists() else Path("results")


def _shown_default() -> str:
    return "docs/results of the source tree, or results"


@contextlib.contextmanager
def _progress(console: Console, units: int) -> Iterator[tuple[Any, Any]]:
    """Show the units that are done, by whichever process, and the epochs of the one that trains here."""
    columns = (TextColumn("report"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[now]}"), console=console) as progress:
        bar = progress.add_task("", total=units, now="")
        yield (
            lambda done: progress.update(bar, completed=done, now="waiting for others" if done < units else ""),
            lambda unit, epochs, of: progress.update(bar, now=f"{unit}: epoch {epochs + 1} of {of}"),
        )
