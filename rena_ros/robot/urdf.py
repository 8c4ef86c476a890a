"""The robot as URDF, the description that RViz, Foxglove and robot_state_publisher read.

Axes follow REP 103 (x forward, y to the robot's left, z up), the root is REP 105's ``base_link``. A robot file says how
far each servo turns, not where it sits: places are those of a schematic face, and every servo outside neck and
eyes turns its horn up and down. So the description shows which servo moves and how far, not what skin does.

``python -m rena_ros.robot.urdf [ROBOT_FILE]`` prints it: Jazzy's robot_state_publisher takes it as a parameter only.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from rena_ros.base.errors import RenaError
from rena_ros.base.terminal import print_anything
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot, Servo

BASE = "base_link"
# A positive position turns to the robot's left, down, or towards its right shoulder: about z, y and x of REP 103.
_AXES = {"yaw": "0 0 1", "pitch": "0 1 0", "roll": "1 0 0"}
_DEFAULT_AXIS = _AXES["pitch"]
# Where the first horn of a region sits on the head: metres forward, to the side, up; further ones below it.
_PLACES = {
    "brows": (0.09, 0.03, 0.07),
    "eyes": (0.06, 0.03, 0.04),
    "lids": (0.08, 0.03, 0.05),
    "mouth": (0.09, 0.02, -0.02),
}
_BELOW_M = 0.012
_HEAD_M = 0.1  # height of the head's first joint above the base
_HORN_M = (0.02, 0.004, 0.004)  # a horn is drawn as a bar that points forward
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


def urdf(robot: Robot) -> str:
    """Return the robot as URDF: one revolute joint per servo, of its name, and one link that this joint turns.

    Limits are those of ``Robot.limit``: positions in rad from neutral, speed in rad/s. The effort is 0: not known.
    Joints of the region "head" stand on one another, in the order yaw, pitch, roll, and carry all other servos; an
    eye's pitch stands on its yaw. Links are named after their servo: "jaw" turns "jaw_horn".
    """
    root = ElementTree.Element("robot", name="rena")
    root.append(ElementTree.Comment(" Made from the robot file. Places are schematic; effort 0 means: not known. "))
    ElementTree.SubElement(root, "link", name=BASE)
    for servo, parent, place in _mounted(robot):
        i, name = robot.index[servo.name], _text(servo.name)
        link = ElementTree.SubElement(root, "link", name=_horn(servo))
        visual = ElementTree.SubElement(link, "visual")
        ElementTree.SubElement(visual, "origin", xyz=_numbers(_HORN_M[0] / 2, 0, 0), rpy="0 0 0")
        ElementTree.SubElement(ElementTree.SubElement(visual, "geometry"), "box", size=_numbers(*_HORN_M))
        joint = ElementTree.SubElement(root, "joint", name=name, type="revolute")
        ElementTree.SubElement(joint, "parent", link=parent)
        ElementTree.SubElement(joint, "child", link=_horn(servo))
        ElementTree.SubElement(joint, "origin", xyz=_numbers(*place), rpy="0 0 0")
        ElementTree.SubElement(joint, "axis", xyz=_AXES.get(_turn(servo), _DEFAULT_AXIS))
        limits = {"lower": robot.lower[i], "upper": robot.upper[i], "velocity": servo.max_speed_rad_s, "effort": 0}
        ElementTree.SubElement(joint, "limit", {key: _numbers(value) for key, value in limits.items()})
    ElementTree.indent(root)
    return f'<?xml version="1.0"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _mounted(robot: Robot) -> Iterator[tuple[Servo, str, tuple[float, float, float]]]:
    """Give each servo with the link that carries it and its place on that link, m; carriers come first."""
    order = list(_AXES)
    chained = sorted(robot.servos, key=lambda servo: order.index(_turn(servo)) if _turn(servo) in order else len(order))
    head, ends, taken = BASE, dict[tuple[str, str], str](), dict[tuple[str, float], int]()
    for servo in (servo for servo in chained if servo.region == "head"):
        yield servo, head, (0, 0, _HEAD_M if head == BASE else 0)
        head = _horn(servo)
    for servo in (servo for servo in chained if servo.region != "head"):
        stem = servo.name.removesuffix(f"_{_turn(servo)}") if _turn(servo) in _AXES else servo.name
        if (carrier := ends.get((servo.region, stem))) is not None:
            yield servo, carrier, (0, 0, 0)
        else:
            forward, side, up = _PLACES[servo.region]
            side *= _side(servo)
            below = taken[servo.region, side] = taken.get((servo.region, side), -1) + 1
            yield servo, head, (forward, side, up - below * _BELOW_M)
        ends[servo.region, stem] = _horn(servo)


def _turn(servo: Servo) -> str:
    """Return the last word of a name: "yaw" of neck_yaw."""
    return servo.name.rpartition("_")[2]


def _side(servo: Servo) -> int:
    """Return 1 on the robot's left, -1 on its right, 0 in the middle, as the words of a name say."""
    words = servo.name.split("_")
    return ("left" in words) - ("right" in words)


def _horn(servo: Servo) -> str:
    return _text(f"{servo.name}_horn")


def _text(name: str) -> str:
    """Return a name in which "\ufffd" stands for what XML cannot hold."""
    return _NO_XML.sub("\ufffd", name)


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def main(arguments: Sequence[str]) -> int:
    """Print the description of a robot file, or of the Rena that ships. Returns the exit code: 0, or 2 for an error."""
    print_anything()
    try:
        print(urdf(load_robot(arguments[0] if arguments else None)), end="")
    except RenaError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
