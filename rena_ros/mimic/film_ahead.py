"""What is prediction worth when the robot's face is seen? A film with and without it, the robot as late as it is live.

Perception, model, transport and servos take their time, so the robot's picture is compared with the person's picture of
that moment, ``--delay`` after the one that was read: channel by channel (``round_trip``), and by Table III of the paper
(``measures.motion``): ``python -m rena_ros.mimic.film_ahead FILM --horizon 0.08 --delay 0.08``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.behaviour.policy import Policy
from rena_ros.behaviour.prediction import Predictor
from rena_ros.measures.film import FilmTracks, motion_scores
from rena_ros.mimic.film_round_trip import MOVES, FilmReadings, cached_film, drawn_readings, film_goals, goal_jitter
from rena_ros.mimic.round_trip import correlations
from rena_ros.robot.model import Robot

FIGURES = ("mean_r", "space", "time", "smoothness", "time_still", "jitter")


def seen_late(film: FilmReadings, goals: FloatArray, robot: Robot, delay_s: float) -> dict[str, float]:
    """Return FIGURES of the goals (n, 25) of a film when the robot is seen ``delay_s`` late.

    ``mean_r``: at equal times, over the channels in which the person moves. Raises RenaError where too little of the
    film shows both faces.
    """
    seen = drawn_readings(goals, film.times_s, robot)
    if len(seen.times_s) < 3:
        raise RenaError("the robot's face is hardly found; nothing can be compared")
    usable = (film.times_s - delay_s >= seen.times_s[0]) & (film.times_s - delay_s <= seen.times_s[-1])
    wanted_s = film.times_s[usable] - delay_s
    features = _at(seen.features, seen.times_s, wanted_s)
    landmarks = _at(seen.landmarks.reshape(len(seen.landmarks), -1), seen.times_s, wanted_s)
    person = film.features[usable].astype(np.float64)
    moving = person.std(axis=0) >= MOVES
    rate_hz = 1 / float(np.median(np.diff(film.times_s)))
    tracks = FilmTracks(
        film.landmarks[usable], landmarks.reshape(-1, *film.landmarks.shape[1:]), goals[usable], rate_hz
    )
    scores = motion_scores(tracks, robot.neutral_goals)
    return {
        "mean_r": float(np.nanmean(correlations(person, features)[moving])),
        **{name: float(getattr(scores, name)) for name in ("space", "time", "smoothness", "time_still")},
        "jitter": goal_jitter(goals),
    }


def _at(track: FloatArray, times_s: FloatArray, wanted_s: FloatArray) -> FloatArray:
    """Return a track (n, c) at other times, linear between frames."""
    after = np.clip(np.searchsorted(times_s, wanted_s), 1, len(times_s) - 1)
    share = (wanted_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1])
    mixed: FloatArray = track[after - 1] + share[:, None] * (track[after] - track[after - 1])
    return mixed


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(prog="film_ahead", description="Judge a model of sequences on a film of a person.")
    parser.add_argument("film", help='a video file, or "performer": the drawn one')
    parser.add_argument("--horizon", type=float, default=0.08, metavar="S", help="of the prediction (default 0.08 s)")
    parser.add_argument("--delay", type=float, default=0.08, metavar="S", help="of the robot's picture (default 0.08)")
    parser.add_argument("--model", help="exported model (ONNX); default: the one that ships with Rena")
    parser.add_argument("--sequence-model", help="model of sequences (ONNX); default: the one that ships with Rena")
    parser.add_argument("--cache", help="keep the person's readings in this file (.npz), or take them from it")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args(arguments)
    try:
        found = _compared(args)
        if args.json:
            write_json(Path(args.json), found)
    except (RenaError, ValueError) as error:
        print(f"film_ahead: {error}", file=sys.stderr)
        return 1
    table = Table("", *FIGURES, title=f"{Path(args.film).name}, the robot seen {1e3 * args.delay:g} ms late")
    for name, figures in found.items():
        table.add_row(name, *(f"{figures[figure]:.4f}" for figure in FIGURES))
    Console(soft_wrap=True).print(table)
    return 0


def _compared(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    policy = Policy(args.model)
    film = cached_film(args.film, user_path(args.cache) if args.cache else None)
    adaptation = "person" if policy.reads_rest else "resting"
    predictor = Predictor(args.sequence_model, args.horizon)
    found = {}
    for name, ahead in (("no prediction", None), (f"{1e3 * args.horizon:g} ms ahead", predictor)):
        goals = film_goals(film, policy, adaptation, ahead)
        found[name] = seen_late(film, goals, policy.robot, args.delay)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
