"""launch/mimic.launch.py and the file that it includes, loaded and run by the real `launch`.

The processes are those of graph.py, with their parameters.

A program that reports what rclpy made of its command line takes the place of each node's executable; the emulator is
the real one.
"""

import json
import os
import sys
from pathlib import Path
from unittest import mock

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.graph import mimic_graph, processes_from

WHY = "`launch` comes with a ROS 2 installation only, not as a wheel"
# Its modules as well as `launch`: without the real package the name of this folder would pass for it.
actions = pytest.importorskip("launch.actions", reason=WHY)
sources = pytest.importorskip("launch.launch_description_sources", reason=WHY)
launch = pytest.importorskip("launch", reason=WHY)
pytest.importorskip("launch_ros.actions", reason=WHY)

LAUNCH_FILE, NODES_FILE = (
    Path(__file__).parents[2] / "launch" / name for name in ("mimic.launch.py", "nodes.launch.py")
)
STAND_IN = """#!{python}
import json, os, pathlib, sys, time
import rclpy
from rclpy.node import Node

rclpy.init(args=sys.argv)
node = Node("unnamed", automatically_declare_parameters_from_overrides=True)
seen = {{
    "executable": pathlib.Path(sys.argv[0]).name,
    "namespace": node.get_namespace(),
    "parameters": {{name: node.get_parameter(name).value for name in node.list_parameters([], 0).names}},
    "environment": dict(os.environ),
}}
folder = pathlib.Path({folder!r})
(folder / "part").with_suffix("." + node.get_name()).write_text(json.dumps(seen))
(folder / "part").with_suffix("." + node.get_name()).rename(folder / (node.get_name() + ".json"))
node.destroy_node()
rclpy.shutdown()
# The first process that ends ends the launch: wait for the others, and for the emulator.
deadline = time.monotonic() + 60
link = {link!r}
there = lambda: len(list(folder.glob("*.json"))) == {count} and (not link or os.path.islink(link))
while not there() and time.monotonic() < deadline:
    time.sleep(0.05)
"""
KILLED_ONCE = """#!/bin/sh
[ -e {marker} ] && exit 0
sleep 0.2
touch {marker}
kill -9 $$
"""
EMULATOR = f"#!{sys.executable}\nimport sys\nfrom rena_ros.nodes.emulator import main\nsys.exit(main())\n"


def stood_in(*args, **options):
    """The processes of the graph that the stand-in replaces: all but the emulator."""
    return [process for process in mimic_graph(*args, **options) if process.name != "emulator"]


@pytest.fixture
def run_launch(tmp_path, ros_domain):
    """Run the launch file with these arguments until every stand-in has reported; returns the reports by node name."""

    def run(**arguments: str) -> dict[str, dict]:
        nodes = stood_in(robot=arguments.get("robot", "twin"))
        seen = tmp_path / "seen"
        seen.mkdir()
        marker = tmp_path / "prefix/share/ament_index/resource_index/packages/rena"
        marker.parent.mkdir(parents=True)
        marker.touch()
        programs = tmp_path / "prefix/lib/rena"
        programs.mkdir(parents=True)
        link = arguments.get("link", "")
        stand_in = STAND_IN.format(python=sys.executable, folder=str(seen), count=len(nodes), link=link)
        for name, text in {process.executable: stand_in for process in nodes}.items() | {("emulator_node", EMULATOR)}:
            (programs / name).write_text(text, encoding="utf-8")
            (programs / name).chmod(0o755)
        # launch sets variables in this process: they are restored afterwards.
        places = {"AMENT_PREFIX_PATH": str(tmp_path / "prefix"), "ROS_LOG_DIR": str(tmp_path)}
        with mock.patch.dict(os.environ, places, ROS_DOMAIN_ID=str(ros_domain)):
            for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
                os.environ.pop(name, None)
            service = launch.LaunchService(noninteractive=True)
            source = sources.PythonLaunchDescriptionSource(str(LAUNCH_FILE))
            service.include_launch_description(
                actions.IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))
            )
            assert service.run() == 0
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in seen.glob("*.json")}

    return run


def test_it_declares_its_arguments_each_with_a_description_and_a_default():
    description = sources.get_launch_description_from_python_launch_file(str(LAUNCH_FILE))
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert {"source", "robot", "model", "mirror", "autostart", "namespace"} <= set(arguments)
    for argument in arguments.values():
        assert argument.description and argument.description != "no description given"
        assert argument.default_value is not None
    shown = {name: argument.description for name, argument in arguments.items()}
    assert all("default" in shown[name] for name in shown if not arguments[name].default_value)


