"""For tests of nodes: node processes on a ROS domain of their own with a peer node; rehearsals in virtual time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from servo_stand import ServoStand

from rena_ros.base.resources import share_path

PICTURES = ("camera", "blendshapes", "chain", "twin", "recorder", "play")
WITH_PICTURES = {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    "FASTRTPS_DEFAULT_PROFILES_FILE": str(share_path("config/fastdds.xml")),
}
# Only nodes that exchange pictures use shared memory: it may be small, and a killed process leaves its part behind.
WITHOUT_PICTURES = {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT",
    "FASTRTPS_DEFAULT_PROFILES_FILE": str(Path(__file__).with_name("udp_only.xml")),
}


class NodeProcesses:
    """One ROS domain with a peer node of this process; the nodes under test are processes of their own."""

    deadline_s = 60.0

    def __init__(self, domain):
        self.environment = {**os.environ, **WITHOUT_PICTURES, "ROS_DOMAIN_ID": str(domain)}
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.peer = rclpy.create_node("peer", context=self.context, namespace="/bench")
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.peer)
        self._processes: list[subprocess.Popen] = []

    def start(self, name: str, *arguments, **parameters) -> subprocess.Popen:
        """Start a node of rena_ros.nodes in the namespace /bench."""
        command = [sys.executable, "-m", f"rena_ros.nodes.{name}", *map(str, arguments)]
        command += ["--ros-args", "-r", "__ns:=/bench"]
        for key, value in parameters.items():
            command += ["-p", f"{key}:={value}"]
        return self.run(command, **(WITH_PICTURES if name in PICTURES else {}))

    def run(self, command: list[str], preexec_fn=None, **environment: str) -> subprocess.Popen:
        """Run any command in this domain; its output is kept."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        environment = {**self.environment, **environment}
        process = subprocess.Popen(command, env=environment, preexec_fn=preexec_fn, **pipes)
        self._processes.append(process)
        return process

    def listen(self, kind: type, topic: str, qos) -> list:
        """Return a list that receives the messages of one topic."""
        messages = []
        self.peer.create_subscription(kind, topic, messages.append, qos)
        return messages

    def until(self, condition) -> None:
        """Spin until the condition holds; fail at the deadline."""
        end_s = time.monotonic() + self.deadline_s
        while not condition():
            assert time.monotonic() < end_s, "waited too long"
            self._executor.spin_once(timeout_sec=0.02)

    def call(self, kind: type, service: str, **request):
        """Call a service of a node; return its response."""
        client = self.peer.create_client(kind, service)
        self.until(client.service_is_ready)
        future = client.call_async(kind.Request(**request))
        self.until(future.done)
        return future.result()

    def set_parameter(self, node: str, name: str, value):
        """Set one parameter of a node; return the result (successful, reason)."""
        parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.call(SetParameters, f"{node}/set_parameters", parameters=parameters).results[0]

    def leave(self, process: subprocess.Popen, how: int = signal.SIGINT) -> tuple[int, str]:
        """Send a node a signal to end; return its exit code and its output."""
        process.send_signal(how)
        return self.ended(process)

    def ended(self, process: subprocess.Popen) -> tuple[int, str]:
        """Wait until a process ends; return its exit code and the output that was not read before."""
        self.until(lambda: process.poll() is not None)
        output = "".join(self.hear(process))
        print(output)  # pytest shows it where a test fails
        return process.returncode, output

    @staticmethod
    def hear(process: subprocess.Popen) -> Iterator[str]:
        """Return the lines that a process prints, without warnings of Fast DDS about the machine."""
        return (line for line in process.stdout if "RTPS_" not in line)

    def next_line(self, process: subprocess.Popen) -> str:
        """Return the next line that a process prints; "" when it ends or prints nothing until the deadline."""
        deadline = threading.Timer(self.deadline_s, process.kill)
        deadline.start()
        try:
            return next(self.hear(process), "")
        finally:
            deadline.cancel()

    def close(self) -> None:
        """End all processes and the peer."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self._executor.shutdown()
        self.peer.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def processes(monkeypatch, ros_domain):
    """A ROS domain without processes so far."""
    for name, value in WITH_PICTURES.items():
        monkeypatch.setenv(name, value)
    processes = NodeProcesses(ros_domain)
    yield processes
    processes.close()


@pytest.fixture
def rehearse(monkeypatch):
    """Start servos nodes in virtual time, on a stand and with ROS parameters; they leave when the test ends."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    with ExitStack() as stack:

        def start(stand=None, *, torque=False, **parameters):
            """``torque``: switch torque on; commands are followed slowly during the next second."""
            rehearsal = (stand or ServoStand()).rehearse(**parameters)
            stack.callback(rehearsal.close)
            if torque:
                rehearsal.live(0.05)
                assert rehearsal.set_torque(True).success
                rehearsal.live(0.1)
            return rehearsal

        yield start
