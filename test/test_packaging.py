"""What is declared, built and installed: package.xml, setup.py, the wheel, and the files that an installation finds."""

import ast
import re
import runpy
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from shutil import copytree, ignore_patterns
from unittest import mock
from xml.etree import ElementTree

import pytest
from catkin_pkg.package import parse_package

import rena_ros
from rena_ros.base import resources as share
from rena_ros.base.errors import RenaError

ROOT = Path(__file__).parents[1]
IMPORTS_OF = runpy.run_path(str(ROOT / "docs/draw_rooms.py"))["imports_of"]
# import name -> rosdep key, as in rosdistro's rosdep/python.yaml (read 2026-08).
ROSDEP_KEYS = {
    "absl": "python3-absl",
    "catkin_pkg": "python3-catkin-pkg-modules",
    "cv2": "python3-opencv",
    "flatbuffers": "python3-flatbuffers",
    "hypothesis": "python3-hypothesis",
    "mediapipe": "python3-mediapipe-pip",
    "numba": "python3-numba",
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "packaging": "python3-packaging",
    "pytest": "python3-pytest",
    "rich": "python3-rich",
    "scipy": "python3-scipy",
    "serial": "python3-serial",
    "yaml": "python3-yaml",
}
# Not in rosdistro's python.yaml (for `ruckig`, jazzy has the C++ library only; python3-pydantic is version 1 on
# Ubuntu 24.04, Rena needs 2): requirements/*.txt alone name these.
NO_ROSDEP_KEY = {"ai_edge_litert", "av", "mcap", "pydantic", "pydantic_core", "rosbags", "ruckig"}
TESTS_ONLY = {"rustypot": "rustypot", "scservo_sdk": "feetech-servo-sdk"}  # no rosdep key either
ROS_PACKAGES = {
    *("launch_testing", "rosgraph_msgs"),
    *("rclpy", "rcl_interfaces", "builtin_interfaces", "std_msgs", "sensor_msgs", "geometry_msgs", "diagnostic_msgs"),
    *("std_srvs", "launch", "launch_ros", "ament_index_python", "rosidl_runtime_py", "tf2_ros"),
}
# Run by developers only, with requirements/learn.txt installed.
DEVELOPERS_ONLY = ("rena_ros/learning/", "rena_ros/datasets/show_figures.py", "rena_ros/twin/bake.py")
DEVELOPERS_ONLY += ("rena_ros/twin/paint.py", "rena_ros/report/")
SHARING_ONLY = {"pyarrow"}  # import and export of Parquet, with requirements/share.txt installed
LEARNING_ONLY = {"torch", "onnx", "safetensors", "sklearn", "scipy", "optuna"}


@pytest.fixture(scope="module")
def manifest():
    return ElementTree.parse(ROOT / "package.xml").getroot()


@pytest.fixture(scope="module")
def setup_arguments():
    """What setup.py hands to setuptools.setup."""
    with mock.patch("setuptools.setup") as setup, pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        exec(compile((ROOT / "setup.py").read_text(), "setup.py", "exec"), {"__name__": "__main__"})
    return setup.call_args.kwargs


