"""What is installed on which machine: the markers of requirements/*.txt, and which machines the Makefile accepts."""

import re
import subprocess
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
RUNNING = ("run.txt", "run-nodeps.txt")


def named(machine: str, python: str, *files: str) -> set[str]:
    """The distributions that requirements files ask for on Linux on this machine, with this Python."""
    environment = {**default_environment(), "platform_machine": machine, "python_version": python}
    environment |= {"python_full_version": f"{python}.0", "sys_platform": "linux", "platform_system": "Linux"}
    lines = [line for name in files for line in (ROOT / "requirements" / name).read_text().splitlines()]
    found = [Requirement(line) for line in (line.split("#")[0].strip() for line in lines) if line]
    return {canonicalize_name(one.name) for one in found if one.marker is None or one.marker.evaluate(environment)}


def make(tmp_path: Path, machine: str, *arguments: str, compiler: bool = True, **variables: str):
    """`make` on a machine of this name with an empty environment of its own; a stub stands for every Python."""
    for name, text in {"uname": f"echo {machine}", "python": "exit 0", **({"c++": ""} if compiler else {})}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("bash", "make"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    command = ["make", f"VENV={tmp_path}/venv", f"PYTHON={tmp_path}/python", *arguments]
    env = {"PATH": str(tmp_path), "LC_ALL": "C", **variables}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def installed_files(tmp_path: Path, machine: str, **variables: str) -> set[str]:
    """The requirements files that `make mimic` installs, of what it would do."""
    done = make(tmp_path, machine, "-n", f"{tmp_path}/venv/.run-installed", **variables)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"-r requirements/(\S+)", done.stdout))


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_aarch64_takes_litert_and_neither_mediapipe_nor_wheels_of_ros(python, tmp_path):
    files = installed_files(tmp_path, "aarch64", ROS_DISTRO="jazzy")
    names = named("aarch64", python, *files)
    assert files == set(RUNNING) and "ai-edge-litert" in names
    assert not {name for name in names if name == "mediapipe" or name.startswith("ros-")}


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_x86_64_takes_litert_mediapipe_and_wheels_of_ros(python, tmp_path):
    files = installed_files(tmp_path, "x86_64")
    names = named("x86_64", python, *files)
    assert files == {*RUNNING, "ros.txt"} and {"ai-edge-litert", "mediapipe", "ros-jazzy-rclpy"} <= names


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_is_pinned_for_every_machine(machine):
    files = (*RUNNING, "learn.txt", "share.txt", "test.txt", *(["ros.txt"] if machine == "x86_64" else []))
    assert named(machine, "3.12", *files) <= named(machine, "3.12", "constraints.txt")


def test_pip_never_takes_a_later_mediapipe():
    """Where the pinned one has no wheel, the constraint makes pip refuse: later ones hold a logging endpoint."""
    assert "mediapipe==0.10.31" in (ROOT / "requirements/constraints.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("machine", "variables", "says"),
    [
        ("aarch64", {}, ["ros-jazzy-ros-base", "source /opt/ros/jazzy/setup.bash"]),
        ("aarch64", {"ROS_DISTRO": "humble"}, ["ROS 2 humble is sourced"]),
        ("aarch64", {"ROS_DISTRO": "jazzy", "compiler": False}, ["apt install g++ python3-dev"]),
        ("riscv64", {"ROS_DISTRO": "jazzy"}, ["not for riscv64", "Other machines"]),
    ],
)
def test_make_says_what_a_machine_lacks(machine, variables, says, tmp_path):
    done = make(tmp_path, machine, f"{tmp_path}/venv/bin/python", **variables)
    assert done.returncode == 2 and "Making" not in done.stdout
    assert all(words in done.stdout + done.stderr for words in says)


@pytest.mark.parametrize(("machine", "variables"), [("x86_64", {}), ("aarch64", {"ROS_DISTRO": "jazzy"})])
def test_make_goes_on_where_nothing_is_missing(machine, variables, tmp_path):
    done = make(tmp_path, machine, f"{tmp_path}/venv/bin/python", **variables)
    assert done.returncode == 0 and f"Making {tmp_path}/venv with {tmp_path}/python" in done.stdout, done.stderr
