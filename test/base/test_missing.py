"""Commands and nodes where a Python package is missing: one line with the remedy, exit code 2."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from rena_ros import cli
from rena_ros.base.missing import missing_package

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
# What a person calls, where one package cannot be imported.
PROGRAM = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == sys.argv[1]: raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from rena_ros import cli
from rena_ros.nodes import start
sys.exit(start.start(sys.argv[3]) if sys.argv[2] == "node" else cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("package", "arguments", "remedy"),
    [
        ("torch", ["train", "--data", "d", "--out", "o"], "python requirements/install_torch.py"),
        ("sklearn", ["evaluate", "--data", "d"], "pip install -r requirements/learn.txt"),
        ("matplotlib", ["evaluate", "--data", "d", "--out", "o"], "pip install -r requirements/learn.txt"),
        ("matplotlib", ["train", "--data", "d", "--out", "o"], "pip install -r requirements/learn.txt"),
        ("optuna", ["report", "--quick"], "pip install -r requirements/learn.txt"),
        ("cv2", ["mimic"], "pip install -r requirements/run.txt"),
        ("pyarrow", ["dataset", "export", "d", "--to", "parquet", "--out", "o"], "requirements/share.txt"),
        ("rclpy", ["node", "camera"], "source /opt/ros/jazzy/setup.bash"),
        ("onnxruntime", ["node", "policy"], "pip install -r requirements/run.txt"),
    ],
)
def test_a_missing_package_is_one_line(package, arguments, remedy, tmp_path):
    program = [sys.executable, "-W", "ignore", "-c", PROGRAM, package, *arguments]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert f"the Python package {package} is not installed; " in line and remedy in line
    assert not any(tmp_path.iterdir()), "nothing was begun"


@pytest.mark.parametrize("file", ["learn.txt", "ros.txt", "run.txt", "run-nodeps.txt", "share.txt"])
def test_the_remedy_names_the_file_that_brings_the_package(file):
    modules = metadata.packages_distributions()
    for name in re.findall(r"^([\w.-]+)(?=[\[=])", (REQUIREMENTS / file).read_text(encoding="utf-8"), re.MULTILINE):
        for module, brought_by in modules.items():
            if module.startswith(("_", "mpl_", "pylab")) or name.lower() not in {one.lower() for one in brought_by}:
                continue
            shown = str(missing_package(ModuleNotFoundError(name=f"{module}.part")))
            assert f"the Python package {module} is not" in shown and file in shown, module


@pytest.mark.parametrize("name", ["rena_ros.nodes.gone", "json.gone", None])
def test_a_module_that_no_package_brings_is_a_fault_of_the_program(name):
    assert missing_package(ModuleNotFoundError("gone", name=name)) is None


def test_a_programming_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "mimic", ("rena_ros.gone", "no such module"))
    with pytest.raises(ModuleNotFoundError, match=r"rena_ros\.gone"):
        cli.main(["mimic"])
