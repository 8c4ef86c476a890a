"""`rena sequences evaluate`: predictors side by side, on unseen sequences: as readings, the head alone, as goals."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.behaviour.person import PersonFace
from rena_ros.behaviour.policy import Policy, RestReading
from rena_ros.behaviour.prediction import COEFFICIENTS, Predictor
from rena_ros.datasets.sequences import ReadingSequence, read_sequences
from rena_ros.learning.sequence_baselines import constant_velocity, kalman
from rena_ros.learning.sequence_plot import plot_leads
from rena_ros.measures.prediction import PredictionScores, prediction_scores
from rena_ros.perception.landmark_frame import POINTS

Led = tuple[FloatArray, FloatArray]  # features (n, 55) and landmarks (n, 478, 3)
Method = Callable[[ReadingSequence, float], Led]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=user_path, nargs="+", help="folders of sequences, or a film's readings (.npz)")
    parser.add_argument(
        "--model", action="append", default=[], metavar="FILE", help="may be repeated; default: shipped"
    )
    parser.add_argument("--horizon", type=float, default=0.08, metavar="S", help="how far ahead (default 0.08 s)")
    parser.add_argument("--plot", type=user_path, metavar="FILE", help="also draw the last model's leads (PNG)")
    parser.add_argument("--json", type=user_path, metavar="FILE", help="also write all figures to this file")


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print one table for each place of data."""
    console, found = Console(soft_wrap=True, width=max(Console().width, 110)), {}
    policy, methods = Policy(), dict(BASELINES)
    for file in args.model or [None]:
        predictor = Predictor(file)
        low, high = predictor.horizon_range_s
        if not low <= args.horizon <= high:
            raise RenaError(f"--horizon must be from {low:g} to {high:g} s")
        methods[predictor.path.stem] = of_model(predictor)
    for place in args.data:
        sequences = list(read_sequences(place))
        found[place.stem] = evaluated(sequences, methods, policy, args.horizon)
        for kind, rows in found[place.stem].items():
            console.print(_table(f"{place.stem}: {kind}, {1e3 * args.horizon:g} ms ahead", rows))
    if args.json:
        write_json(args.json, _as_json(found))
    if args.plot:
        last = list(methods)[-1]
        firsts = {place.stem: next(iter(read_sequences(place))) for place in args.data}
        shown = {name: (one, methods[last](one, args.horizon)[0]) for name, one in firsts.items()}
        plot_leads(args.plot, shown, args.horizon)
    return 0


def evaluated(
    sequences: Sequence[ReadingSequence], methods: dict[str, Method], policy: Policy, horizon_s: float
) -> dict[str, dict[str, dict[str, float]]]:
    """Return "readings", "head" (rad) and "goals" -> method -> figure -> its mean over the sequences."""
    kinds = ("readings", "head", "goals")
    scores: dict[str, dict[str, list[PredictionScores]]] = {kind: {name: [] for name in methods} for kind in kinds}
    for one in track(sequences, "evaluating", transient=True):
        rests = _rests(one, policy)
        truth = _goals(policy, (one.features, one.landmarks.astype(np.float32)), rests)
        for name, method in methods.items():
            led = method(one, horizon_s)
            scores["readings"][name].append(prediction_scores(one.times_s, one.features, led[0], horizon_s))
            head, led_head = one.features[:, COEFFICIENTS:], led[0][:, COEFFICIENTS:]
            scores["head"][name].append(prediction_scores(one.times_s, head, led_head, horizon_s))
            goals = _goals(policy, led, rests)
            scores["goals"][name].append(prediction_scores(one.times_s, truth, goals, horizon_s))
    return {kind: {name: _mean(found) for name, found in rows.items()} for kind, rows in scores.items()}


def of_model(predictor: Predictor) -> Method:
    """Return the method of a model: reading by reading, as the policy node calls it."""

    def led(one: ReadingSequence, horizon_s: float) -> Led:
        predictor.horizon_s = horizon_s
        predictor.reset()
        rows = []
        for t_s, features, landmarks in zip(one.times_s, one.features, one.landmarks.astype(np.float32), strict=True):
            rows.append(predictor.ahead(features, landmarks, float(t_s)))
        return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])

    return led


def _of_track(method: Callable[[FloatArray, FloatArray, float], FloatArray]) -> Method:
    def led(one: ReadingSequence, horizon_s: float) -> Led:
        features = method(one.times_s, one.features, horizon_s)
        features[:, :COEFFICIENTS] = np.clip(features[:, :COEFFICIENTS], 0, 1)
        flat = one.landmarks.reshape(len(one.landmarks), -1).astype(np.float32)
        return features, method(one.times_s, flat, horizon_s).reshape(-1, POINTS, 3)

    return led


BASELINES: dict[str, Method] = {
    "no prediction": lambda one, _: (one.features.copy(), one.landmarks.astype(np.float32)),
    "constant velocity": _of_track(constant_velocity),
    "Kalman": _of_track(kalman),
}


def _rests(one: ReadingSequence, policy: Policy) -> list[RestReading]:
    """Return the person's neutral face as the policy node has learned it at each frame, from what was read."""
    person, rests = PersonFace(policy.robot_neutral), []
    for t_s, features, landmarks in zip(one.times_s, one.features, one.landmarks, strict=True):
        rests.append(person.rest)
        person.observe(features, float(t_s), landmarks.astype(np.float32))
    return rests


def _goals(policy: Policy, led: Led, rests: Sequence[RestReading]) -> FloatArray:
    rows = [policy(f, m, rest) for f, m, rest in zip(*led, rests, strict=True)]
    return np.array(rows)


def _mean(scores: Sequence[PredictionScores]) -> dict[str, float]:
    """Return each figure's mean over sequences that have it; of ``changes`` the sum, of ``false_most`` the largest."""
    found = {}
    for field in fields(PredictionScores):
        values = np.array([asdict(one)[field.name] for one in scores], float)
        values = values[np.isfinite(values)]
        if not len(values):
            found[field.name] = float("nan")
        elif field.name == "changes":
            found[field.name] = float(values.sum())
        else:
            found[field.name] = round(float(values.max() if field.name == "false_most" else values.mean()), 5)
    return found


def _as_json(found: dict[str, dict[str, dict[str, dict[str, float]]]]) -> dict[str, object]:
    """Return all figures as JSON data: None for one that there is not."""
    return {
        place: {
            kind: {name: {k: v if np.isfinite(v) else None for k, v in one.items()} for name, one in rows.items()}
            for kind, rows in kinds.items()
        }
        for place, kinds in found.items()
    }


def _table(title: str, rows: dict[str, dict[str, float]]) -> Table:
    columns = ("RMSE", "lag ms", "90 % ms", "overshoot", "changes", "jitter at rest", "false/min", "median", "largest")
    table = Table("", *columns, title=title)
    shown = (".4f", ".0f", ".0f", ".1%", ".0f", ".4f", ".2f", ".2f", ".2f")
    for name, figures in rows.items():
        table.add_row(name, *(format(value, form) for value, form in zip(figures.values(), shown, strict=True)))
    return table
