"""How a node joins ROS: under which name, in which environment, and what it refuses before it is on the network."""

import json
import os
import subprocess
import sys

import pytest
import rclpy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from std_msgs.msg import String

from rena_ros.base.claims import claim
from rena_ros.base.errors import RenaError
from rena_ros.graph import claim_of
from rena_ros.nodes import joining
from rena_ros.nodes.joining import discovery_s, hosts_of, join_ros, refuse_namesake, resolved_name, split_arguments

RULES = [
    [],
    ["-r", "__ns:=/lab/left"],
    ["-r", "__node:=other"],
    ["--remap", "__name:=other", "-r", "__ns:=/"],
    ["-r", "__ns:=/a", "-r", "__ns:=/b"],
    ["-r", "camera:__ns:=/a", "-r", "__ns:=/b"],
    ["-r", "policy:__ns:=/a", "-r", "__node:=other", "-r", "camera:__node:=third"],
    ["-r", "__node:=other", "-r", "camera:__ns:=/a", "-r", "other:__ns:=/b"],
    ["-r", "a:=b", "-p", "ns:=5", "-r", "__ns:=/c"],
]


@pytest.fixture
def alone(monkeypatch, ros_domain):
    """A domain of its own, without a network."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros_domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    yield ros_domain
    rclpy.try_shutdown()


@pytest.mark.parametrize("rules", RULES, ids=" ".join)
def test_the_name_is_the_one_that_rcl_makes(rules, alone):
    with join_ros("camera", arguments=["--ros-args", *rules]):
        node = rclpy.create_node("camera", start_parameter_services=False, enable_rosout=False)
        full = node.get_fully_qualified_name()
        assert resolved_name("camera", ["--ros-args", *rules]) == full
        assert claim(claim_of(full, alone)) is None, "the node's own name is held"
        node.destroy_node()


def test_own_arguments_are_those_outside_of_ros_args():
    given = ["--link", "/x", "--ros-args", "-r", "a:=b", "--", "--report", "y", "--ros-args", "-p", "c:=d"]
    assert split_arguments(given) == (
        ["--link", "/x", "--report", "y"],
        ["--ros-args", "-r", "a:=b", "--", "--ros-args", "-p", "c:=d"],
    )


@pytest.mark.parametrize(
    ("environment", "arguments", "complaint"),
    [
        ({"ROS_DOMAIN_ID": "abc"}, [], "ROS_DOMAIN_ID=abc is no ROS domain"),
        ({"ROS_DOMAIN_ID": "233"}, [], "ROS_DOMAIN_ID=233 is no ROS domain"),
        ({}, ["-r", "__ns:=/my-robot"], "the namespace /my-robot is no ROS name: .*my_robot"),
        ({}, ["-r", "__node:=my-node"], "ROS does not start /my-node: Couldn't parse remap rule: '-r __node:=my-node'"),
        ({}, ["--params-file", "gone.yaml"], "params file: '--params-file gone.yaml': Error opening YAML file"),
        ({}, ["--params-file", "broken.yaml"], "params file: '--params-file broken.yaml': Error parsing a event near"),
        ({}, ["--params-file", "file:///gone%FF.yaml"], "cannot read the parameter file .*gone.*No such file"),
        ({}, ["--foo"], "--foo"),
        ({}, ["-r", os.fsdecode(b"a:=\xff")], "is not valid UTF-8"),
    ],
)
def test_what_ros_refuses_is_one_line(environment, arguments, complaint, alone, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text(": [", encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RenaError, match=complaint) as refused:
        join_ros("camera", arguments=["--ros-args", *arguments])
    assert len(str(refused.value).splitlines()) == 1 and "/src/" not in str(refused.value)
    assert capfd.readouterr() == ("", ""), "rcl itself writes nothing besides"
    assert not rclpy.ok()


@pytest.mark.parametrize("name", [b"caf\xe9.yaml", "\U0001f600.yaml".encode(), b"a b.yaml", b"~.yaml"])
def test_a_parameter_file_of_any_name_and_a_value_of_any_bytes_arrive(name, alone, tmp_path, monkeypatch):
    path = tmp_path / os.fsdecode(name)
    path.write_text("/**: {ros__parameters: {rate_hz: 15.0}}", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (str(path), path.as_uri(), f"~/{path.name}"):
        arguments = ["--ros-args", "--params-file", given, "-p", f"source:={path}"]
        with join_ros("camera", arguments=arguments):
            node = rclpy.create_node("camera", automatically_declare_parameters_from_overrides=True)
            assert node.get_parameter("rate_hz").value == 15.0
            assert joining.user_path(node.get_parameter("source").value) == path
            node.destroy_node()
            rclpy.shutdown()


ENTRIES = """
import importlib, json, os, runpy, sys
import rclpy
from rena_ros.nodes import leaving, start

