"""The tables of a report on what goals look like: Table II, Table III and the round trip."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rena_ros.report.cells import Results
from rena_ros.report.kinds import ModelKind, title_of
from rena_ros.report.shown import LEAST_STD


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Return the lines of a table, figures to the right."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" + "---:|" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def shown_faces(results: Results, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    """Return the lines of Table II; none without results."""
    there = {name: one for name, one in results.faces.items() if one.get("faces")}
    if not there:
        return
    rows = [
        [
            kinds[name].title,
            f"{one['structural_similarity']:.4f}",
            f"{100 * one['pixel_distance']:.3f}",
            f"{one['landmark_distance']:.4f}",
        ]
        for name, one in there.items()
    ]
    faces = next(iter(there.values()))["faces"]
    yield f"## Table II: intended and shown face ({faces} faces of the test part, first seed)"
    yield ""
    yield from table(("model", "Eq. 11 (1: equal)", "pixels, % of full scale", "LD, Eq. 12"), rows)
    yield ""
    yield (
        "Both faces are drawn by the twin, so that they differ by the goals alone. As printed, Eq. 11 is a similarity, "
        "at most 1, while the paper's column ID lists 6.47 (RS), 3.47 (Eva) and 2.96 and calls the least the best; the "
        "two cannot be compared. LD is the mean over all 478 landmarks, in distances of the outer eye corners; the "
        "paper lists 0.84, 0.46 and 0.074 without a unit."
    )


def shown_films(results: Results, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    """Return the lines of Table III and the round trip on a person's film; none without results."""
    there = {name: one for name, one in results.films.items() if one.get("frames")}
    if not there:
        return
    first = next(iter(there.values()))
    yield f"## Table III: a person's film ({first['frames']} frames, first seed)"
    yield ""
    yield from _motion(there, kinds)
    yield (
        f"A robot that stands still reaches {100 * first['space_still']:.1f} in space and "
        f"{100 * first['time_still']:.1f} in time: a model is worth what it gains over that. The paper reports 91.8, "
        "88.1 and 92.7, with b and T_D not given. Mean r: of the person's coefficients and those of the twin that "
        f"mirrors each frame, over the channels in which the person moves (standard deviation {LEAST_STD:g} or more). "
        "Nothing is known of the person beforehand: each model adapts to the person while the film goes on, as live."
    )


def shown_sequences(results: Results, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    """Return the lines of Table III on sequences of drawn persons; none without results."""
    there = {name: one for name, one in results.sequences.items() if one.get("frames")}
    if not there:
        return
    first = next(iter(there.values()))
    yield f"## Table III: from neutral to a peak and back ({first.get('films', 1)} drawn persons, first seed)"
    yield ""
    yield from _motion(there, kinds)
    yield (
        f"Each of these persons, on whom no model was trained, shows one face of the test part within "
        f"{first['frames'] // first.get('films', 1)} frames. A robot that stands still reaches "
        f"{100 * first['space_still']:.1f} in space and {100 * first['time_still']:.1f} in time."
    )


def _motion(there: Mapping[str, Mapping[str, Any]], kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    rows = []
    for name, one in there.items():
        weakest = sorted(one["channels"], key=one["channels"].get)[:3]
        rows.append(
            [
                title_of(name, kinds),
                *(f"{100 * one[key]:.1f}" for key in ("space", "time", "smoothness")),
                "" if one["mean_r"] is None else f"{one['mean_r']:.3f}",
                ", ".join(f"`{channel}` {one['channels'][channel]:.2f}" for channel in weakest),
                *(f"{100 * one[key]:.2f}" for key in ("mean_saturated", "mean_jitter")),
            ]
        )
    yield from table(("model", "space", "time", "smooth", "mean r", "weakest", "saturated, %", "jitter, %"), rows)
    yield ""


def floor_by_servo(results: Results, best: tuple[str, Sequence[float]], servos: Sequence[str]) -> Iterator[str]:
    """Return the lines of the floor; none without it. ``best``: title and errors by servo of the best model."""
    floor, (title, errors) = results.floor, best
    whats = [key for key, one in floor.items() if isinstance(one, dict)]
    if not whats:
        return
    rows = [["all", *(f"{100 * floor[what]['overall']:.2f}" for what in whats), "", ""]]
    if errors:
        rows[0][-2] = f"{100 * float(np.sqrt(np.mean(np.square(errors)))):.2f}"
    for i, name in enumerate(servos):
        shown = [f"{100 * floor[what]['per_servo'][i]:.2f}" for what in whats]
        error = f"{100 * errors[i]:.2f}" if errors else ""
        rows.append([f"`{name}`", *shown, error, f"{100 * floor['spread'][i]:.1f}"])
    yield "## The floor, by servo"
    yield ""
    yield from table(("servo", *whats, title or "best model", "spread of goals"), rows)
    yield ""
    yield (
        "What an oracle would reach that knows how the robot's face reads around every goal, from one reading with its "
        f"noise ({floor['faces']} faces of the test part, linear, as RMSE in %). Moved: the same picture, by a few "
        "pixels; webcam: exposure, colour, blur, noise and JPEG of one. The samples have neither, so a model may lie "
        "below. A servo whose floor is near the spread of its goals cannot be seen."
    )
