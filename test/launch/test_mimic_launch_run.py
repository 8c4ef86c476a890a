"""The launch file as ROS tests it: `launch_test` on this file, or pytest, after `colcon build`.

Starts all nodes for real. Skipped where launch_testing or an installed package `rena` is missing.
"""

import random
import tempfile
import unittest
from pathlib import Path

import pytest

WHY = "`launch_testing` comes with a ROS 2 installation only, not as a wheel"
launch_testing = pytest.importorskip("launch_testing", reason=WHY)
actions = pytest.importorskip("launch.actions", reason=WHY)
sources = pytest.importorskip("launch.launch_description_sources", reason=WHY)
launch = pytest.importorskip("launch", reason=WHY)
packages = pytest.importorskip("ament_index_python.packages", reason=WHY)
try:
    packages.get_package_prefix("rena")
except (LookupError, OSError):
    pytest.skip("the package rena is not installed by colcon", allow_module_level=True)

LAUNCH_FILE = Path(__file__).parents[2] / "launch/mimic.launch.py"


@pytest.mark.launch_test
def generate_test_description():
    domain = actions.SetEnvironmentVariable("ROS_DOMAIN_ID", str(random.randint(1, 100)))
    arguments = [("link", f"{tempfile.mkdtemp()}/servos"), ("loop", "true")]
    source = sources.PythonLaunchDescriptionSource(str(LAUNCH_FILE))
    mimic = actions.IncludeLaunchDescription(source, launch_arguments=arguments)
    return launch.LaunchDescription([domain, mimic, launch_testing.actions.ReadyToTest()])


class TestRunning(unittest.TestCase):
    def test_the_servos_are_found_and_the_model_is_loaded(self, proc_output):
        proc_output.assertWaitFor("25 of 25 servos reply", timeout=60)
        proc_output.assertWaitFor("torque is on, easing to neutral", timeout=60)
        proc_output.assertWaitFor("learning the person's face at rest", timeout=60)


@launch_testing.post_shutdown_test()
class TestAfterShutdown(unittest.TestCase):
    def test_every_node_ends_cleanly(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)

    def test_torque_is_off(self, proc_output):
        launch_testing.asserts.assertInStderr(proc_output, "torque is off", process=None)
