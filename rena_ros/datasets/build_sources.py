"""The bags that a dataset is built from: session, topics, robot and camera delay of each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rena_ros.bags.finished import bags_in
from rena_ros.bags.reader import BagReader
from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text
from rena_ros.recording.session import FILE, ROBOT_FILE, load
from rena_ros.robot.file import load_robot, parse_robot
from rena_ros.robot.model import Robot

SAMPLE, STATES, COMMANDS = "sample", "joint_states", "servos/command/take"
READINGS, LANDMARKS = "face/blendshapes", "face/landmarks"
COMPRESSED, RAW = "camera/image_raw/compressed", "camera/image_raw"
TOPICS = {
    SAMPLE: "diagnostic_msgs/msg/DiagnosticArray",
    STATES: "sensor_msgs/msg/JointState",
    COMMANDS: "sensor_msgs/msg/JointState",
    READINGS: "sensor_msgs/msg/JointState",
    LANDMARKS: "sensor_msgs/msg/PointCloud2",
    COMPRESSED: "sensor_msgs/msg/CompressedImage",
    RAW: "sensor_msgs/msg/Image",
}


@dataclass(frozen=True)
class BagSource:
    """One bag. ``walk``: the session, or what stands for it: in a walk each index has one sample.

    ``topics``: full names in the bag by those in TOPICS; a topic without messages is left out. ``robot``: None where
    the bag does not say; ``robot_text``: its robot file. ``delay_s``: how much later than their capture the pictures
    are stamped, where a marker does not say. ``about``: what the bag says of itself, for meta.json.
    """

    path: Path
    walk: str
    topics: Mapping[str, str]
    robot: Robot | None
    robot_text: str
    delay_s: float
    about: Mapping[str, Any]


def find_sources(paths: Sequence[Path], namespace: str | None = None) -> list[BagSource]:
    """Return the bags of sessions, bag folders and single files, in the order given; each bag once.

    ``namespace``: of the topics, where bag and topics do not say. Raises RenaError when there is no bag, one is
    unfinished, or its topics are ambiguous.
    """
    found: dict[Path, BagSource] = {}
    for path in paths:
        for bag in [path] if path.is_file() else bags_in(path):
            if bag.resolve() not in found:
                found[bag.resolve()] = _source(bag, namespace)
    return list(found.values())


def common_robot(sources: Sequence[BagSource], robot_file: Path | None) -> tuple[Robot, str, bool]:
    """Return the robot of the dataset, the text of its file, and whether a bag or the user said which it is.

    It is that of ``robot_file``, else of the first bag that names one, else the Rena that ships with the package.
    """
    said = [source for source in sources if source.robot is not None]
    if robot_file is None and said and said[0].robot is not None:
        return said[0].robot, said[0].robot_text, True
    robot = load_robot(robot_file)
    assert robot.source is not None  # it was loaded from a file
    return robot, read_text(robot.source, "robot file"), robot_file is not None


def same_robot(one: Robot, other: Robot) -> bool:
    """Return whether goals mean the same on both: names, ticks of limits and neutral, and direction."""
    fields = ("name", "min_ticks", "neutral_ticks", "max_ticks", "reversed")
    shapes = [[tuple(getattr(servo, field) for field in fields) for servo in robot.servos] for robot in (one, other)]
    return shapes[0] == shapes[1]


def _source(bag: Path, namespace: str | None) -> BagSource:
    session = _session_folder(bag)
    with BagReader(bag) as reader:
        metadata = dict(reader.metadata)
        topics = {name: kind for name, kind in reader.topics.items() if reader.counts.get(name)}
    where = metadata.get("namespace", namespace) if namespace is None else namespace
    text = metadata.get("robot", "")
    if not text and session is not None and (session / ROBOT_FILE).is_file():
        text = read_text(session / ROBOT_FILE, "robot file")
    return BagSource(
        path=bag,
        walk=str(session.resolve()) if session else "",
        topics=_topics(bag, topics, where),
        robot=parse_robot(text, bag / "robot.yaml") if text else None,
        robot_text=text,
        delay_s=_delay_s(session, metadata),
        about={key: metadata[key] for key in ("rena_version", "commit", "strategy_sha256") if key in metadata},
    )


def _session_folder(bag: Path) -> Path | None:
    """Return the session that a bag belongs to: SESSION/bags/0000, or a file in it."""
    folder = bag.resolve()
    for parent in folder.parents[:3]:
        if (parent / FILE).is_file():
            return parent
    return None


def _topics(bag: Path, topics: Mapping[str, str], namespace: str | None) -> dict[str, str]:
    """Return the full names of the topics that a build reads."""
    found = {}
    for name, kind in TOPICS.items():
        if namespace is not None:
            full = ["/" + "/".join(part for part in (namespace.strip("/"), name) if part)]
        else:
            full = [topic for topic in topics if topic.endswith(f"/{name}")]
        there = [topic for topic in full if topics.get(topic) == kind]
        if len(there) > 1:
            spaces = ", ".join(topic.removesuffix(name).rstrip("/") or "/" for topic in there)
            raise RenaError(f"{bag} holds {len(there)} topics {name}, in {spaces}: say which with --namespace")
        if there:
            found[name] = there[0]
    return found


def _delay_s(session: Path | None, metadata: Mapping[str, str]) -> float:
    """Return the delay that the session measured, else the one in the bag's metadata, else 0."""
    if session is not None and (measured := load(session).capture_delay_s) is not None:
        return measured
    try:
        delay_s = float(metadata.get("camera_delay_s") or 0)
    except ValueError:
        delay_s = math.nan
    return delay_s if math.isfinite(delay_s) else 0.0
