"""The twin node as a process: joint_states in, the drawn face of that state out."""

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState

from rena_ros.nodes.images import from_image_msg
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
NEWEST = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)


def test_the_twin_shows_the_newest_state_with_its_stamp(processes, tmp_path):
    body = tmp_path / "body.yaml"
    body.write_text("look: performer\ngain: {jaw: 0.5}\n")
    diagnostics = processes.listen(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
    pictures = processes.listen(Image, "robot/image_raw", NEWEST)
    states = processes.peer.create_publisher(JointState, "joint_states", QoSProfile(depth=5))
    node = processes.start("twin", width=320, height=240, body_file=str(body))
    processes.until(lambda: states.get_subscription_count() and processes.peer.count_publishers("robot/image_raw"))

    def drawn(state):
        """Publish a state repeatedly: pictures may be lost while the nodes discover each other."""
        states.publish(state)
        return any(picture.header.stamp == state.header.stamp for picture in pictures)

    def reports(level, text):
        """Whether the newest diagnostics have this level and text; return their values."""
        if not diagnostics:
            return {}
        (status,) = diagnostics[-1].status
        assert status.name == "bench/twin: twin"
        return {v.key: v.value for v in status.values} if (status.level, status.message) == (level, text) else {}

    silent = (DiagnosticStatus.WARN, "no state comes on /bench/joint_states")
    begun = {"rate_hz": "0.0", "picture": "320x240", "state_age_s": "nan", "subscribers": "1"}
    processes.until(lambda: reports(*silent) == begun)
    expected = np.zeros(len(ROBOT.names))
    # First one servo, then others: one beyond its limit, one of another robot, one that is NaN.
    for second, positions in enumerate(({"jaw": 0.3}, {"neck_yaw": 9.0, "tail": 1.0, "pucker": float("nan")}), 1):
        state = JointState(name=list(positions), position=list(positions.values()))
        state.header.stamp = Time(sec=second)
        processes.until(lambda state=state: drawn(state))
    assert pictures[0].header.stamp.sec == 1, "something was drawn before anything was known"
    expected[ROBOT.index["jaw"]], expected[ROBOT.index["neck_yaw"]] = 0.3, ROBOT.upper[ROBOT.index["neck_yaw"]]
    goals = ROBOT.goals(expected)
    goals[ROBOT.index["jaw"]] *= 0.5  # the body opens it half as far
    wanted = TwinFace(ROBOT, 320, 240, look="performer").render(goals)
    shown = next(picture for picture in pictures if picture.header.stamp.sec == 2)
    np.testing.assert_array_equal(from_image_msg(shown), wanted)

    def drawing():
        states.publish(state)
        return reports(DiagnosticStatus.OK, "drawing the newest state")

    processes.until(lambda: float(drawing().get("rate_hz", 0)) > 0)
    processes.until(lambda: reports(*silent))
    assert processes.leave(node) == (0, "")
