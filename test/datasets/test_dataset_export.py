"""Exports, read with pyarrow and, where they are installed, with `lerobot`, `datasets` and DuckDB themselves."""

import json

import numpy as np
import pytest
from small_dataset import GROUPS, jpeg, small_dataset

from rena_ros import cli
from rena_ros.datasets.dataset import image_path, load_dataset

# ImportError: pyarrow 26 refuses NumPy 1.26.
parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module", params=["lerobot", "parquet"])
def form(request):
    return request.param


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory):
    """The folder of an export, by its form."""
    folders = {form: tmp_path_factory.mktemp("out") / form for form in ("lerobot", "parquet")}
    for form, folder in folders.items():
        assert cli.main(["dataset", "export", str(dataset.directory), "--to", form, "--out", str(folder)]) == 0
    return folders


def test_frames_of_lerobot_hold_every_sample(exported, dataset):
    root = exported["lerobot"]
    table = parquet.read_table(root / "data/chunk-000/file-000.parquet")
    frames = {name: table.column(name).to_pylist() for name in table.column_names}
    assert [frame["bytes"] for frame in frames["observation.images.face"]] == [
        dataset.image(i).read_bytes() for i in range(len(dataset))
    ]
    for name, wanted in (
        ("action", dataset.goals),
        ("observation.state", dataset.positions.astype(np.float32)),
        ("observation.environment_state", dataset.features),
    ):
        np.testing.assert_array_equal(np.array(frames[name], np.float32), wanted)
    assert frames["index"] == list(range(130))
    assert frames["episode_index"] == [0] * 100 + [1] * 30
    assert frames["frame_index"] == frames["timestamp"] == [*range(100), *range(30)]
    tasks = parquet.read_table(root / "meta/tasks.parquet").to_pydict()
    named = [tasks["task"][tasks["task_index"].index(index)] for index in frames["task_index"]]
    assert all(str(group) in task for group, task in zip(dataset.groups, named, strict=True))


def test_what_a_lerobot_dataset_says_of_itself(exported, dataset):
    root = exported["lerobot"]
    info = json.loads((root / "meta/info.json").read_text())
    totals = {"total_episodes": 2, "total_frames": 130, "total_tasks": len(GROUPS), "fps": 1}
    assert info.items() >= {"codebase_version": "v3.0", "robot_type": "rena", "video_path": None, **totals}.items()
    assert info["data_path"].format(chunk_index=0, file_index=0) == "data/chunk-000/file-000.parquet"
    shapes = {name: (feature["dtype"], feature["shape"]) for name, feature in info["features"].items()}
    numbers = ("frame_index", "episode_index", "index", "task_index")
    assert shapes == {
        "observation.images.face": ("image", [24, 32, 3]),
        "observation.state": ("float32", [25]),
        "observation.environment_state": ("float32", [55]),
        "action": ("float32", [25]),
        "timestamp": ("float32", [1]),
        **dict.fromkeys(numbers, ("int64", [1])),
    }
    assert info["features"]["action"]["names"] == list(dataset.names)
    episodes = parquet.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    ranges = [(one["length"], one["dataset_from_index"], one["dataset_to_index"]) for one in episodes]
    assert ranges == [(100, 0, 100), (30, 100, 130)]
    assert parquet.ParquetFile(root / "data/chunk-000/file-000.parquet").num_row_groups == 2
    whole = json.loads((root / "meta/stats.json").read_text())
    for rows, found in ((slice(100, 130), episodes[1]), (slice(None), None)):
        for name, values in (
            ("action", dataset.goals[rows]),
            ("observation.environment_state", dataset.features[rows]),
        ):
            for key, wanted in (("mean", values.mean(0)), ("std", values.std(0)), ("max", values.max(0))):
                got = found[f"stats/{name}/{key}"] if found else whole[name][key]
                np.testing.assert_allclose(got, wanted, rtol=1e-5)
    assert np.shape(whole["observation.images.face"]["mean"]) == (3, 1, 1)
    assert whole["observation.images.face"]["count"] == [130]


