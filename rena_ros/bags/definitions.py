"""What a bag says of a message type: its definition as text, and its hash; from rosbags' copy of Jazzy's types."""

from functools import cache

from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from rena_ros.base.errors import RenaError

ENCODING = "ros2msg"


@cache
def jazzy_types() -> Typestore:
    """Return the message types of Jazzy."""
    return get_typestore(Stores.ROS2_JAZZY)


def definition(msgtype: str) -> tuple[str, str]:
    """Return the full definition (text, with all types that it uses) and the hash, RIHS01, of a message type.

    Raises RenaError for a type that Jazzy does not have.
    """
    types = jazzy_types()
    if msgtype not in types.fielddefs:
        raise RenaError(f"{msgtype} is no message type of ROS 2 Jazzy: it cannot be recorded; leave its topic out")
    text, _ = types.generate_msgdef(msgtype, ros_version=2)
    return text, types.hash_rihs01(msgtype)