def imports_of(*folders: str) -> dict[str, set[str]]:
    """Top-level module imported -> the files that import it, without the standard library and this package."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for name in {name.split(".")[0] for name in IMPORTS_OF(path)} - sys.stdlib_module_names - {"rena_ros"}:
            found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def required(*names: str) -> set[str]:
    """The distributions named in requirements/*.txt, normalised."""
    lines = [line for name in names for line in (ROOT / "requirements" / name).read_text().splitlines()]
    stripped = (line.split("#")[0].strip() for line in lines)
    return {normalised(re.split(r"[\[=<>!~; ]", line)[0]) for line in stripped if line and not line.startswith("-")}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_manifest_and_setup_say_the_same(manifest, setup_arguments):
    assert manifest.get("format") == "3"
    assert manifest.findtext("name") == setup_arguments["name"] == "rena"
    assert manifest.findtext("version") == setup_arguments["version"] == rena_ros.__version__
    assert manifest.findtext("license") == setup_arguments["license"]
    assert manifest.findtext("maintainer") == setup_arguments["maintainer"]
    assert manifest.find("maintainer").get("email") == setup_arguments["maintainer_email"]
    assert (ROOT / manifest.find("license").get("file")).read_text().lstrip().startswith("Apache License")
    assert manifest.findtext("export/build_type") == "ament_python"
    assert (ROOT / "resource" / manifest.findtext("name")).is_file()


def test_the_manifest_is_valid_for_colcon():
    warnings = []
    package = parse_package(ROOT / "package.xml", warnings=warnings)
    package.validate(warnings=warnings)
    assert warnings == [] and package.package_format == 3 and package.get_build_type() == "ament_python"


def test_the_extras_name_what_learning_and_sharing_need(setup_arguments):
    learn = setup_arguments["extras_require"]["learn"]
    assert {normalised(re.split("[=]", line)[0]) for line in learn} == required("learn.txt") | {"torch"}
    pinned = (ROOT / "requirements/constraints.txt").read_text().lower().splitlines()
    share = setup_arguments["extras_require"]["share"]
    assert {normalised(re.split("[=]", line)[0]) for line in share} == required("share.txt") == SHARING_ONLY
    assert all(line.lower() in pinned for line in (*learn, *share))


@pytest.mark.parametrize(
    ("needs", "cuda"),
    [
        (["filelock", "sympy>=1.13"], False),
        (["filelock", 'nvidia-cudnn-cu13==9.20; platform_system == "Linux"'], True),
        (["cuda-bindings<14,>=13.0.3"], True),
    ],
)
def test_a_build_of_torch_with_cuda_is_recognised(needs, cuda):
    program = runpy.run_path(str(ROOT / "requirements/install_torch.py"))
    assert program["needs_cuda"]({"install": [{"metadata": {"requires_dist": needs}}]}) is cuda
    assert program["pinned"]() == "torch==2.13.0"


@pytest.mark.parametrize("path", [".pre-commit-config.yaml", ".github/workflows/test.yml"])
def test_what_others_run_are_the_parts_of_make_test(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z]+)", (ROOT / path).read_text()))
    assert {"style", "types"} <= called <= targets


def test_every_ros_import_is_named_in_the_manifest(manifest):
    named = {element.text for element in manifest.findall("exec_depend")}
    imported = imports_of("rena_ros", "launch")
    assert "rclpy" in imported and "launch_ros" in imported
    missing = {name: files for name, files in imported.items() if name in ROS_PACKAGES and name not in named}
    assert not missing


def test_every_other_import_is_named_where_it_can_be(manifest):
    named = {element.text for element in manifest.findall("exec_depend")}
    running = required("run.txt", "run-nodeps.txt")
    learning = running | required("learn.txt") | {"torch"}  # torch: requirements/install_torch.py
    distributions = packages_distributions()
    for module, files in imports_of("rena_ros", "launch").items():
        if module in ROS_PACKAGES:
            continue
        in_learning = all(file.startswith(DEVELOPERS_ONLY) for file in files)
        brings = {normalised(name) for name in distributions.get(module, [module])}
        if module in SHARING_ONLY:
            assert all(file.startswith("rena_ros/datasets/") for file in files) and brings & required("share.txt")
            continue
        assert brings & (learning if in_learning else running), f"{module} ({files}) is in no requirements file"
        if not in_learning and module not in NO_ROSDEP_KEY:
            assert ROSDEP_KEYS[module] in named, f"{module} ({files}) is not in package.xml"
        assert in_learning or module not in LEARNING_ONLY


def test_what_the_tests_import_is_named_for_colcon_test(manifest):
    named = {element.text for kind in ("exec_depend", "test_depend") for element in manifest.findall(kind)}
    own = {path.stem for folder in ("test", "docs") for path in (ROOT / folder).rglob("*.py")}
    imported = set(imports_of("test")) - own - NO_ROSDEP_KEY - (LEARNING_ONLY - {"scipy"})
    assert {"hypothesis", "scipy", "rclpy"} <= imported
    assert {TESTS_ONLY[name] for name in imported & set(TESTS_ONLY)} <= required("test.txt")
    keys = {name: name if name in ROS_PACKAGES else ROSDEP_KEYS.get(name) for name in imported - set(TESTS_ONLY)}
    assert {name: key for name, key in keys.items() if key not in named} == {}


def test_colcon_finds_that_pytest_runs_the_tests(setup_arguments):
    """As colcon-core reads it: a requirement of the extra `test` whose name, up to a space or a sign, is pytest."""
    names = [re.split(r" |<|=|>|!", line)[0] for line in setup_arguments["extras_require"]["test"]]
    assert "pytest" in names
    assert {normalised(name) for name in names} == required("test.txt")


def test_every_node_has_an_executable_and_every_executable_a_main(setup_arguments):
    scripts = dict(line.split(" = ") for line in setup_arguments["entry_points"]["console_scripts"])
    modules = {path.stem for path in (ROOT / "rena_ros/nodes").glob("*.py") if '"__main__"' in path.read_text()}
    assert {name.removesuffix("_node") for name in scripts if name.endswith("_node")} == modules
    for script, target in scripts.items():
        module, function = target.split(":")
        tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
        made = {node.name: "" for node in tree.body if isinstance(node, ast.FunctionDef)}
        made |= {
            ast.unparse(node.targets[0]): ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign)
        }
        assert function in made, target
        if script.endswith("_node"):
            assert made[function] == f"partial(start, '{script.removesuffix('_node')}')"


def test_every_shipped_file_is_installed(setup_arguments):
    installed = {path for _, paths in setup_arguments["data_files"] for path in paths}
    for folder in ("config", "launch", "models"):
        shipped = {
            str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts
        }
        assert shipped and shipped <= installed
    assert all((ROOT / path).is_file() for path in installed)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tree, as `pip install .` builds it, but without the network."""
    build = tmp_path_factory.mktemp("wheel")
    for folder in ("rena_ros", "config", "launch", "models", "requirements", "resource"):
        copytree(ROOT / folder, build / "tree" / folder, ignore=ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "package.xml", "LICENSE"):
        (build / "tree" / name).write_bytes((ROOT / name).read_bytes())
    pip("wheel", "--no-build-isolation", "--wheel-dir", build, build / "tree")
    return next(build.glob("*.whl"))


def pip(verb, *arguments):
    command = [sys.executable, "-m", "pip", verb, "-q", "--disable-pip-version-check", "--no-index", "--no-deps"]
    result = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_the_wheel_holds_all_code_and_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "rena_ros").rglob("*.py")}
    assert code <= names
    data = (path for path in (ROOT / "rena_ros").rglob("*") if path.suffix != ".py" and "__pycache__" not in path.parts)
    assets = [path for path in data if path.is_file()]
    assert {str(path.relative_to(ROOT)) for path in assets} <= names
    data = {name.split(".data/data/")[1] for name in names if ".data/data/" in name}
    assert "share/ament_index/resource_index/packages/rena" in data
    assert {"share/rena/package.xml", "share/rena/config/rena.yaml", "share/rena/launch/mimic.launch.py"} <= data


@pytest.mark.parametrize("layout", ["--prefix", "--target"])
def test_an_installation_finds_its_own_files(wheel, tmp_path, layout):
    pip("install", "--ignore-installed", layout, tmp_path, wheel)
    packages = next(tmp_path.rglob("rena_ros")).parent
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from rena_ros.robot.file import load_robot; from rena_ros.base.resources import share_path, __file__\n"
        "print(__file__); print(share_path('config/rena.yaml')); print(len(load_robot().names))"
    )
    run = subprocess.run([sys.executable, "-c", program, packages], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    module, config, servos = run.stdout.split()
    assert Path(module).is_relative_to(tmp_path) and Path(config).is_relative_to(tmp_path)
    assert servos == "25"
    if layout == "--prefix":
        assert next(tmp_path.rglob("bin/servos_node"))


def test_a_missing_file_is_one_error_that_names_the_places(monkeypatch, tmp_path):
    monkeypatch.setattr(share, "_ROOTS", (tmp_path / "tree", tmp_path / "share"))
    with pytest.raises(RenaError) as error:
        share.share_path("config/rena.yaml")
    assert str(tmp_path / "tree/config/rena.yaml") in str(error.value)
    assert str(tmp_path / "share/config/rena.yaml") in str(error.value)


def test_the_environment_runs_this_very_version():
    assert distribution("rena").version == rena_ros.__version__
