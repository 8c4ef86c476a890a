"""The graph as data: what both the command line and the launch file build from."""

import argparse
import configparser
import importlib.metadata
import os
import re
from functools import partial
from pathlib import Path

import pytest
import rclpy
import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.collecting import command
from rena_ros.collecting.ranges import RANGES
from rena_ros.graph import (
    CHAIN,
    TOPICS,
    Process,
    collect_graph,
    default_link,
    environment_defaults,
    mimic_graph,
    overruled,
    play_graph,
    processes_from,
    processes_text,
    ros_domain,
    ros_namespace,
)
from rena_ros.nodes import babble, camera
from rena_ros.nodes.chain import parameters_of
from rena_ros.nodes.joining import split_arguments

ROOT = Path(__file__).resolve().parent.parent


def by_name(*args, **options) -> dict[str, Process]:
    return {process.name: process for process in mimic_graph(*args, composed=False, **options)}


def test_the_twin_brings_its_emulator_and_the_servos_use_its_port():
    graph = by_name("performer", "twin", link="/tmp/x/servos", report="/tmp/x/report.json", robot_file="r.yaml")
    assert set(graph) == {"emulator", "servos", "twin", "policy", "blendshapes", "camera"}
    assert graph["emulator"].arguments == (
        "--link=/tmp/x/servos", "--robot-file=r.yaml", "--report=/tmp/x/report.json",
    )  # fmt: skip
    assert graph["servos"].parameters["port"] == "/tmp/x/servos"
    assert graph["servos"].parameters["autostart"] is True
    names = list(graph)
    assert names.index("emulator") < names.index("servos")


def test_a_real_robot_has_neither_twin_nor_emulator_and_does_not_move_unasked():
    graph = by_name("0", "/dev/ttyUSB0")
    assert set(graph) == {"servos", "policy", "blendshapes", "camera"}
    assert graph["servos"].parameters["port"] == "/dev/ttyUSB0"
    assert "autostart" not in graph["servos"].parameters, "the node's own default is off"
    assert by_name("0", "/dev/ttyUSB0", autostart=True)["servos"].parameters["autostart"] is True


@pytest.mark.parametrize(
    ("robot", "autostart", "restores"),
    [("twin", None, True), ("/dev/ttyUSB0", None, None), ("/dev/ttyUSB0", False, False), ("/dev/ttyUSB0", True, True)],
)
def test_a_session_that_may_switch_torque_on_at_its_start_may_do_so_when_the_port_is_back(robot, autostart, restores):
    graph = {process.name: process for process in collect_graph("session", robot, autostart=autostart)}
    assert graph["babble"].parameters.get("restore_torque") == restores


def test_every_executable_is_a_console_script_of_the_same_module():
    scripts = {entry.name: entry.value for entry in importlib.metadata.distribution("rena").entry_points}
    for process in (*mimic_graph(), *mimic_graph(composed=False)):
        assert scripts[process.executable] == f"rena_ros.nodes.start:{process.module.removeprefix('rena_ros.nodes.')}"


def test_every_parameter_has_a_default_in_nodes_yaml():
    blocks = yaml.safe_load((ROOT / "config/nodes.yaml").read_text(encoding="utf-8"))
    options = {"model": "m", "mirror": True, "robot_file": "r", "loop": True, "realtime": False, "listeners": 2}
    everything = mimic_graph("0", perception="litert", composed=False, **options)
    for process in everything:
        known = blocks[f"/**/{process.name}"]["ros__parameters"]
        assert set(process.parameters) <= set(known), process.name
        for name, value in process.parameters.items():
            assert type(value) is type(known[name]), f"{process.name}.{name}"


def test_the_chain_is_one_process_with_the_parameters_of_its_nodes():
    separate = by_name("0", model="m", robot_file="r", mirror=True, listeners=2)
    *others, chain = mimic_graph("0", model="m", robot_file="r", mirror=True, listeners=2)
    assert [process.name for process in others] == ["emulator", "servos", "twin"]
    assert chain.nodes == CHAIN and not chain.parameters
    command = chain.command(params_file=Path("nodes.yaml"), namespace="/left")
    assert "__ns:=/left" in command and not any("__node" in part for part in command)
    given = parameters_of(split_arguments(command[3:])[0])
    # The blendshapes node takes pictures by hand: it is no listener.
    expected = {name: dict(separate[name].parameters) for name in CHAIN}
    assert given == {**expected, "camera": {**expected["camera"], "listeners": 1}}
    assert processes_from(processes_text((*others, chain))) == (*others, chain)


