"""The robot as URDF, read with other parsers than the one that wrote it."""

from math import tau
from xml.dom import minidom

import pytest
import yaml

from rena_ros.base.resources import share_path
from rena_ros.robot.file import load_robot, parse_robot
from rena_ros.robot.urdf import main, urdf

SERVO = "{min_ticks: 1948, neutral_ticks: 2048, max_ticks: 2248, max_speed_rad_s: 4, max_acceleration_rad_s2: 80"


def parsed(robot):
    """Links, and joints by name with their children: (attributes of the joint, {child element: attributes})."""
    root = minidom.parseString(urdf(robot).encode()).documentElement
    assert (root.tagName, root.getAttribute("name")) == ("robot", "rena")
    links = [link.getAttribute("name") for link in root.getElementsByTagName("link")]
    joints = {}
    for joint in root.getElementsByTagName("joint"):
        parts = {part.tagName: dict(part.attributes.items()) for part in joint.childNodes if part.nodeType == 1}
        assert joint.getAttribute("name") not in joints
        joints[joint.getAttribute("name")] = (joint.getAttribute("type"), parts)
    return links, joints


def robot_of(tmp_path, **regions):
    """A robot of these servos: name -> region."""
    rows = [SERVO + f", name: {name}, id: {i}, region: {region}}}" for i, (name, region) in enumerate(regions.items())]
    return parse_robot("servos:\n" + "".join(f"- {row}\n" for row in rows), tmp_path / "robot.yaml")


def test_every_servo_is_a_revolute_joint_within_its_own_limits():
    rows = yaml.safe_load(share_path("config/rena.yaml").read_text(encoding="utf-8"))["servos"]
    _, joints = parsed(load_robot())
    assert set(joints) == {row["name"] for row in rows}
    for row in rows:
        kind, parts = joints[row["name"]]
        assert kind == "revolute" and "mimic" not in parts
        # From neutral, 4096 ticks to a turn; `reversed` turns the other way.
        ends = [(row[end] - row["neutral_ticks"]) * tau / 4096 for end in ("min_ticks", "max_ticks")]
        lower, upper = sorted(-end if row["reversed"] else end for end in ends)
        limit = {key: float(value) for key, value in parts["limit"].items()}
        assert limit == pytest.approx(
            {"lower": lower, "upper": upper, "velocity": row["max_speed_rad_s"], "effort": 0}, abs=1e-8
        )


def test_links_are_one_tree_on_base_link():
    links, joints = parsed(load_robot())
    assert len(set(links)) == len(links) == len(joints) + 1
    parent = {parts["child"]["link"]: parts["parent"]["link"] for _, parts in joints.values()}
    assert set(parent) == set(links) - {"base_link"} and set(parent.values()) <= set(links)
    for link in links:
        seen = set()
        while link != "base_link":
            assert link not in seen
            seen.add(link)
            link = parent[link]


@pytest.mark.parametrize(
    ("joint", "axis", "carrier"),
    [
        # REP 103: yaw about z (positive: to the left), pitch about y (positive: down), roll about x.
        ("neck_yaw", "0 0 1", "base_link"),
        ("neck_pitch", "0 1 0", "neck_yaw_horn"),
        ("neck_roll", "1 0 0", "neck_pitch_horn"),
        ("eye_left_yaw", "0 0 1", "neck_roll_horn"),
        ("eye_left_pitch", "0 1 0", "eye_left_yaw_horn"),
        ("eye_right_pitch", "0 1 0", "eye_right_yaw_horn"),
        ("jaw", "0 1 0", "neck_roll_horn"),
    ],
)
def test_a_neck_and_eyes_turn_about_their_own_axes(joint, axis, carrier):
    _, parts = parsed(load_robot())[1][joint]
    assert parts["axis"]["xyz"] == axis and parts["parent"]["link"] == carrier


def test_left_is_on_the_positive_side_and_no_two_horns_share_a_place():
    _, joints = parsed(load_robot())
    places = {name: tuple(map(float, parts["origin"]["xyz"].split())) for name, (_, parts) in joints.items()}
    on_the_head = [name for name, (_, parts) in joints.items() if parts["parent"]["link"] == "neck_roll_horn"]
    for name in on_the_head:
        side = places[name][1]
        assert side > 0 if "left" in name else side < 0 if "right" in name else side == 0
    assert len({places[name] for name in on_the_head}) == len(on_the_head)


def test_any_robot_file_gives_a_description(tmp_path):
    robot = robot_of(tmp_path, **{'"<jaw> & \\u0007"': "mouth", "nod": "head", '"neck \\"yaw\\""': "head"})
    links, joints = parsed(robot)
    assert set(joints) == {"<jaw> & \ufffd", "nod", 'neck "yaw"'} and len(set(links)) == 4
    assert parsed(robot_of(tmp_path, jaw="mouth"))[1]["jaw"][1]["parent"]["link"] == "base_link"


def test_it_is_printed_for_robot_state_publisher(tmp_path, capsys):
    assert main([]) == 0 and capsys.readouterr().out == urdf(load_robot())
    assert main([str(tmp_path / "gone.yaml")]) == 2 and "gone.yaml" in capsys.readouterr().err


def test_urdfdom_accepts_it():
    description = pytest.importorskip("urdf_parser_py.urdf").URDF.from_xml_string(urdf(load_robot()).encode())
    assert description.get_root() == "base_link"
    assert {joint.name for joint in description.joints} == set(load_robot().names)
    assert description.get_chain("base_link", "eye_left_pitch_horn", links=False) == [
        *("neck_yaw", "neck_pitch", "neck_roll", "eye_left_yaw", "eye_left_pitch")
    ]
