"""A session before its nodes start: checked, begun or resumed, its cut bags mended, and what is left to collect."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import ros_path, user_path
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path
from rena_ros.collecting.command import SAMPLES, SEED
from rena_ros.collecting.ranges import check_numbers
from rena_ros.graph import TWIN, Process, collect_graph, full_name, ros_namespace
from rena_ros.perception.camera import absence, camera_path
from rena_ros.perception.container import examine
from rena_ros.perception.video import PERFORMER
from rena_ros.processes.checks import check_robot
from rena_ros.recording import session as sessions
from rena_ros.recording.session import SessionFile
from rena_ros.recording.stored import Stored
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy, strategy_path
from rena_ros.twin.body import load_body


@dataclass(frozen=True)
class OpenSession:
    """A session that is locked for this process.

    ``held``: what its bags hold; ``todo``: indices of the samples that they lack, ascending; ``mended``: how many bags
    were; ``processes``: what collects the rest; ``has_work``: False where all samples are there and no delay is to be
    measured.
    """

    out: Path
    session: SessionFile
    held: Stored
    todo: list[int]
    mended: int
    processes: tuple[Process, ...]
    namespace: str
    params_file: Path
    has_work: bool

    @property
    def collected(self) -> int:
        """How many samples the bags hold."""
        return self.session.samples - len(self.todo)

    @property
    def done_text(self) -> str:
        """What to say where there is no work."""
        return f"all {self.session.samples} samples are in {self.out} already"


@contextmanager
def opened(args: argparse.Namespace, command: str) -> Iterator[OpenSession]:
    """Open the session that the options of `rena collect` describe; it stays locked until the end of the context.

    ``command``: what started it, for session.json. Samples, seed, robot and strategy that are not given are those of
    the session that is resumed. Raises RenaError.
    """
    namespace = ros_namespace(args.namespace or "")
    params_file = args.params_file or share_path("config/nodes.yaml")
    servos, babble = (parameters_in(params_file, full_name(name, namespace)) for name in ("servos", "babble"))
    check_robot(args.robot)
    _check_source(args.robot, args.source)
    out = args.out.resolve()
    if args.resume and not (out / sessions.FILE).exists():
        raise RenaError(f"{out} holds no session to resume: leave --resume out to begin one")
    earlier = sessions.load(out) if args.resume else None
    robot_copy, strategy_copy = out / sessions.ROBOT_FILE, out / sessions.STRATEGY_FILE
    # A run that was killed at its very beginning left none.
    robot_file = args.robot_file or (robot_copy if earlier and robot_copy.exists() else servos.get("robot_file"))
    strategy_given = str(strategy_copy) if earlier and strategy_copy.exists() else babble.get("strategy_file")
    strategy = args.strategy or strategy_given
    # A session in which only the delay was measured has 0 samples.
    samples = _first(args.samples, (earlier.samples or None) if earlier else None, babble.get("samples"), SAMPLES)
    seed = _first(args.seed, earlier.seed if earlier else None, babble.get("seed"), SEED)
    check_numbers(argparse.Namespace(**vars(args) | {"samples": samples, "seed": seed}))
    robot = load_robot(robot_file)
    assert robot.source is not None  # it was loaded from a file
    load_strategy(strategy, robot)
    load_body(args.body, robot)
    source = args.source or ("robot" if args.robot == TWIN else "")
    note = {"command": command, "rena_version": __version__, "commit": source_commit() or "", "source": source}
    with sessions.locked(out):
        sessions.begin(out, samples, seed, robot.source, strategy_path(strategy), note, bool(args.resume))
        mended = sessions.mend(out)
        held = sessions.stored(out)
        session = sessions.note_delay(out, held)
        todo = sessions.missing(held.samples, samples)
        (out / sessions.LOG).mkdir(exist_ok=True)
        autostart = servos.get("autostart") if args.autostart is None else args.autostart
        processes = _graph(args, out, session, todo, autostart)
        has_work = bool(todo or args.measure_delay)
        if not has_work:
            sessions.end_run(out, "complete")
        try:
            yield OpenSession(out, session, held, todo, mended, processes, namespace, params_file, has_work)
        except RenaError:
            sessions.end_run(out, "failed")
            raise


def _first(*values: int | None) -> int:
    """Return the first value that is one."""
    return next(value for value in values if value is not None)


def _check_source(robot: str, source: str | None) -> None:
    if robot != TWIN and not source:
        raise RenaError("the source is missing: name the camera that looks at the robot, such as 0 for /dev/video0")
    if robot != TWIN and source == "robot":
        raise RenaError("the source robot is the twin's picture: name the camera that looks at the robot")
    if not source or source in ("robot", PERFORMER):
        return
    if (camera := camera_path(source)) is None:
        examine(user_path(source))
    elif (reason := absence(camera)) is not None:
        raise RenaError(reason)


def _graph(
    args: argparse.Namespace, out: Path, session: SessionFile, todo: list[int], autostart: bool | None
) -> tuple[Process, ...]:
    """Return the processes; they read the session's own copies of robot and strategy, which no user edits meanwhile."""
    link = out / sessions.LOG / "servos"
    link.unlink(missing_ok=True)  # a run that was killed leaves a port that leads nowhere
    return collect_graph(
        ros_path(out),
        args.robot,
        args.source or "",
        samples=session.samples if todo else 0,  # 0: only measure; without any, todo would name all
        seed=session.seed,
        todo=sessions.todo_text(todo),
        strategy=ros_path(out / sessions.STRATEGY_FILE),
        robot_file=ros_path(out / sessions.ROBOT_FILE),
        autostart=autostart,
        rest_every=args.rest_every,
        rest_s=args.rest_s,
        capture_delay_s=session.capture_delay_s,
        measure_delay=args.measure_delay,
        robot_delay_s=args.robot_delay_s,
        body_file=ros_path(args.body.resolve()) if args.body else "",
        perception=args.perception or "",
        link=ros_path(link),
        report=ros_path(out / sessions.LOG / "emulator.json"),
    )