def test_a_file_of_frames_is_closed_when_it_is_large(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("rena_ros.datasets.lerobot_export.FILE_MB", 0)
    assert cli.main(["dataset", "export", str(dataset.directory), "--to", "lerobot", "--out", str(tmp_path / "o")]) == 0
    episodes = parquet.read_table(tmp_path / "o/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [one["data/file_index"] for one in episodes] == [0, 1]
    for number, index in ((0, 0), (1, 100)):
        path = tmp_path / f"o/data/chunk-000/file-{number:03d}.parquet"
        assert parquet.read_table(path).column("index")[0].as_py() == index


def test_a_plain_table_holds_every_sample(exported, dataset):
    root = exported["parquet"]
    table = parquet.read_table(root / "metadata.parquet").to_pydict()
    assert table["group"] == dataset.groups.tolist() and table["attempts"] == dataset.attempts.tolist()
    for prefix, names, values in (
        ("goal_", dataset.names, dataset.goals),
        ("position_", dataset.names, dataset.positions),
        ("reading_", dataset.feature_names, dataset.features),
    ):
        np.testing.assert_array_equal(np.array([table[prefix + name] for name in names]).T, values)
    np.testing.assert_array_equal(np.reshape(table["landmarks"], (130, 478, 3)), dataset.landmarks)
    for i, name in enumerate(table["file_name"]):
        assert (root / name).read_bytes() == dataset.image(i).read_bytes()


@pytest.mark.parametrize("harm", ["missing", "size", "damaged"])
def test_an_export_that_fails_leaves_nothing(tmp_path, capsys, harm):
    small_dataset(tmp_path / "set", 5)
    path = image_path(tmp_path / "set", 3)
    path.unlink() if harm == "missing" else path.write_bytes(jpeg(0, 40) if harm == "size" else jpeg(0)[:20])
    assert cli.main(["dataset", "export", str(tmp_path / "set"), "--to", "lerobot", "--out", str(tmp_path / "o")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "00003.jpg" in line and ("one size; scale the pictures" if harm == "size" else "collect or import") in line
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_interrupted_export_leaves_nothing(dataset, form, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"rena_ros.datasets.{form}_export.write_json", interrupted)
    assert cli.main(["dataset", "export", str(dataset.directory), "--to", form, "--out", str(tmp_path / "o")]) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_left_unchanged(dataset, form, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert cli.main(["dataset", "export", str(dataset.directory), "--to", form, "--out", str(tmp_path)]) == 2
    assert "exists already: choose another --out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_lerobot_itself_loads_it(exported, dataset, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    module = pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    loaded = module.LeRobotDataset("lab/face", root=exported["lerobot"])
    assert (len(loaded), loaded.num_episodes) == (130, 2)
    frame = loaded[107]
    np.testing.assert_array_equal(frame["action"].numpy(), dataset.goals[107])
    assert tuple(frame["observation.images.face"].shape) == (3, 24, 32)
    assert str(dataset.groups[107]) in frame["task"]
    assert len(module.LeRobotDataset("lab/face", root=exported["lerobot"], episodes=[1])) == 30


def test_the_package_datasets_itself_loads_both(exported, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hf = pytest.importorskip("datasets.load", exc_type=ImportError)  # test/datasets is no module `load`
    options = {"split": "train", "cache_dir": str(tmp_path)}
    plain = hf.load_dataset("imagefolder", data_dir=str(exported["parquet"]), **options)
    assert len(plain) == 130 and plain[7]["image"].size == (32, 24)
    assert plain[7]["goal_jaw"] == dataset.goals[7, dataset.names.index("jaw")]
    frames = hf.load_dataset("parquet", data_files=str(exported["lerobot"] / "data/*/*.parquet"), **options)
    assert frames[7]["observation.images.face"].size == (32, 24) and len(frames[7]["action"]) == 25


def test_duckdb_reads_both(exported, dataset):
    duckdb = pytest.importorskip("duckdb")
    jaw = dataset.goals[:, dataset.names.index("jaw")].mean()
    plain = duckdb.sql(f"select count(*), avg(goal_jaw) from '{exported['parquet']}/metadata.parquet'").fetchall()[0]
    assert plain == (130, pytest.approx(jaw, rel=1e-6))
    files = f"{exported['lerobot']}/data/*/*.parquet"
    assert duckdb.sql(f"select count(*), max(len(action)) from '{files}'").fetchall() == [(130, 25)]


def test_exports_do_not_change_the_dataset(exported, dataset):
    assert len(load_dataset(dataset.directory)) == 130 and exported