@pytest.mark.parametrize("arguments", [["--nodes"], ["--nodes", "["], ["--nodes", "[]"], ["--nodes", '{"twin": {}}']])
def test_other_arguments_of_the_chain_are_refused(arguments):
    with pytest.raises(RenaError, match="chain takes --nodes"):
        parameters_of(arguments)


def test_a_camera_index_stays_a_text_on_the_command_line():
    camera = by_name("0", mirror=False)["camera"].command(params_file=Path("nodes.yaml"), namespace="/left")
    assert camera[1:3] == ("-m", "rena_ros.nodes.camera")
    given = dict(part.split(":=", 1) for part in camera if ":=" in part)
    assert given["__node"] == "camera"
    assert given["__ns"] == "/left"
    assert yaml.safe_load(given["source"]) == "0"
    assert yaml.safe_load(given["mirror"]) is False


def test_odd_file_names_survive_the_command_line():
    odd = "/tmp/Ällo: #1 'x' \"y\"\\z \U0001f600\u0085\x7f.mp4"
    command = by_name(odd)["camera"].command()
    value = next(part for part in command if part.startswith("source:=")).removeprefix("source:=")
    assert yaml.safe_load(value) == odd and value.isascii()


NAMES = [
    "\U0001f600.mp4",
    os.fsdecode(b"caf\xe9.mp4"),
    "a: b",
    "#1",
    "true",
    "'\"\\",
    "a\nb",
    "\u0085\x7f",
    "-p",
    "~x",
    "0",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_path_reaches_a_node_through_ros_itself(name, monkeypatch, ros_domain):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    folder = "" if name == "0" else "./"  # as a camera's number it stays a text
    graph = by_name(folder + name, "/dev/x", model=f"./{name}", robot_file=f"./{name}")
    options = {"start_parameter_services": False, "enable_rosout": False}
    for process, parameter in (("camera", "source"), ("policy", "model_path"), ("servos", "robot_file")):
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=ros_domain, args=list(graph[process].command()[3:]))
        node = rclpy.create_node("x", context=context, automatically_declare_parameters_from_overrides=True, **options)
        value = node.get_parameter(parameter).value
        node.destroy_node()
        context.try_shutdown()
        assert os.path.abspath(user_path(value)) == os.path.abspath(name)


def test_what_is_not_given_becomes_no_parameter():
    for process in mimic_graph(robot="/dev/ttyUSB0", composed=False):
        assert dict(process.parameters) == ({"port": "/dev/ttyUSB0"} if process.name == "servos" else {})
    given = by_name("0", mirror=False, loop=True, realtime=False)["camera"].parameters
    assert given == {"source": "0", "mirror": False, "loop": True, "realtime": False}


