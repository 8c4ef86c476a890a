"""ament_python package `rena`: builds with `colcon build`, installs with pip where there is no ROS.

It names no dependencies for pip: ROS comes from apt or as wheels, and mediapipe, which only x86-64 has, must come
without the packages that it names itself. requirements/*.txt say what to install, package.xml what rosdep may.
colcon reads setup.py, so the metadata stands here and pyproject.toml has no [project].
"""

from glob import glob
from os.path import isfile

from setuptools import find_packages, setup

NODES = ("camera", "blendshapes", "policy", "chain", "servos", "twin", "emulator", "babble", "recorder", "play")


def files(pattern):
    """The files (not folders) that match a pattern, in an order that does not depend on the machine."""
    return sorted(path for path in glob(pattern) if isfile(path))


def requirements(name):
    """The requirements of one file in requirements/, without comments."""
    with open(f"requirements/{name}", encoding="utf-8") as file:
        lines = [line.split("#")[0].strip() for line in file]
    return [line for line in lines if line]


setup(
    name="rena",
    version="0.8.0",
    description="An animatronic face of 25 bus servos that learns to move by watching itself, then mirrors people",
    license="Apache-2.0",
    maintainer="The Rena authors",
    maintainer_email="rena@example.org",
    packages=find_packages(include=["rena_ros", "rena_ros.*"]),
    package_data={"rena_ros.twin": ["*.npz", "CREDITS.md"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rena"]),
        ("share/rena", ["package.xml"]),
        ("share/rena/config", files("config/*")),
        ("share/rena/launch", files("launch/*.launch.py")),
        ("share/rena/models", files("models/*")),
    ],
    python_requires=">=3.11",
    extras_require={
        "learn": ["torch==2.13.0", *requirements("learn.txt")],
        "share": requirements("share.txt"),
        "test": requirements("test.txt"),  # `colcon test` runs pytest where it is named here
        "panel": [],  # a panel in the browser: nothing of it exists yet
    },
    entry_points={
        "console_scripts": [
            "rena = rena_ros.cli:main",
            "emulator = rena_ros.emulator.emulator:main",
            *(f"{name}_node = rena_ros.nodes.start:{name}" for name in NODES),
        ]
    },
    zip_safe=False,
)
