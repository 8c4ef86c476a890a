"""The graph as data: what both the command line and the launch file build from."""

import configparser
import importlib.metadata
import re
from pathlib import Path

import yaml

from rena_ros.graph import TOPICS, Process, environment_defaults, mimic_graph

ROOT = Path(__file__).resolve().parent.parent


def by_name(*args, **options) -> dict[str, Process]:
    return {process.name: process for process in mimic_graph(*args, **options)}


def test_the_twin_brings_its_emulator_and_the_servos_use_its_port():
    graph = by_name("performer", "twin", link="/tmp/x/servos", report="/tmp/x/report.json", robot_file="r.yaml")
    assert set(graph) == {"emulator", "servos", "twin", "policy", "blendshapes", "camera"}
    assert graph["emulator"].arguments == (
        "--link", "/tmp/x/servos", "--robot-file", "r.yaml", "--report", "/tmp/x/report.json",
    )  # fmt: skip
    assert graph["servos"].parameters["port"] == "/tmp/x/servos"
    assert graph["servos"].parameters["autostart"] is True
    names = list(graph)
    assert names.index("emulator") < names.index("servos")


def test_a_real_robot_has_neither_twin_nor_emulator_and_does_not_move_unasked():
    graph = by_name("0", "/dev/ttyUSB0")
    assert set(graph) == {"servos", "policy", "blendshapes", "camera"}
    assert graph["servos"].parameters["port"] == "/dev/ttyUSB0"
    assert graph["servos"].parameters["autostart"] is False
    assert by_name("0", "/dev/ttyUSB0", autostart=True)["servos"].parameters["autostart"] is True


def test_every_executable_is_a_console_script_of_the_same_module():
    scripts = {entry.name: entry.value for entry in importlib.metadata.distribution("rena").entry_points}
    for process in mimic_graph():
        assert scripts[process.executable] == f"rena_ros.nodes.start:{process.module.removeprefix('rena_ros.nodes.')}"


def test_every_parameter_has_a_default_in_nodes_yaml():
    blocks = yaml.safe_load((ROOT / "config/nodes.yaml").read_text())
    for process in mimic_graph():
        known = blocks[f"/**/{process.name}"]["ros__parameters"]
        assert set(process.parameters) <= set(known), process.name
        for name, value in process.parameters.items():
            assert type(value) is type(known[name]), f"{process.name}.{name}"


def test_a_camera_index_stays_a_text_on_the_command_line():
    camera = by_name("0")["camera"].command(params_file=Path("nodes.yaml"), namespace="/left")
    assert camera[1:3] == ("-m", "rena_ros.nodes.camera")
    given = dict(part.split(":=", 1) for part in camera if ":=" in part)
    assert given["__node"] == "camera"
    assert given["__ns"] == "/left"
    assert yaml.safe_load(given["source"]) == "0"
    assert yaml.safe_load(given["mirror"]) is False


def test_odd_file_names_survive_the_command_line():
    odd = "/tmp/Ällo: #1 'x' \"y\"\\z.mp4"
    command = by_name(odd)["camera"].command()
    value = next(part for part in command if part.startswith("source:=")).removeprefix("source:=")
    assert yaml.safe_load(value) == odd


def test_the_environment_of_the_user_wins():
    assert environment_defaults({})["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert Path(environment_defaults({})["FASTRTPS_DEFAULT_PROFILES_FILE"]).name == "fastdds.xml"
    mine = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTRTPS_DEFAULT_PROFILES_FILE": "/mine.xml"}
    assert environment_defaults(mine) == {}


def test_topics_name_only_nodes_of_the_graph():
    assert set(TOPICS) == {process.name for process in mimic_graph()} - {"camera", "emulator"}


def test_the_launch_file_declares_what_the_graph_takes():
    """Without launch_ros at hand: its table of arguments, read as text, against the graph's signature."""
    text = (ROOT / "launch/mimic.launch.py").read_text()
    declared = set(re.findall(r'^    "(\w+)": \(', text, re.MULTILINE))
    keywords = set(mimic_graph.__code__.co_varnames[: mimic_graph.__code__.co_argcount])
    keywords |= set(mimic_graph.__kwdefaults__)
    # Only the monitor of `rena mimic` listens besides the graph itself.
    assert declared == keywords - {"listeners"} | {"namespace", "params_file"}


def test_console_scripts_go_where_ros_looks_for_them():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["install"]["install_scripts"] == "$base/lib/rena"
