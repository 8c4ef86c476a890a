"""What a LeRobotDataset says about itself: features, tasks, places of its files, and a page for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from rena_ros.datasets.dataset import Dataset

VERSION = "v3.0"
EPISODE = 100  # frames
FPS = 1
FILE_MB = 100  # a file of frames is closed once it is this large
CHUNK = 1000  # files in a folder
PICTURE = "observation.images.face"
STATE = "observation.state"
READING = "observation.environment_state"
ACTION = "action"
_PATH = "{folder}/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"


def file_path(root: Path, folder: str, number: int) -> Path:
    """Return the path of file ``number`` of a folder ("data", "meta/episodes"), which is created."""
    path = root / _PATH.format(folder=folder, chunk_index=number // CHUNK, file_index=number % CHUNK)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def task(group: str) -> str:
    """Return the task of a sample, a sentence, from its constraint group."""
    return f"show a random expression; moved last: {group}"


def write_tasks(root: Path, groups: Sequence[str]) -> None:
    """Write the tasks as pandas does with a table whose index is the task: LeRobot looks a task up in that index."""
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_kind, "metadata": None}
        for name, (kind, numpy_kind) in kinds.items()
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    table = pa.table({"task_index": pa.array(range(len(groups)), pa.int64()), "task": [task(one) for one in groups]})
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), root / "meta/tasks.parquet")


def frames_info(
    dataset: Dataset, columns: Mapping[str, Any], size: tuple[int, int], episodes: int, tasks: int
) -> dict[str, Any]:
    """Return meta/info.json. ``columns``: all but the pictures, whose ``size`` is width and height, pixels."""
    names = {STATE: list(dataset.names), ACTION: list(dataset.names), READING: list(dataset.feature_names)}
    shape = [size[1], size[0], 3]
    features: dict[str, Any] = {PICTURE: {"dtype": "image", "shape": shape, "names": ["height", "width", "channels"]}}
    for name, values in columns.items():
        width = values.shape[1] if values.ndim > 1 else 1
        features[name] = {"dtype": str(values.dtype), "shape": [width], "names": names.get(name)}
    return {
        "codebase_version": VERSION,
        "robot_type": "rena",
        "total_episodes": episodes,
        "total_frames": len(dataset),
        "total_tasks": tasks,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": FILE_MB,
        "video_files_size_in_mb": 200,
        "fps": FPS,
        "splits": {"train": f"0:{episodes}"},
        "data_path": _PATH.replace("{folder}", "data"),
        "video_path": None,
        "features": features,
    }


def frames_card(dataset: Dataset) -> str:
    """Return README.md, which the Hugging Face Hub shows."""
    return f"""---
task_categories: [robotics]
tags: [LeRobot]
configs:
- config_name: default
  data_files: data/*/*.parquet
---
{len(dataset)} expressions of a robot's face, exported by Rena as LeRobotDataset {VERSION}.

| feature | what | unit |
|---|---|---|
| `{PICTURE}` | picture of the robot's face | |
| `{STATE}` | positions of the servos at rest | rad from neutral |
| `{READING}` | what was read in the picture: 52 coefficients, then yaw, pitch and roll of the head | 0..1, rad |
| `{ACTION}` | what the servos were commanded | 0..1 over each servo's limits |

Samples are stills: `timestamp` counts the frames of an episode, as if they were {FPS} s apart. An episode holds
{EPISODE} neighbours of a random walk; keep whole episodes for a test. `meta/rena.json` says how the data were made, and
gives each servo's lowest position and travel in rad (`lower_rad`, `span_rad`).
"""
