"""`rena dataset show`: a page about a dataset: what is covered, what is dead, what depends on what, what drifts."""

import argparse
from typing import Any

import numpy as np
from rich.console import Console

from rena_ros.base.array_files import read_arrays
from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_text
from rena_ros.base.missing import require
from rena_ros.datasets.dataset import Dataset, load_dataset
from rena_ros.datasets.show_numbers import (
    Drift,
    correlations,
    dead,
    drift,
    pairs,
    position_errors,
    spread,
    without_effect,
)
from rena_ros.datasets.show_page import contact_sheet, listed, page, table
from rena_ros.perception.face_reader import COEFFICIENT_NAMES

_PICTURES = 64
_LEAST = 20  # samples: with fewer, a fit and percentiles say nothing
_DRIFTS = 0.5  # spreads from the first sample to the last: worth a remark
_COEFFICIENTS = len(COEFFICIENT_NAMES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rena dataset show`."""
    parser.add_argument("directory", type=user_path, metavar="DIR", help="a dataset")
    parser.add_argument(
        "--out", type=user_path, metavar="PAGE", help="the page, one HTML file (default: DIR with .html behind)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the page. Returns 0."""
    require("matplotlib")
    dataset = load_dataset(args.directory)
    if len(dataset) < _LEAST:
        raise RenaError(f"{args.directory} has {len(dataset)} samples, too few to show anything: collect {_LEAST}")
    out = args.out or args.directory.absolute().with_name(f"{args.directory.absolute().name}.html")
    write_text(out, page(f"Dataset {args.directory.absolute().name}", _sections(dataset)))
    Console(soft_wrap=True).print(f"{len(dataset)} samples are shown in {out}")
    return 0


def _sections(dataset: Dataset) -> list[tuple[str, str, str]]:
    from rena_ros.datasets import show_figures  # matplotlib takes a second to import

    goals_dead, features_dead = dead(dataset.goals), dead(dataset.features)
    related = correlations(dataset.goals, dataset.features)
    drifting = drift(dataset)
    coefficients = dataset.features[:, :_COEFFICIENTS]
    head, head_names = dataset.features[:, _COEFFICIENTS:], dataset.feature_names[_COEFFICIENTS:]
    names = dataset.feature_names[:_COEFFICIENTS]
    widest = max(0.1, float(np.abs(head).max()))
    remarks = _remarks(dataset, related, drifting)
    strongest = [f"{drifting.names[i]} {drifting.slopes[i]:+.2f}" for i in drifting.strongest(6)]
    return [
        ("Origin", "", table(_origin(dataset.meta)) + listed(remarks)),
        (
            "Coverage of the servos",
            "Goals, 0 to 1; a bar's height is the root of its count. A servo whose goals span less than 0.02 is dead: "
            "nothing can be learnt about it.",
            show_figures.histograms(dataset.names, dataset.goals, (0, 1), goals_dead),
        ),
        (
            "Coverage of the coefficients",
            "0 to 1. A coefficient that spans less than 0.02 is dead: this face does not show it, or it is not found.",
            show_figures.histograms(names, coefficients, (0, 1), features_dead[:_COEFFICIENTS]),
        ),
        (
            "Head",
            "Yaw, pitch and roll as read, rad.",
            show_figures.histograms(head_names, head, (-widest, widest), features_dead[_COEFFICIENTS:]),
        ),
        (
            "Servos and what is read",
            "Pearson's correlation; grey: one of the two is dead. A row without colour is a servo that changes nothing "
            "that is read.",
            show_figures.correlation_map(dataset.names, dataset.feature_names, related),
        ),
        (
            "Left and right",
            "A coefficient whose two sides differ in the mean, while the goals do not, points at a camera to one side, "
            "light from one side, or a servo mounted differently.",
            show_figures.symmetry(pairs(dataset.names, dataset.goals), pairs(names, coefficients)),
        ),
        (
            "Drift",
            "Left: what a fit on the goals does not explain, over the samples; where it rises, robot, camera or light "
            f"have changed. Change over the whole set, in spreads: {', '.join(strongest)}.",
            show_figures.drift_curves(drifting, _rest_over_time(dataset), position_errors(dataset)),
        ),
        (
            "Pictures",
            "Evenly spread over the samples; the number is the sample's.",
            contact_sheet(dataset, spread(len(dataset), _PICTURES).tolist()),
        ),
    ]


def _origin(meta: dict[str, Any]) -> list[tuple[str, object]]:
    image, source = meta.get("image") or {}, meta.get("source") or {}
    refused = meta.get("refused") or {}
    split = meta.get("split")
    rows = [
        ("samples", meta["samples"]),
        ("made by", meta.get("command")),
        ("with", f"Rena {meta.get('rena_version')}, commit {meta.get('commit')}"),
        ("seed", meta.get("seed")),
        ("pictures", f"{image.get('width')}x{image.get('height')}, {image.get('source')}"),
        ("readings", source.get("readings", "of the pictures, as they were taken")),
        ("test samples", f"blocks of {split['block']}, seed {split['seed']}" if split else "the last ones"),
    ]
    if refused:
        rows.append(("refused", ", ".join(f"{count} {reason}" for reason, count in refused.items())))
    return [(key, value) for key, value in rows if value is not None]


def _remarks(dataset: Dataset, related: FloatArray, drifting: Drift) -> list[str]:
    """Return what is worth a look, one line each."""
    remarks = []
    for what, names, values in (
        ("servos that do not move", dataset.names, dataset.goals),
        ("coefficients that do not move", dataset.feature_names, dataset.features),
    ):
        if found := [name for name, is_dead in zip(names, dead(values), strict=True) if is_dead]:
            remarks.append(f"{what}: {', '.join(found)}")
    if found := [name for name, odd in zip(dataset.names, without_effect(related), strict=True) if odd]:
        remarks.append(f"servos that change nothing that is read: {', '.join(found)}")
    if found := [drifting.names[i] for i in drifting.strongest(55) if abs(drifting.slopes[i]) > _DRIFTS]:
        remarks.append(f"readings that drift: {', '.join(found)}")
    if missing := dataset.meta.get("landmarks_missing"):
        remarks.append(f"samples without landmarks: {missing}")
    return remarks


def _rest_over_time(dataset: Dataset) -> FloatArray | None:
    """Return hours and RMS change of the coefficients since the first readings at rest, (k, 2); None without them."""
    try:
        rest = read_arrays(dataset.directory / "rest.npz", ("stamps_ns", "features"))
    except (FileNotFoundError, ValueError):
        return None
    stamps, features = rest["stamps_ns"], rest["features"]
    if len(features) < 2 or features.shape != (len(stamps), len(dataset.feature_names)):
        return None
    features = features[:, :_COEFFICIENTS].astype(np.float64)
    change = np.sqrt(np.mean((features - np.median(features[:5], axis=0)) ** 2, axis=1))
    return np.asarray(np.stack([(stamps - stamps[0]) / 3.6e12, change], axis=1))
