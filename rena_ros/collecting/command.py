"""`rena collect`: let the robot babble and record what it sees, over ROS or, with --fast, in virtual time."""

import argparse

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.collecting.ranges import check_numbers
from rena_ros.perception.engines import ENGINES, HELP

SAMPLES, SEED = 9000, 0  # where neither the user nor the session that is resumed says otherwise
# Options of one way of collecting only, by their names in the parsed arguments; all are None where not given.
FAST_ONLY = ("workers", "people", "first_person", "nuisance")
LIVE_ONLY = (
    *("source", "resume", "autostart", "measure_delay", "params_file", "namespace"),
    *("rest_every", "rest_s", "duration", "robot_delay_s"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena collect`."""
    parser.add_argument("--robot", default="twin", metavar="twin|PORT", help="the drawn robot, or a serial port")
    parser.add_argument(
        "--out", type=user_path, required=True, help="folder of the session, or with --fast of the dataset"
    )
    # None where not given: the session that is resumed may say it.
    parser.add_argument("--samples", type=int, help=f"how many (default {SAMPLES})")
    parser.add_argument("--seed", type=int, help=f"seed of the walk through the expressions (default {SEED})")
    parser.add_argument("--strategy", help="strategy file, or paper or random (default: config/strategy.yaml)")
    parser.add_argument("--robot-file", type=user_path, help="another robot file than config/rena.yaml")
    parser.add_argument(
        "--body", type=user_path, metavar="FILE", help="draw a robot that differs from its file, as config/foreign.yaml"
    )
    parser.add_argument("--perception", choices=ENGINES, help=HELP)
    parser.add_argument("--json", type=user_path, metavar="FILE", help="also write the figures to this file")
    fast = parser.add_argument_group("the twin in virtual time, without ROS")
    fast.add_argument("--fast", action="store_true", help="an unfinished dataset in --out is continued")
    fast.add_argument("--workers", type=int, help="processes in parallel (default: one per core, at most 2)")
    fast.add_argument(
        "--people", type=int, metavar="N", help="N drawn persons wear the robot's servos in turn, 25 samples each"
    )
    fast.add_argument(
        "--first-person", type=int, metavar="K", help="number of the first of them (default 1); the others follow"
    )
    fast.add_argument(
        "--nuisance",
        action="store_const",
        const=True,
        help="vary light, camera, mount, JPEG, backlash and gains as on a real bench",
    )
    live = parser.add_argument_group("over ROS, in real time")
    live.add_argument(
        "--source", metavar="robot|CAMERA|FILE", help="the camera that looks at the robot; default for the twin: robot"
    )
    live.add_argument("--resume", action="store_const", const=True, help="go on with the session in --out")
    live.add_argument("--autostart", action="store_const", const=True, help="switch a real robot's torque on at start")
    live.add_argument(
        "--measure-delay",
        action="store_const",
        const=True,
        help="measure first how late the camera stamps: the neck turns",
    )
    live.add_argument("--rest-every", type=int, metavar="N", help="samples between two rests at neutral (default 300)")
    live.add_argument("--rest-s", type=float, metavar="S", help="length of a rest (default 20)")
    live.add_argument("--duration", type=float, metavar="S", help="end after so many seconds; --resume goes on")
    live.add_argument("--params-file", type=user_path, metavar="FILE", help="parameters of every node")
    live.add_argument("--namespace", help="ROS namespace of all nodes")
    live.add_argument(
        "--robot-delay-s", type=float, metavar="S", help="for trials: stamp and send the twin's pictures so much later"
    )


def run(args: argparse.Namespace) -> int:
    """Collect. Returns 0, 1 when the session failed, or 130 after Ctrl-C."""
    check_numbers(args)
    misplaced = [name for name in (LIVE_ONLY if args.fast else FAST_ONLY) if getattr(args, name) is not None]
    if misplaced:
        option = "--" + misplaced[0].replace("_", "-")
        raise RenaError(f"{option} goes {'without' if args.fast else 'with'} --fast only: take one of the two out")
    if args.fast:
        from rena_ros.collecting import fast

        args.samples, args.seed = args.samples or SAMPLES, args.seed or SEED
        return fast.run(args)
    from rena_ros.collecting import session_run

    return session_run.run(args)