def test_it_starts_the_nodes_of_the_graph_with_their_parameters(run_launch, tmp_path):
    link, report = tmp_path / "servos", tmp_path / "report.json"
    seen = run_launch(
        source="clip.mp4", robot="twin", model="m.onnx", mirror="true", link=str(link), report=str(report)
    )
    graph = stood_in("clip.mp4", "twin", model="m.onnx", mirror=True, link=str(link), report=str(report))
    assert set(seen) == {process.name for process in graph}
    for process in graph:
        node = seen[process.name]
        assert node["executable"] == process.executable
        assert node["namespace"] == "/"
        assert dict(process.parameters).items() <= node["parameters"].items()
        assert node["environment"]["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
        assert Path(node["environment"]["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()
    assert seen["servos"]["parameters"]["rate_hz"] == 50.0, "config/nodes.yaml reaches the nodes"
    assert report.exists() and not link.exists(), "the emulator ran, and ended cleanly"


def test_a_real_robot_has_no_emulator_and_keeps_its_torque_off(run_launch):
    seen = run_launch(source="0", robot="/dev/ttyUSB9", namespace="lab1")
    assert set(seen) == {process.name for process in stood_in(robot="/dev/ttyUSB9")}
    assert {node["namespace"] for node in seen.values()} == {"/lab1"}
    assert seen["servos"]["parameters"]["port"] == "/dev/ttyUSB9"
    assert seen["servos"]["parameters"]["autostart"] is False
    assert seen["camera"]["parameters"]["source"] == "0", "a text, as it was given"


def test_a_parameter_file_counts_but_for_arguments_that_are_given(run_launch, tmp_path):
    path = tmp_path / "my \U0001f600.yaml"
    camera = "/**/camera: {ros__parameters: {rate_hz: 15.0, mirror: true, loop: true, source: mine.mp4}}\n"
    servos = "/lab/servos: {ros__parameters: {autostart: true, port: /dev/mine, baud: 500000}}\n"
    path.write_text(camera + servos, encoding="utf-8")
    odd = os.fsdecode(b"a: '\xe9.mp4")
    seen = run_launch(robot="/dev/ttyUSB9", namespace="lab", params_file=str(path), loop="NO", source=odd)
    camera, servos = seen["camera"]["parameters"], seen["servos"]["parameters"]
    assert (camera["rate_hz"], camera["mirror"], camera["loop"]) == (15.0, True, False)
    assert user_path(camera["source"]) == Path.cwd() / odd
    assert (servos["autostart"], servos["port"], servos["baud"]) == (True, "/dev/ttyUSB9", 500000)


@pytest.fixture
def processes_of(module_of):
    """Return what the launch file makes of arguments: lines that it writes, and names of nodes that it starts."""

    def make(**arguments):
        launch_file, context = module_of(LAUNCH_FILE), launch.LaunchContext()
        defaults = {name: value for name, (value, _) in launch_file.ARGUMENTS.items()}
        context.launch_configurations.update(defaults | arguments)
        *notes, included = launch_file._processes(context)
        lines = ["".join(part.text for part in action.msg) for action in notes]
        return lines, [process.name for process in processes_from(dict(included.launch_arguments)["processes"])]

    return make


@pytest.mark.parametrize(
    ("environment", "arguments", "complaint"),
    [
        ({}, {"mirror": "maybe"}, "mirror:=maybe is neither true nor false"),
        ({}, {"namespace": "my-robot"}, "the namespace my-robot is no ROS name"),
        ({}, {"params_file": "gone.yaml"}, "cannot read the parameter file gone.yaml"),
        ({"ROS_DOMAIN_ID": "abc"}, {}, "ROS_DOMAIN_ID=abc is no ROS domain"),
    ],
)
def test_what_cannot_be_is_one_line(environment, arguments, complaint, processes_of, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RenaError, match=complaint):
        processes_of(**arguments)


def test_a_port_in_the_parameter_file_of_the_twin_is_told(processes_of, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("servos: {ros__parameters: {port: /dev/mine}}", encoding="utf-8")
    (line,), names = processes_of(params_file=str(path))
    assert "port /dev/mine in" in line and "has no effect" in line and "servos" in names
    assert processes_of() == ([], names), "the shipped file is no news"


@pytest.mark.parametrize(("vital", "codes"), [([], [-9, 0]), (["emulator"], [-9])])
def test_a_killed_node_is_started_again_unless_it_is_vital_and_any_other_end_ends_all(
    vital, codes, module_of, tmp_path, monkeypatch
):
    marker, program = tmp_path / "marker", tmp_path / "node"
    program.write_text(KILLED_ONCE.format(marker=marker), encoding="utf-8")
    program.chmod(0o755)
    launch_file, started = module_of(NODES_FILE), []

    def stand_in(*_args):
        started.append(actions.ExecuteProcess(cmd=[str(program)]))
        return started[-1]

    monkeypatch.setattr(launch_file, "_node", stand_in)
    monkeypatch.setattr(launch_file, "STEADY_S", 0.1)
    service = launch.LaunchService(noninteractive=True)
    watched = launch_file._watched(mimic_graph()[0], "", "", vital)
    service.include_launch_description(launch.LaunchDescription(watched))
    assert service.run() == 0
    assert [action.return_code for action in started] == codes
