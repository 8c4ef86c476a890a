"""The floors of the house, read from the imports of every module."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "docs"))
from draw_rooms import PACKAGE, PICTURE, floors, imports_of, modules, picture, room_of, rooms

MODULES = modules()
ROS = {"rclpy", "ament_index_python", "rcl_interfaces", "builtin_interfaces", "diagnostic_msgs"}
ROS |= {"std_msgs", "std_srvs", "sensor_msgs", "geometry_msgs"}
LAUNCH = {"launch", "launch_ros"}
# The floors, from the ground up: a room imports rooms of lower floors only.
FLOORS = (
    ("base",),
    ("robot", "graph", "cli", "bags", "measures"),
    ("bus", "strategy", "twin", "processes", "recording"),
    ("control", "emulator", "perception"),
    ("behaviour", "datasets", "servo_tools", "playing"),
    ("nodes", "learning"),
    ("mimic", "collecting", "bench"),
    ("report",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Which of the rooms below (beside base) each room imports. Short on purpose: a new entry needs a reason.
KNOWS = {
    "base": set(),
    "robot": set(),
    "graph": set(),
    "cli": set(),  # imports a command's module only when the command is called
    "bus": {"robot"},  # the driver never imports the emulator
    "strategy": {"robot"},
    "twin": {"robot"},
    "control": {"robot", "bus"},  # a command's way from the limiter to the wire
    "emulator": {"robot", "bus"},  # the bus protocol, answered from the other end
    "perception": {"twin"},  # the drawn performer is one of the video sources
    "behaviour": {"robot", "control", "perception", "strategy", "recording"},  # statuses, coefficients, samples
    "processes": {"graph"},
    "recording": {"bags"},  # which samples they hold
    "bags": set(),
    "measures": set(),  # arrays in, figures out
    "datasets": {"bags", "recording", "robot", "perception"},  # bags in, pictures read again
    "collecting": {"robot", "strategy", "bus", "emulator", "twin", "perception", "datasets"}
    | {"graph", "processes", "recording", "nodes"},  # in virtual time; over ROS
    "playing": {"bags", "robot", "control", "graph", "processes"},  # control: whose commands were followed
    "servo_tools": {"robot", "bus", "control", "emulator"},  # control: health; emulator: `rena servo emulate`
    "nodes": {
        "graph",
        "robot",
        "bus",
        "control",
        "emulator",
        "perception",
        "behaviour",
        "twin",
        "strategy",
        "recording",
        "bags",  # the recorder
        "playing",
    },
    # datasets in, a model that Policy accepts out; perception: what a reading holds, and how landmarks are aligned
    "learning": {"robot", "datasets", "behaviour", "perception", "measures"},
    "report": {"robot", "datasets", "behaviour", "learning", "measures", "perception", "twin"}
    | {"collecting", "mimic"},  # data for --quick; the round trip
    # measures: Table III of a film with and without prediction
    "mimic": {"graph", "processes", "robot", "perception", "behaviour", "twin", "nodes", "measures"},
    "bench": {"graph", "processes", "robot", "bus", "control", "emulator", "nodes", "perception", "twin"}
    | {"behaviour", "learning"},  # the engines of `rena bench model`
}
SPEAKS_ROS = ("rena_ros.nodes", "rena_ros.bench", "rena_ros.mimic.monitor", "rena_ros.collecting.monitor")


def faults_of(module: str, imported: set[str]) -> list[str]:
    """What this module imports against the rules of the house."""
    room, faults = room_of(module), []
    for name in sorted(imported):
        top = name.split(".")[0]
        if top in ROS and not module.startswith(SPEAKS_ROS):
            faults.append(f"{module} imports {name}: ROS belongs in {', '.join(SPEAKS_ROS)}")
        if top == "torch" and room != "learning":
            faults.append(f"{module} imports {name}: torch belongs in learning/")
        if top in LAUNCH:
            faults.append(f"{module} imports {name}: launch belongs in launch/")
        if name in MODULES and (other := room_of(name)) not in {room, "base"} | KNOWS[room]:
            faults.append(f"{module} imports {name}: {room} does not know {other}")
    return faults


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_rooms_that_its_room_knows(module):
    assert faults_of(module, imports_of(MODULES[module])) == []


@pytest.mark.parametrize("module", ["rena_ros.bus.protocol", "rena_ros.base.errors", "rena_ros.robot.model"])
def test_the_ground_imports_nothing_of_rena_but_array_types(module):
    own = {name for name in imports_of(MODULES[module]) if name.startswith("rena_ros")}
    assert {name for name in own if not name.startswith("rena_ros.base.arrays")} <= {"rena_ros.base"}


def test_every_room_stands_on_one_floor():
    assert sorted(FLOOR) == sorted(KNOWS) == sorted({room_of(module) for module in MODULES})


def test_a_room_knows_lower_floors_only():
    up = [(room, below) for room, known in KNOWS.items() for below in known if FLOOR[below] >= FLOOR[room]]
    assert up == []
    assert [set(floor) for floor in floors(rooms())] == [set(floor) for floor in FLOORS]


def test_rooms_in_a_circle_are_noticed():
    with pytest.raises(ValueError, match=r"bus.*control"):
        floors({"base": set(), "bus": {"control"}, "control": {"bus"}})


def test_the_picture_shows_the_rooms_as_they_are():
    assert PICTURE.read_text(encoding="utf-8") == picture(rooms()), "draw it again: python docs/draw_rooms.py"


def test_a_class_name_means_one_thing():
    places = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def without_encoding(path: Path) -> list[str]:
    """The calls in a file that read or write text in the encoding of the locale, which may be ASCII."""
    found = []
    for call in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)):
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        words = [ast.unparse(word) for word in call.args] + [given.get("mode", "''")]
        text = (
            (name in ("read_text", "write_text") and owner != "")
            or (name == "open" and owner not in ("av", "os") and not any("b" in w for w in words if MODE.fullmatch(w)))
            or given.get("text") == "True"
        )
        if text and "encoding" not in given:
            found.append(f"{path.name}:{call.lineno}: {ast.unparse(call)}")
    return found


MODE = re.compile("'[rwaxbt+]*'")
PROGRAMS = [PACKAGE.parent / name for name in ("rena_ros", "launch", "docs", "requirements", "setup.py")]


@pytest.mark.parametrize("place", PROGRAMS, ids=lambda place: place.name)
def test_text_is_utf_8_under_any_locale(place):
    paths = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert paths and [call for path in paths for call in without_encoding(path)] == []


@pytest.mark.parametrize("call", ["p.read_text()", "open(p)", "open(p, 'w')", "p.open('r')", "run(c, text=True)"])
def test_a_text_without_encoding_is_noticed(call, tmp_path):
    (tmp_path / "program.py").write_text(call, encoding="utf-8")
    assert len(without_encoding(tmp_path / "program.py")) == 1


@pytest.mark.parametrize("folder", ["rena_ros", "test"])
def test_launch_is_imported_only_by_launch_files_and_their_tests(folder):
    importers = {
        path.stem
        for path in (PACKAGE.parent / folder).rglob("*.py")
        if {name.split(".")[0] for name in imports_of(path)} & LAUNCH
    }
    assert all("launch" in name for name in importers), importers
    assert folder == "test" or not importers


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("rena_ros.bus.bus", "rclpy.node"),
        ("rena_ros.behaviour.policy", "torch"),
        ("rena_ros.mimic.session", "rclpy.node"),
        ("rena_ros.bus.bus", "rena_ros.emulator"),
        ("rena_ros.graph", "launch"),
        ("rena_ros.robot.model", "rena_ros.bus"),
        ("rena_ros.bus.bus", "rena_ros.perception.face_reader"),
        ("rena_ros.strategy.expert", "rena_ros.nodes"),
    ],
)
def test_this_test_can_fail(module, imported):
    assert len(faults_of(module, {imported})) == 1


def test_the_command_line_starts_without_heavy_packages():
    heavy = ("rclpy", "torch", "mediapipe", "numba", "cv2", "onnxruntime")
    code = f"import sys, rena_ros.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
