"""`rena dataset import` as a person calls it, on pictures of the drawn robot."""

import json

import cv2
import numpy as np
import pytest

from rena_ros import cli
from rena_ros.datasets import picture_readings
from rena_ros.datasets.dataset import load_dataset
from rena_ros.perception.face_reader import FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
EXIF_UPSIDE_DOWN = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"


@pytest.fixture(scope="module")
def pictures():
    """Goals and pictures (BGR) of four expressions; the first one is neutral."""
    twin, rest = TwinFace(ROBOT), ROBOT.neutral_goals
    expressions = [rest] + [
        np.where(np.arange(len(rest)) == ROBOT.index[name], goal, rest).astype(np.float32)
        for name, goal in (("jaw", 0.8), ("pucker", 0.7), ("neck_yaw", 0.8))
    ]
    return [(goals, cv2.cvtColor(twin.render(goals), cv2.COLOR_RGB2BGR)) for goals in expressions]


@pytest.fixture
def foreign(tmp_path, pictures):
    """A folder with a table of four rows: two JPEGs, one of them turned by its EXIF, a PNG and a WebP."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    lines = [",".join(("file_name", *ROBOT.names))]
    for name, (goals, picture) in zip(("0.jpg", "1.jpg", "2.png", "3.webp"), pictures, strict=True):
        lines.append(",".join((name, *map(str, goals))))
        data = cv2.imencode(f".{name.split('.')[1]}", picture[::-1, ::-1] if name == "1.jpg" else picture)[1].tobytes()
        if name == "1.jpg":
            data = data[:2] + EXIF_UPSIDE_DOWN + data[2:]
        (folder / name).write_bytes(data)
    (folder / "moves.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def imported(folder, *options):
    """Import a folder beside itself; return the exit code and where the dataset should be."""
    out = folder.parent / "set"
    return cli.main(["dataset", "import", str(folder), "--out", str(out), *options]), out


def test_a_foreign_set_becomes_a_dataset(foreign, pictures, capsys):
    code, out = imported(foreign)
    assert code == 0 and "4 samples" in (said := capsys.readouterr().out) and "as commanded" in said
    dataset = load_dataset(out)
    with FaceReader(video=False) as reader:
        for i, (goals, picture) in enumerate(pictures):
            np.testing.assert_array_equal(dataset.goals[i], goals)
            np.testing.assert_allclose(dataset.positions[i], ROBOT.positions(goals), atol=1e-7)
            stored = cv2.imread(str(dataset.image(i)), cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_COLOR)
            assert cv2.PSNR(stored, picture) > 30  # upright, whatever a viewer makes of EXIF
            wanted = reader.read(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            np.testing.assert_allclose(dataset.landmarks[i], wanted.landmarks, atol=0.01)
    assert dataset.image(0).read_bytes() == (foreign / "0.jpg").read_bytes()
    assert b"Exif" not in dataset.image(1).read_bytes()
    np.testing.assert_array_equal(dataset.meta["robot_rest"], dataset.features[0].tolist())
    assert dataset.meta["source"].items() >= {"kind": "import", "positions": "commanded", "rows": 4}.items()
    assert (out / "robot.yaml").read_text(encoding="utf-8").startswith("# The robot as data")
    assert sorted(path.name for path in foreign.parent.iterdir()) == ["set", "theirs"]


@pytest.mark.parametrize("harm", ["no face", "cut off", "no picture"])
def test_a_picture_that_cannot_be_read_is_a_bad_row(foreign, harm, capsys):
    bad = foreign / "2.png"
    whole = (foreign / "0.jpg").read_bytes()
    grey = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    bad.write_bytes({"no face": grey, "cut off": whole[: len(whole) // 2], "no picture": b"text"}[harm])
    code, out = imported(foreign)
    error = capsys.readouterr().err
    assert code == 2 and not out.exists() and "1 bad row(s) of 4" in error
    problem = {"no face": "no face is found", "cut off": "is cut off", "no picture": "; replace it"}[harm]
    assert "moves.csv, row 3 (line 4), column file_name: " in error and problem in error
    code, out = imported(foreign, "--skip-bad")
    assert code == 0 and "left out 1 of 4 rows" in capsys.readouterr().out
    dataset = load_dataset(out)
    assert len(dataset) == 3 and dataset.meta["refused"] == {"bad row": 1}
    assert not out.with_name("set.unfinished").exists()


def test_faults_of_the_table_are_told_before_pictures_are_read(foreign, monkeypatch, capsys):
    monkeypatch.setattr(picture_readings, "FaceReader", None)
    table = foreign / "moves.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("2.png", "gone.png"), encoding="utf-8")
    code, out = imported(foreign)
    assert code == 2 and "no picture was read yet; mend them, or leave them out" in capsys.readouterr().err
    assert [path.name for path in foreign.parent.iterdir()] == ["theirs"] and not out.exists()


def test_an_interrupted_import_reads_no_picture_twice(foreign, monkeypatch, capsys):
    reads = []

    def read(self, rgb, *rest, whole=FaceReader.read):
        reads.append(rgb.shape)
        if len(reads) == 3:
            raise KeyboardInterrupt
        return whole(self, rgb, *rest)

    monkeypatch.setattr(FaceReader, "read", read)
    code, out = imported(foreign)
    assert code == 130 and not out.exists() and "the same command continues" in capsys.readouterr().out
    (foreign / "0.jpg").touch()  # may be another picture now
    code, out = imported(foreign)
    assert code == 0 and len(load_dataset(out)) == 4
    assert len(reads) == 3 + 3  # the third, the fourth, and the one that has changed
    assert not out.with_name("set.unfinished").exists()


def test_a_folder_with_files_is_left_unchanged(foreign, capsys):
    (foreign.parent / "set").mkdir()
    (foreign.parent / "set/thesis.tex").write_text("precious")
    assert imported(foreign)[0] == 2 and "exists and is not empty" in capsys.readouterr().err
    assert [path.name for path in (foreign.parent / "set").iterdir()] == ["thesis.tex"]


def test_an_export_can_be_imported_again(foreign, tmp_path):
    pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    _, out = imported(foreign)
    shared = tmp_path / "shared"
    assert cli.main(["dataset", "export", str(out), "--to", "parquet", "--out", str(shared)]) == 0
    assert cli.main(["dataset", "import", str(shared), "--out", str(tmp_path / "again")]) == 0
    first, again = load_dataset(out), load_dataset(tmp_path / "again")
    np.testing.assert_array_equal(again.goals, first.goals)
    np.testing.assert_allclose(again.positions, first.positions, atol=1e-12)
    assert again.meta["robot_rest"] == first.meta["robot_rest"] and again.meta["robot"] == first.meta["robot"]
    assert [again.image(i).read_bytes() for i in range(4)] == [first.image(i).read_bytes() for i in range(4)]
    assert json.loads((shared / "rena.json").read_text(encoding="utf-8")) == first.meta
