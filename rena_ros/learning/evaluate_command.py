"""The command `rena evaluate`: held-out errors of a model, of ridge regression and of the training mean."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rena_ros.base.files import user_path, write_json
from rena_ros.base.missing import require
from rena_ros.behaviour.policy import Policy
from rena_ros.datasets.dataset import load_dataset
from rena_ros.learning.metrics import left_right_gap
from rena_ros.learning.samples import TEST_SAMPLES
from rena_ros.learning.scores import Score, held_out_part, held_out_scores
from rena_ros.robot.file import load_robot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena evaluate`."""
    parser.add_argument("--model", type=user_path, metavar="FILE", help="exported model; default: the one that ships")
    parser.add_argument("--data", type=user_path, metavar="DIR", required=True, help="a dataset made by `rena collect`")
    parser.add_argument(
        "--test",
        metavar="N",
        type=_held_out,
        default=TEST_SAMPLES,
        help="held-out samples, or `all`: the whole dataset, one that the model never saw (default %(default)s)",
    )
    parser.add_argument("--limit", metavar="N", type=int, help="fit the baselines to the first N samples only")
    parser.add_argument("--robot-file", type=user_path, metavar="FILE", help="robot of model and data; default: Rena")
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write the figures to this file")
    parser.add_argument(
        "--out", type=user_path, metavar="DIR", help="folder for plots: cumulative errors, errors per servo"
    )


def run(args: argparse.Namespace) -> int:
    """Print the scores, and write the figures and plots that the options request. Returns 0."""
    if args.out:
        require("matplotlib")
    policy = Policy(args.model, load_robot(args.robot_file))
    dataset = load_dataset(args.data)
    scores = held_out_scores(policy, dataset, args.test, limit=args.limit)
    held_out = held_out_part(dataset, args.test)
    gap = left_right_gap(held_out.goals, dataset.names)
    _print(scores, dataset.names, len(held_out), gap)
    if len(scores) == 1:
        print("without baselines: every sample is measured, so none is left to fit them to")
    if args.json:
        figures = {name: _figures(score, dataset.names) for name, score in scores.items()}
        write_json(args.json, {"held_out": len(held_out), "left_right_gap_of_goals": gap, **figures})
    if args.out:
        _write_plots(args.out, scores, dataset.names)
    return 0


def _held_out(text: str) -> int | None:
    """Return the number of held-out samples that a user names; None: all."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of samples from 1 on, or all, not {text}")
    return int(text)


def _print(scores: dict[str, Score], servo_names: tuple[str, ...], samples: int, gap: float) -> None:
    table = Table(title=f"RMSE of goals on {samples} held-out samples, % of a servo's range")
    table.add_column("servo")
    for name in scores:
        table.add_column(name, justify="right")
    for i, servo in enumerate(servo_names):
        table.add_row(servo, *(f"{100 * score.per_servo[i]:.1f}" for score in scores.values()))
    table.add_section()
    table.add_row("overall", *(f"{100 * score.rmse:.2f}" for score in scores.values()), style="bold")
    table.add_row("left/right gap", *(f"{100 * score.left_right_gap:.2f}" for score in scores.values()))
    console = Console()
    console.print(table)
    console.print(f"left/right gap of eyes and brows in the held-out goals themselves: {100 * gap:.2f} %")


def _figures(score: Score, servo_names: tuple[str, ...]) -> dict[str, object]:
    return {
        "rmse": score.rmse,
        "rmse_per_servo": dict(zip(servo_names, score.per_servo.tolist(), strict=True)),
        "left_right_gap": score.left_right_gap,
    }


def _write_plots(folder: Path, scores: dict[str, Score], servo_names: tuple[str, ...]) -> None:
    from rena_ros.learning import plots  # matplotlib takes a second to import

    folder.mkdir(parents=True, exist_ok=True)
    plots.cumulative_errors(folder / "cumulative_errors.png", {name: s.per_sample for name, s in scores.items()})
    plots.servo_errors(folder / "servo_errors.png", servo_names, {name: s.per_servo for name, s in scores.items()})
