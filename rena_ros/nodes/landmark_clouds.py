"""``face/landmarks`` as it arrives: a PointCloud2 of one face, back to an array."""

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField

from rena_ros.base.errors import RenaError
from rena_ros.perception.landmark_frame import POINTS


def landmarks_of(cloud: PointCloud2) -> np.ndarray:
    """Return landmarks float32 (478, 3): x and z in widths, y in heights of the picture, as the blendshapes node sends.

    Raises RenaError for any other cloud.
    """
    fields = [(field.name, field.offset, field.datatype) for field in cloud.fields]
    usual = [(name, 4 * i, PointField.FLOAT32) for i, name in enumerate("xyz")]
    if fields != usual or cloud.is_bigendian or len(cloud.data) != 12 * POINTS or cloud.point_step != 12:
        raise RenaError(f"the cloud on face/landmarks is not {POINTS} points x, y, z of 32 bits")
    return np.frombuffer(cloud.data, np.float32).reshape(POINTS, 3)
