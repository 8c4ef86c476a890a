"""Where a model comes from: version, settings, figures of the training and data, as its file records them."""

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.settings import Settings
from rena_ros.learning.source import SourceModel

_OF_A_SOURCE = ("rena_version", "commit", "date", "seed", "data", "source")  # keys of its own provenance
_OF_THE_DATA = ("command", "samples", "seed", "people", "nuisance", "commit", "versions")  # keys of meta.json


def provenance(
    settings: Settings,
    figures: dict[str, Any],
    datasets: Sequence[Dataset],
    source: SourceModel | None = None,
    faces: Sequence[Dataset] = (),
) -> dict[str, Any]:
    """Return the provenance of a model as JSON data; ``source``: the model that it was fine-tuned from.

    ``datasets``: the one that was split, then those of which every sample was trained on, listed as "more_data".
    ``faces``: those of which the readings alone were used.
    ``figures`` are those of the training; "held_out" among them is also listed at the top, where ``Policy`` shows it.
    """
    origin: dict[str, Any] = {
        "rena_version": __version__,
        "commit": source_commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": settings.seed,
        "settings": asdict(settings),
        "training": figures,
        "data": _said(datasets[0]),
    }
    if len(datasets) > 1:
        origin["more_data"] = [_said(dataset) for dataset in datasets[1:]]
    if faces:
        origin["faces"] = [_said(dataset) for dataset in faces]
    if source is not None:
        earlier = {key: source.provenance[key] for key in _OF_A_SOURCE if key in source.provenance}
        origin["source"] = {"file": source.path.name, "sha256": source.sha256, **earlier}
    return origin | {"held_out": figures["held_out"]} if "held_out" in figures else origin


def _said(dataset: Dataset) -> dict[str, Any]:
    return {key: dataset.meta[key] for key in _OF_THE_DATA if key in dataset.meta}
