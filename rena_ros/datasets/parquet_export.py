"""A dataset as plain files: pictures in images/, everything else in metadata.parquet, one row per sample.

The package `datasets` loads the folder as an "imagefolder", pandas, DuckDB and others read the table. columns.yaml is
the column map with which `rena dataset import` takes the folder back.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyarrow import parquet

from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of, write_json, write_text
from rena_ros.base.resources import share_path
from rena_ros.datasets.column_map import DEFAULT_NAME
from rena_ros.datasets.dataset import Dataset

TABLE = "metadata.parquet"  # a name that "imagefolder" looks for
GOAL, POSITION, READING = "goal_", "position_", "reading_"


def export_parquet(dataset: Dataset, root: Path, picture_written: Callable[[], None]) -> None:
    """Write a dataset into the empty folder ``root``; ``picture_written`` is called after each picture.

    Raises RenaError when a picture cannot be read.
    """
    (root / "images").mkdir()
    names = [f"images/{row:05d}.jpg" for row in range(len(dataset))]
    for row, name in enumerate(names):
        try:
            shutil.copyfile(dataset.image(row), root / name)
        except FileNotFoundError as error:
            raise RenaError(f"{dataset.image(row)} is missing; collect or import the dataset again") from error
        picture_written()
    parquet.write_table(_table(dataset, names), root / TABLE)
    write_text(root / DEFAULT_NAME, _column_map(dataset, _copy_robot(dataset, root)))
    write_json(root / "rena.json", dataset.meta)
    write_text(root / "README.md", _card(dataset))


def _table(dataset: Dataset, names: list[str]) -> Any:
    columns: dict[str, Any] = {"file_name": names, "group": dataset.groups.tolist(), "attempts": dataset.attempts}
    for prefix, titles, values in (
        (GOAL, dataset.names, dataset.goals),
        (POSITION, dataset.names, dataset.positions),
        (READING, dataset.feature_names, dataset.features),
    ):
        columns |= {f"{prefix}{title}": column for title, column in zip(titles, values.T, strict=True)}
    landmarks = dataset.landmarks.reshape(len(dataset), -1)
    columns["landmarks"] = pa.FixedSizeListArray.from_arrays(pa.array(landmarks.ravel()), landmarks.shape[1])
    return pa.table(columns)


def _column_map(dataset: Dataset, with_robot: bool) -> str:
    columns: dict[str, Any] = {
        "table": TABLE,
        "picture": "file_name",
        "group": "group",
        "servos": {name: f"{GOAL}{name}" for name in dataset.names},
        "measured": {name: {"column": f"{POSITION}{name}", "unit": "rad"} for name in dataset.names},
    }
    if isinstance(rest := dataset.meta.get("robot_rest"), list):
        columns["neutral"] = {"reading": rest}
    note = "# For: rena dataset import THIS_FOLDER --out DIR\n"
    if with_robot:
        columns["robot_file"] = "robot.yaml"
    else:
        note += "# The robot's file is not here: name it with --robot-file.\n"
    return note + yaml.safe_dump(columns, sort_keys=False)


def _copy_robot(dataset: Dataset, root: Path) -> bool:
    """Copy the robot's file, which the dataset holds or which ships with Rena; returns whether there is one."""
    for path in (dataset.directory / "robot.yaml", share_path("config/rena.yaml")):
        if path.is_file() and sha256_of(path) == dataset.meta.get("robot"):
            shutil.copyfile(path, root / "robot.yaml")
            return True
    return False


def _card(dataset: Dataset) -> str:
    return f"""{len(dataset)} expressions of a robot's face, exported by Rena.

`{TABLE}` holds one row per picture in `images/`:

| column | what | unit |
|---|---|---|
| `file_name` | the picture | |
| `group` | what moved last | |
| `attempts` | expressions replaced before this one, because no face was found | |
| `{GOAL}…` | what each servo was commanded | 0..1 over its limits |
| `{POSITION}…` | where each servo came to rest | rad from neutral |
| `{READING}…` | what was read in the picture: 52 coefficients, then yaw, pitch and roll of the head | 0..1, rad |
| `landmarks` | 478 points, x, y, z in turn | fractions of the picture's width, height, width |

`rena.json` says how the data were made. Rows are neighbours of a random walk: keep whole stretches for a test.

    from datasets import load_dataset
    load_dataset("imagefolder", data_dir="…")  # with pictures
    load_dataset("parquet", data_files="…/{TABLE}")  # numbers only
"""
