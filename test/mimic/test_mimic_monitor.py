"""The monitor and pictures of any camera. Its callback is called without a ROS graph."""

from types import SimpleNamespace

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

from rena_ros.mimic.measurements import Measurements
from rena_ros.mimic.monitor import MonitorNode
from rena_ros.mimic.picture import from_jpeg
from rena_ros.mimic.spool import SpoolReader, SpoolWriter


def test_a_picture_that_cannot_be_read_is_reported_and_the_run_goes_on(tmp_path):
    spool, measurements = SpoolWriter(tmp_path, ("camera",)), Measurements()
    monitor = SimpleNamespace(_measurements=measurements, _spool=spool)
    grey = Image(height=16, width=32, encoding="bgra8", step=128, data=bytes([90]) * 2048)
    grey.header.stamp = Time(sec=3)
    for message in (Image(), Image(height=4, width=4, encoding="32FC1", step=16, data=bytes(64)), grey):
        MonitorNode._keep(monitor, "camera", message)
    spool.close()
    records = SpoolReader(tmp_path, "camera")
    assert records.stamps_ns.tolist() == [3 * 10**9]
    level, message = measurements.snapshot().health["film: camera"]
    assert level == 1 and "32FC1" in message and measurements.pictures("camera") == 3
    np.testing.assert_allclose(from_jpeg(records[0]), 90, atol=2)


def test_a_node_of_the_same_name_on_another_machine_is_named():
    here, there = [1, 15, 7, 7, *range(12)], [1, 15, 9, 9, *range(12)]  # vendor and machine, then the rest: RTPS 9.3.1

    def ends(topic):
        found = [("servos", "/lab", here), ("policy", "/lab", here)]
        found += [("servos", "/lab", there), ("policy", "/", there)]
        return [SimpleNamespace(node_name=n, node_namespace=space, endpoint_gid=gid) for n, space, gid in found]

    monitor = SimpleNamespace(get_namespace=lambda: "/lab", resolve_topic_name=str, get_publishers_info_by_topic=ends)
    assert MonitorNode.on_other_machines(monitor, {"servos": "joint_states", "policy": "c"}) == ("servos",)