class Seen(BaseException): pass

def end(code): raise Seen

def init(*args, **options):
    seen.append({name: value for name, value in os.environ.items() if name in NAMES})
    raise Seen

NAMES = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE")
rclpy.init, os._exit, leaving._end_after = init, end, lambda *_: None
found = {}
for node in ("camera", "blendshapes", "policy", "servos", "twin", "emulator"):
    sys.argv = ["x", "--link", sys.argv[-1]]
    for way in (lambda: start.start(node), lambda: runpy.run_module(f"rena_ros.nodes.{node}", run_name="__main__")):
        for name in NAMES: os.environ.pop(name, None)
        seen = []
        try: way()
        except Seen: pass
        found.setdefault(node, []).extend(seen)
print(json.dumps(found))
"""


def test_every_node_stays_on_this_machine_however_it_is_started(tmp_path, alone):
    program = [sys.executable, "-W", "ignore", "-c", ENTRIES, str(tmp_path / "link")]
    done = subprocess.run(program, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert set(found) == {"camera", "blendshapes", "policy", "servos", "twin", "emulator"}
    for node, both in found.items():
        assert len(both) == 2, node
        for seen in both:
            assert seen.pop("ROS_AUTOMATIC_DISCOVERY_RANGE") == "LOCALHOST"
            profile = seen.pop("FASTRTPS_DEFAULT_PROFILES_FILE", "")
            assert profile.endswith("config/fastdds.xml") or (node, profile) == ("emulator", "")


def test_a_second_node_of_a_name_is_refused_and_the_first_is_untouched(processes, tmp_path):
    def emulate(link, *ros):
        program = [sys.executable, "-m", "rena_ros.nodes.emulator", "--link", tmp_path / link]
        return processes.run([*map(str, program), "--ros-args", *ros])

    first = emulate("first", "-r", "__ns:=/lab")
    processes.until((tmp_path / "first").is_symlink)
    for link in ("first", "second"):
        code, said = processes.ended(emulate(link, "-r", "__ns:=/lab"))
        assert code == 2 and len(said.splitlines()) == 1
    assert "a node /lab/emulator runs on this machine in ROS domain" in said and "ROS_DOMAIN_ID=" in said
    assert not (tmp_path / "second").is_symlink() and (tmp_path / "first").is_symlink()
    other = emulate("other", "-r", "__ns:=/elsewhere")
    processes.until((tmp_path / "other").is_symlink)
    assert [processes.leave(node)[0] for node in (first, other)] == [0, 0]


@pytest.fixture
def servos_of(alone):
    """A node /lab/servos beside publishers of joint_states: (node name, namespace, identifier) each."""
    with join_ros("servos", arguments=[]):
        node = rclpy.create_node("servos", namespace="/lab")

        def seen(*ends):
            infos = [
                TopicEndpointInfo(node_name=name, node_namespace=space, endpoint_gid=gid) for name, space, gid in ends
            ]
            node.get_publishers_info_by_topic = {"/lab/joint_states": infos}.__getitem__
            return node

        yield seen
        node.destroy_node()


HERE, THERE = [1, 15, 7, 7, *range(12)], [1, 15, 9, 9, *range(12)]  # vendor, machine, the rest


def test_a_namesake_on_another_machine_keeps_torque_off(servos_of):
    killed = [*HERE[:4], *[5] * 12]  # on this machine, and still on the graph
    own = ("servos", "/lab", HERE)
    refuse_namesake(servos_of(own, ("servos", "/lab", killed)), "joint_states")
    refuse_namesake(servos_of(own, ("servos", "/", THERE), ("other", "/lab", THERE)), "joint_states")
    with pytest.raises(RenaError, match=r"another machine runs /lab/servos in ROS domain .*, so torque stays off"):
        refuse_namesake(servos_of(own, ("servos", "/lab", THERE)), "joint_states")


def test_nodes_of_one_machine_have_the_same_mark(processes):
    program = "import rclpy, time; from std_msgs.msg import String; rclpy.init()\n"
    program += "node = rclpy.create_node('peer', namespace='/bench'); p = node.create_publisher(String, 'words', 1)\n"
    program += "time.sleep(600)"
    processes.run([sys.executable, "-c", program])
    mine = processes.peer.create_publisher(String, "words", 1)
    processes.until(lambda: len(processes.peer.get_publishers_info_by_topic("/bench/words")) == 2)
    assert len(hosts_of(processes.peer, "words", "peer")) == 1
    processes.peer.destroy_publisher(mine)


@pytest.mark.parametrize(
    ("environment", "waits"),
    [
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, False),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "off"}, False),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, True),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_STATIC_PEERS": "10.0.0.7"}, True),
        ({}, True),
    ],
)
def test_torque_waits_for_the_discovery_of_other_machines(environment, waits):
    assert (discovery_s(environment) > 0) is waits
