"""The floors of the house, read from the imports of every module: who may know whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rena_ros"
ROS = {"rclpy", "ament_index_python", "cv_bridge", "rcl_interfaces", "builtin_interfaces", "diagnostic_msgs"}
ROS |= {"std_msgs", "std_srvs", "sensor_msgs", "geometry_msgs"}
LAUNCH = {"launch", "launch_ros"}
GROUND = {
    "robot",
    "robot_file",
    "robot_edit",
    "written",
    "health",
    "errors",
    "share",
    "commit",
    "subcommands",
    "niceness",
    "ending",
}
# Files that belong to the room of another name.
ROOM_OF = {"face_model": "perception", "strategy_file": "strategy", "roster": "gate"}
# Which rooms above the ground know which others. Short on purpose: whoever adds a line, says why.
KNOWS = {
    "bus": set(),
    "perception": set(),
    "strategy": set(),
    "motion": set(),
    "gate": {"bus", "motion"},  # the way of a command from the limiter to the wire
    "servo": {"bus"},  # the tools of the first day
    "bench": {"bus", "gate", "nodes"},  # what is measured
    "presence": set(),
    "graph": set(),
    "cli": set(),  # imports a command only when it is called
    "twin": set(),
    "policy": {"perception"},  # the names of what it is fed
    "resting": {"perception"},  # the same
    "video": {"twin"},  # the performer is one of the sources
    "recording": {"strategy", "bus", "twin", "perception"},  # babble, move, draw, read: collecting is all four
    "learning": {"recording", "perception", "policy"},  # datasets in, a model that Policy accepts out
    "mimic": {"graph", "perception", "nodes", "twin"},  # the run as a whole; nodes: its monitor
    "nodes": {"bus", "gate", "perception", "policy", "presence", "resting", "motion", "twin", "video", "mimic"},
}


def imports_of(path: Path) -> set[str]:
    """Full names of everything a module imports, anywhere in it; `from a import b` counts as a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(module: str) -> str:
    """Room of a module such as rena_ros.bus.port."""
    first = module.split(".")[1]
    return ROOM_OF.get(first, first)


def faults_of(module: str, imported: set[str]) -> list[str]:
    """What this module imports against the rules of the house."""
    room, faults = room_of(module), []
    for name in sorted(imported):
        top, *below = name.split(".")
        if top in ROS and room != "nodes":
            faults.append(f"{module} imports {name}: only nodes/ speaks ROS")
        if top == "torch" and room != "learning":
            faults.append(f"{module} imports {name}: only learning/ needs torch")
        if top in LAUNCH:
            faults.append(f"{module} imports {name}: nothing outside launch/ may need it")
        if top != "rena_ros" or not below or not is_module(name):
            continue
        other = room_of(name)
        if other == room or other in GROUND:
            continue
        if room in GROUND or other not in KNOWS.get(room, set()):
            faults.append(f"{module} imports {name}: {room} does not know {other}")
    return faults


def is_module(name: str) -> bool:
    """Whether a dotted name below rena_ros is a module or package, not something defined in one."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def modules() -> dict[str, Path]:
    """Every module of the package but the package itself."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "rena_ros":
            found[name] = path
    return found


@pytest.mark.parametrize("module", modules())
def test_a_module_knows_only_whom_it_may(module):
    assert faults_of(module, imports_of(modules()[module])) == []


@pytest.mark.parametrize("module", ["rena_ros.bus.protocol", "rena_ros.errors", "rena_ros.robot"])
def test_the_ground_floor_knows_nobody(module):
    assert {name for name in imports_of(modules()[module]) if name.startswith("rena_ros")} == set()


def test_every_room_stands_in_the_table():
    assert {room_of(module) for module in modules()} - GROUND <= set(KNOWS)


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
        ("rena_ros.policy", "torch"),
        ("rena_ros.graph", "launch"),
        ("rena_ros.robot", "rena_ros.bus"),
        ("rena_ros.bus.bus", "rena_ros.perception"),
        ("rena_ros.strategy", "rena_ros.nodes"),
    ],
)
def test_this_test_can_fail(module, imported):
    assert len(faults_of(module, {imported})) == 1


def test_the_command_line_starts_without_heavy_packages():
    heavy = ("rclpy", "torch", "mediapipe", "numba", "cv2", "onnxruntime")
    code = f"import sys, rena_ros.cli; print([name for name in {heavy!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
