"""A dataset as a LeRobotDataset of version 3.0 (huggingface/lerobot, docs/source/lerobot-dataset-v3.mdx).

A sample becomes a frame: ``observation.images.face`` the picture, byte for byte; ``observation.state`` the positions,
rad; ``observation.environment_state`` the reading (55); ``action`` the goals, 0..1. Samples are stills without a rate:
the frames of an episode are 1 s apart by convention. An episode holds 100 neighbours of the walk, so that whole
episodes can be kept for a test. Landmarks are left out: a policy would take them for a state.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_json, write_text
from rena_ros.datasets.dataset import Dataset
from rena_ros.datasets.jpeg_header import jpeg_header
from rena_ros.datasets.lerobot_meta import (
    ACTION,
    CHUNK,
    EPISODE,
    FILE_MB,
    FPS,
    PICTURE,
    READING,
    STATE,
    file_path,
    frames_card,
    frames_info,
    task,
    write_tasks,
)
from rena_ros.datasets.statistics import PictureStatistics, Statistics, column_statistics


def export_lerobot(dataset: Dataset, root: Path, frame_written: Callable[[], None]) -> None:
    """Write a dataset into the empty folder ``root``; ``frame_written`` is called after each frame.

    Raises RenaError when a picture cannot be read, or pictures differ in size.
    """
    groups = list(dict.fromkeys(map(str, dataset.groups)))
    columns = _columns(dataset, groups)
    size = _size(dataset, 0, _read(dataset, 0))
    whole, episodes = PictureStatistics(), list[dict[str, Any]]()
    files = _FrameFiles(root, _schema(columns))
    try:
        for first in range(0, len(dataset), EPISODE):
            rows = slice(first, min(first + EPISODE, len(dataset)))
            pictures, jpegs = PictureStatistics(), list[bytes]()
            for row in range(rows.start, rows.stop):
                jpegs.append(_picture(dataset, row, size, pictures))
                frame_written()
            whole.merge(pictures)
            part = {name: values[rows] for name, values in columns.items()}
            files.write(part, jpegs)
            tasks = [task(group) for group in dict.fromkeys(map(str, dataset.groups[rows]))]
            row_of_episode = {"episode_index": len(episodes), "tasks": tasks, "length": len(jpegs), **files.place}
            row_of_episode |= {"dataset_from_index": rows.start, "dataset_to_index": rows.stop}
            row_of_episode |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
            for name, statistics in _statistics(part, pictures).items():
                row_of_episode |= {f"stats/{name}/{key}": value.tolist() for key, value in statistics.items()}
            episodes.append(row_of_episode)
    finally:
        files.close()
    parquet.write_table(pa.Table.from_pylist(episodes), file_path(root, "meta/episodes", 0))
    write_tasks(root, groups)
    statistics_of_all = {
        name: {key: value.tolist() for key, value in statistics.items()}
        for name, statistics in _statistics(columns, whole).items()
    }
    write_json(root / "meta/stats.json", statistics_of_all)
    write_json(root / "meta/info.json", frames_info(dataset, columns, size, len(episodes), len(groups)))
    write_json(root / "meta/rena.json", dataset.meta)
    write_text(root / "README.md", frames_card(dataset))


class _FrameFiles:
    """The files of frames, begun one after another; ``place``: which one was written last."""

    def __init__(self, root: Path, schema: Any) -> None:
        self._root, self._schema = root, schema
        self._number, self._size = -1, 0
        self._writer: Any = None

    @property
    def place(self) -> dict[str, int]:
        return {"data/chunk_index": self._number // CHUNK, "data/file_index": self._number % CHUNK}

    def write(self, columns: Mapping[str, Any], jpegs: Sequence[bytes]) -> None:
        """Write an episode as one row group."""
        if self._writer is None or self._size >= FILE_MB << 20:
            self.close()
            self._number, self._size = self._number + 1, 0
            self._writer = parquet.ParquetWriter(file_path(self._root, "data", self._number), self._schema)
        table = self._table(columns, jpegs)
        self._writer.write_table(table, row_group_size=len(table))
        self._size += table.nbytes

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _table(self, columns: Mapping[str, Any], jpegs: Sequence[bytes]) -> Any:
        pictures = [{"bytes": jpeg, "path": None} for jpeg in jpegs]
        arrays = [pa.array(pictures, self._schema.field(PICTURE).type)]
        for values in columns.values():
            flat = pa.array(values.ravel())
            arrays.append(flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1]))
        return pa.Table.from_arrays(arrays, schema=self._schema)


def _columns(dataset: Dataset, groups: list[str]) -> dict[str, Any]:
    """Return all columns but the pictures, by name; first axis: frames."""
    index = np.arange(len(dataset), dtype=np.int64)
    return {
        STATE: dataset.positions.astype(np.float32),
        READING: dataset.features,
        ACTION: dataset.goals,
        "timestamp": (index % EPISODE / FPS).astype(np.float32),
        "frame_index": index % EPISODE,
        "episode_index": index // EPISODE,
        "index": index,
        "task_index": np.array([groups.index(str(group)) for group in dataset.groups], np.int64),
    }


def _statistics(columns: Mapping[str, Any], pictures: PictureStatistics) -> dict[str, Statistics]:
    return {PICTURE: pictures.result()} | {name: column_statistics(values) for name, values in columns.items()}


def _schema(columns: Mapping[str, Any]) -> Any:
    """Return the schema of the frames, with the features as the package `datasets` reads them from a Parquet file."""
    fields = [pa.field(PICTURE, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    features: dict[str, Any] = {PICTURE: {"_type": "Image"}}
    for name, values in columns.items():
        kind, one = pa.from_numpy_dtype(values.dtype), {"dtype": str(values.dtype), "_type": "Value"}
        width = values.shape[1] if values.ndim > 1 else 0
        fields.append(pa.field(name, pa.list_(kind, width) if width else kind))
        features[name] = {"feature": one, "length": width, "_type": "Sequence"} if width else one
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _picture(dataset: Dataset, row: int, size: tuple[int, int], statistics: PictureStatistics) -> bytes:
    """Return a picture's JPEG, and add it to ``statistics``."""
    jpeg = _read(dataset, row)
    if (own := _size(dataset, row, jpeg)) != size:
        raise RenaError(
            f"{dataset.image(row)} has {own[0]}x{own[1]} pixels, the first one has {size[0]}x{size[1]}: LeRobot needs "
            "one size; scale the pictures before the import, or export --to parquet"
        )
    if not statistics.add(jpeg):
        raise RenaError(f"{dataset.image(row)} is damaged; collect or import the dataset again")
    return jpeg


def _size(dataset: Dataset, row: int, jpeg: bytes) -> tuple[int, int]:
    """Return width and height of a picture, pixels."""
    header = jpeg_header(jpeg)
    if header is None:
        raise RenaError(f"{dataset.image(row)} is no JPEG; collect or import the dataset again")
    return header.width, header.height


def _read(dataset: Dataset, row: int) -> bytes:
    try:
        return dataset.image(row).read_bytes()
    except OSError as error:
        raise RenaError(
            f"cannot read {dataset.image(row)}: {error.strerror}; collect or import the dataset again"
        ) from error