def test_a_parameter_file_that_says_otherwise_than_the_twin_is_told(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("/lab/servos: {ros__parameters: {port: /dev/ttyUSB7, autostart: false}}", encoding="utf-8")
    port, autostart = overruled(mimic_graph(link="/tmp/link"), path, "lab")
    assert "port /dev/ttyUSB7 in" in port and "has no effect: the twin's servos have port /tmp/link" in port
    assert "autostart False" in autostart
    assert overruled(mimic_graph(link="/tmp/link"), path, "elsewhere") == ()
    assert overruled(mimic_graph(robot="/dev/ttyUSB0"), path, "lab") == ()


@pytest.mark.parametrize(("text", "domain"), [(None, 0), ("", 0), ("0", 0), (" 7 ", 7), ("232", 232)])
def test_a_domain_is_a_number_up_to_232(text, domain):
    assert ros_domain({} if text is None else {"ROS_DOMAIN_ID": text}) == domain


@pytest.mark.parametrize("text", ["abc", "233", "-1", "5x", "0x10", "010", "1.5", "٣", "99999999999"])
def test_what_is_no_domain_is_refused_in_one_line(text):
    with pytest.raises(RenaError, match=f"ROS_DOMAIN_ID={re.escape(text)} is no ROS domain: .* up to 232$"):
        ros_domain({"ROS_DOMAIN_ID": text})


@pytest.mark.parametrize(
    ("text", "namespace"), [("", "/"), ("/", "/"), ("lab", "/lab"), ("/lab/left_2/", "/lab/left_2"), ("_a", "/_a")]
)
def test_a_namespace_is_written_as_ros_writes_it(text, namespace):
    assert ros_namespace(text) == namespace


@pytest.mark.parametrize(
    ("text", "remedy"), [("my-robot", "my_robot"), ("a/2b", "_2b"), ("a//b", "_"), ("a b", "a_b"), ("é", "_")]
)
def test_what_is_no_namespace_is_refused_with_a_name_that_is_one(text, remedy):
    with pytest.raises(RenaError, match=f"the namespace {text} is no ROS name: .* such as {remedy}$"):
        ros_namespace(text)
    assert ros_namespace(remedy) == f"/{remedy}"


def test_each_domain_and_each_namespace_has_its_own_link():
    places = {default_link(domain, space) for domain in range(5) for space in ("/", "/a", "/a/b", "/a_b", "/_5", "/b")}
    assert len(places) == 30
    assert default_link(0, "/") == "/tmp/rena-servos"


def test_the_environment_of_the_user_wins():
    assert environment_defaults({})["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert Path(environment_defaults({})["FASTRTPS_DEFAULT_PROFILES_FILE"]).name == "fastdds.xml"
    mine = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTRTPS_DEFAULT_PROFILES_FILE": "/mine.xml"}
    assert environment_defaults(mine) == {}


def test_topics_name_only_nodes_of_the_graph():
    names = {name for process in mimic_graph(record="bags") for name in process.nodes}
    assert set(TOPICS) == names - {"camera", "emulator"}


def test_the_launch_file_declares_what_the_graph_takes():
    """Without launch_ros at hand: its table of arguments, read as text, against the graph's signature."""
    text = (ROOT / "launch/mimic.launch.py").read_text(encoding="utf-8")
    declared = set(re.findall(r'^    "(\w+)": \(', text, re.MULTILINE))
    keywords = set(mimic_graph.__code__.co_varnames[: mimic_graph.__code__.co_argcount])
    keywords |= set(mimic_graph.__kwdefaults__)
    # Only the monitor of `rena mimic` listens besides the graph itself.
    assert declared == keywords - {"listeners"} | {"namespace", "params_file", "record_dir"}


@pytest.mark.parametrize("graph", [mimic_graph, partial(play_graph, "bag")])
def test_the_recorder_comes_before_what_it_records_and_only_when_asked(graph):
    names = [process.name for process in graph(record="/tmp/my bags")]
    assert names.index("recorder") == len(names) - 2
    recorder = next(process for process in graph(record="/tmp/my bags") if process.name == "recorder")
    assert recorder.parameters == {"directory": "/tmp/my bags"}
    assert "recorder" not in {process.name for process in graph()}


def test_a_take_is_played_without_camera_and_policy():
    graph = {process.name: process for process in play_graph("a/bag", start_s=2.0, speed=0.5, pictures=True)}
    assert set(graph) == {"emulator", "servos", "twin", "play"}
    assert graph["play"].parameters == {"bag": "a/bag", "start_s": 2.0, "speed": 0.5, "pictures": True}


def test_the_launch_file_of_collecting_declares_what_the_command_takes():
    text = (ROOT / "launch/collect.launch.py").read_text(encoding="utf-8")
    declared = set(re.findall(r'^    "(\w+)": \(', text, re.MULTILINE))
    parser = argparse.ArgumentParser(add_help=False)
    command.add_arguments(parser)
    assert declared == {action.dest for action in parser._actions} - {"fast", *command.FAST_ONLY, "json", "duration"}


def test_numbers_are_refused_before_a_session_as_the_nodes_would_refuse_them():
    limits = {spec.name: spec.limits for spec in (*babble.PARAMETERS, *camera.PARAMETERS)}
    assert {name: limits[name] for name in RANGES if name != "duration"} == {
        name: given for name, given in RANGES.items() if name != "duration"
    }


def test_console_scripts_go_where_ros_looks_for_them():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["install"]["install_scripts"] == "$base/lib/rena"


@pytest.mark.parametrize("name", NAMES)
def test_processes_survive_as_text(name):
    graph = mimic_graph(name, "twin", model=name, mirror=True, listeners=2)
    assert processes_from(processes_text(graph)) == graph
