"""Other people's tables as samples: column maps, units, neutral rows, and what is said about a bad row."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.datasets.column_map import load_source
from rena_ros.datasets.table_rows import judge_rows, neutral_rows

SERVOS = yaml.safe_load(share_path("config/rena.yaml").read_text(encoding="utf-8"))["servos"]
NAMES = [servo["name"] for servo in SERVOS]
# Goal of the neutral face, by hand: neutral between the ends, from the other end where `reversed`.
REST = {
    servo["name"]: abs(servo["neutral_ticks"] - servo["max_ticks" if servo["reversed"] else "min_ticks"])
    / (servo["max_ticks"] - servo["min_ticks"])
    for servo in SERVOS
}


class Foreign:
    """A folder with pictures (empty files), a table and, on request, a column map."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows = []

    def add(self, picture="a.jpg", **values):
        """Add a row: neutral but for these values, by column."""
        (self.folder / picture).touch()
        self.rows.append({"file_name": picture, **{name: f"{REST[name]:.5f}" for name in NAMES}, **values})
        return self

    def judged(self, separator=",", **columns):
        """Write the table and, if columns are given, the map; return the source, the good and the bad rows."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        lines = [separator.join(names)]
        lines += [separator.join(str(row.get(name, "")) for name in names) for row in self.rows]
        (self.folder / "moves.csv").write_text("\n".join(lines), encoding="utf-8-sig")
        if columns:
            whole = {"picture": "file_name", "servos": {name: name for name in NAMES}} | columns
            (self.folder / "columns.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        source = load_source(self.folder)
        return source, *judge_rows(source)


@pytest.fixture
def foreign(tmp_path):
    return Foreign(tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_with_the_servos_names_need_no_map(foreign, separator):
    _, (row,), bad = foreign.add(jaw="0.25", group="smile").judged(separator)
    wanted = [0.25 if name == "jaw" else REST[name] for name in NAMES]
    np.testing.assert_allclose(row.goals, wanted, atol=1e-5)
    assert row.goals.dtype == np.float32 and row.group == "smile" and row.number == 0 and bad == []
    assert row.picture == foreign.folder / "a.jpg"


def test_units_mean_what_the_robot_file_says(foreign):
    # The jaw: 2048 (neutral, goal 0) to 2468 ticks; lip_upper_right is reversed: 1728 (goal 1) to 2048 (goal 0).
    rad = 100 / 4096 * math.tau
    values = {"m1": 2148, "m2": 1948, "m3": rad, "m4": math.degrees(rad)}
    units = {
        "jaw": {"column": "m1", "unit": "ticks"},
        "lip_upper_right": {"column": "m2", "unit": "ticks"},
        "lip_upper_left": {"column": "m3", "unit": "rad"},
        "pucker": {"column": "m4", "unit": "degrees"},
    }
    servos = {name: units.get(name, name) for name in NAMES}
    _, (row,), _ = foreign.add(**values).judged(servos=servos)
    found = {name: (row.goals[NAMES.index(name)], row.positions[NAMES.index(name)]) for name in units}
    travel = {"jaw": 420, "lip_upper_right": 320, "lip_upper_left": 320, "pucker": 360}
    for name, (goal, position) in found.items():
        assert goal == pytest.approx(100 / travel[name], abs=1e-5) and position == pytest.approx(rad, abs=1e-6)


def test_measured_positions_are_taken_and_servos_without_a_column_rest(foreign):
    measured = {name: {"column": f"p_{name}", "unit": "rad"} for name in NAMES if name != "neck_roll"}
    row = {f"p_{name}": 0.01 for name in NAMES}
    servos = {name: name for name in NAMES if name != "neck_roll"}
    _, (found,), bad = foreign.add(**row).judged(servos=servos, measured=measured, at_neutral=["neck_roll"])
    wanted = [0 if name == "neck_roll" else 0.01 for name in NAMES]
    np.testing.assert_allclose(found.positions, wanted)
    assert bad == [] and found.goals[NAMES.index("neck_roll")] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"jaw": "1.4"}, "column jaw: 1.4 is outside 0 … 1 (goal); mend the value, its unit in the column map"),
        ({"jaw": ""}, "column jaw: the value is missing; fill it in"),
        ({"jaw": "wide"}, "column jaw: 'wide' is not a number; write a number"),
        ({"jaw": '"0,5"'}, "column jaw: '0,5' is not a number; write 0.5"),
        ({"jaw": "nan"}, "column jaw: nan is not finite"),
        ({"jaw": "inf"}, "column jaw: inf is not finite"),
        ({"m": "91"}, "column m (neck_yaw): 91 is outside -29.97 … 29.97 (degrees)"),
        ({"file_name": ""}, "column file_name: the picture's file name is missing"),
        ({"file_name": "gone.jpg"}, "gone.jpg; put it there, or mend the name"),
        ({"file_name": "a.jpg"}, "column file_name: a.jpg is the picture of row 1 already; keep one of the two"),
        ({"what": "x" * 40}, "is longer than 32; shorten it"),
        ({"neck_roll": "0.5,1,2"}, "it has 30 values, the header names 28; mend the row"),
    ],
)
def test_a_bad_row_is_named_with_file_row_column_and_remedy(foreign, values, problem):
    servos = {name: name for name in NAMES} | {"neck_yaw": {"column": "m", "unit": "degrees"}}
    foreign.add(m=0, what="smile").add("b.jpg", **{"m": 0, "what": "frown", **values})
    source, good, bad = foreign.judged(servos=servos, group="what")
    assert [row.number for row in good] == [0]
    (fault,) = bad
    assert fault.number == 1 and problem in fault.problem
    assert source.table.place(fault.number) == "moves.csv, row 2 (line 3)"


def test_all_faults_of_a_row_are_listed(foreign):
    _, good, bad = foreign.add(jaw="-1", pucker="", file_name="gone.jpg").judged()
    assert good == [] and len(bad) == 3


@pytest.mark.parametrize(("values", "order"), [(["10", "9", "-1"], [2, 1, 0]), (["b", "a", "10"], [2, 1, 0])])
def test_rows_are_sorted_by_a_column(foreign, values, order):
    for i, value in enumerate(values):
        foreign.add(f"{i}.jpg", frame=value)
    assert [row.number for row in foreign.judged(order="frame")[1]] == order


@pytest.mark.parametrize(
    ("neutral", "found"),
    [
        ({}, [0, 2]),  # within 0.02
        ({"neutral_within": 0.5}, [0, 1, 2]),
        ({"neutral": {"rows": [2]}}, [1]),
        ({"neutral": {"column": "group", "value": "Rest"}}, [2]),
        ({"neutral": {"reading": [0.1] * 55}}, []),
    ],
)
def test_the_rows_that_show_the_neutral_face(foreign, neutral, found):
    foreign.add("0.jpg", jaw="0.01").add("1.jpg", jaw="0.4").add("2.jpg", pucker="0.015", group="rest")
    source, good, _ = foreign.judged(group="group", **neutral)
    assert [row.number for row in neutral_rows(source, good)] == found


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({}, r"the nearest is row 2, where jaw is 0\.300 away; add a row and a picture of the neutral face, or name"),
        ({"neutral": {"column": "group", "value": "rest"}}, "no usable row of .* names as neutral; mend those rows"),
        ({"neutral": {"rows": [3]}}, "no usable row"),
    ],
)
def test_a_table_without_a_neutral_row_is_refused(foreign, columns, error):
    foreign.add("0.jpg", jaw="0.9").add("1.jpg", jaw="0.3").add("2.jpg", jaw="2", group="smile")
    source, good, _ = foreign.judged(group="group", **columns)
    with pytest.raises(RenaError, match=error):
        neutral_rows(source, good)


def test_all_faults_of_a_map_are_listed_with_their_lines(foreign):
    servos = {name: name for name in NAMES if name not in ("jaw", "pucker")}
    servos |= {"jaww": "jaw", "neck_yaw": {"column": "yaw", "unit": "turns"}}
    with pytest.raises(RenaError, match=r"must be one of 'goal', 'rad', 'degrees' or 'ticks', found 'turns'"):
        foreign.add().judged(servos=servos)
    servos["neck_yaw"] = "yaw"
    with pytest.raises(RenaError) as error:
        foreign.judged(servos=servos, at_neutral=["lid_left"], neutral={"rows": [9]}, order="fram")
    lines = str(error.value).splitlines()
    assert lines[0].endswith("has 7 fault(s):")
    for fault in (
        "no servo is called jaww; did you mean jaw?",
        "lid_left has a column in servos; take it out here or there",
        "jaw has no column; add it, or list it in at_neutral if it never moved",
        "pucker has no column",
        "moves.csv has no column yaw",
        "row 9 is beyond the table's last, 1",
        "moves.csv has no column fram",
    ):
        assert any(fault in line for line in lines), fault
    assert all(line.startswith("  line ") for line in lines[1:])


def test_what_is_no_table_is_refused(foreign):
    with pytest.raises(RenaError, match="must hold one table, found none"):
        load_source(foreign.folder)
    with pytest.raises(RenaError, match="cannot read the table"):
        foreign.add().judged(table="gone.csv")
    foreign.rows = [{"file_name": "", "jaw": ""}]
    (foreign.folder / "columns.yaml").unlink()
    with pytest.raises(RenaError, match=r"no column brow_left_raise, .* …; write a column map"):
        foreign.judged()
    (foreign.folder / "b.tsv").touch()
    with pytest.raises(RenaError, match=r"must hold one table, found b\.tsv, moves\.csv; name it"):
        load_source(foreign.folder)
    with pytest.raises(RenaError, match="is no folder"):
        load_source(foreign.folder / "moves.csv")


def test_parquet_and_csv_give_the_same_rows(foreign):
    pa = pytest.importorskip("pyarrow", exc_type=ImportError)
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    _, from_csv, _ = foreign.add(jaw="0.25").add("b.jpg", jaw="0.5").judged()
    foreign.add("c.jpg", jaw=None)
    table = [{**row, **{name: row[name] and float(row[name]) for name in NAMES}} for row in foreign.rows]
    (foreign.folder / "moves.csv").unlink()
    parquet.write_table(pa.Table.from_pylist(table), foreign.folder / "moves.parquet")
    source = load_source(foreign.folder)
    from_parquet, (fault,) = judge_rows(source)
    for one, other in zip(from_csv, from_parquet, strict=True):
        assert one.picture == other.picture
        np.testing.assert_array_equal(one.goals, other.goals)
    assert source.table.place(fault.number) == "moves.parquet, row 3"
    assert fault.problem == "column jaw: the value is missing; fill it in"
