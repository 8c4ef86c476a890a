"""A bench for node tests: real node processes on a ROS domain of their own, and a peer that listens and feeds."""

import itertools
import os
import signal
import subprocess
import sys
import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from rena_ros.share import share_path

_domains = itertools.count(os.getpid() % 80)


class Bench:
    """One ROS domain with a peer node of this process; the nodes under test are processes of their own."""

    deadline_s = 30.0

    def __init__(self):
        self.domain = 10 + next(_domains) % 80
        self.environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "FASTRTPS_DEFAULT_PROFILES_FILE": str(share_path("config/fastdds.xml")),
        }
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        self.peer = rclpy.create_node("peer", context=self.context, namespace="/bench")
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.peer)
        self._processes: list[subprocess.Popen] = []

    def start(self, name: str, **parameters) -> subprocess.Popen:
        """Start a node of rena_ros.nodes in the namespace /bench."""
        command = [sys.executable, "-m", f"rena_ros.nodes.{name}", "--ros-args", "-r", "__ns:=/bench"]
        for key, value in parameters.items():
            command += ["-p", f"{key}:={value}"]
        return self.run(command)

    def run(self, command: list[str]) -> subprocess.Popen:
        """Run any command in this domain; what it says is kept."""
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._processes.append(process)
        return process

    def listen(self, kind: type, topic: str, qos) -> list:
        """The messages of one topic, as they come in."""
        messages = []
        self.peer.create_subscription(kind, topic, messages.append, qos)
        return messages

    def until(self, condition) -> None:
        """Spin until the condition holds; fail at the deadline."""
        end_s = time.monotonic() + self.deadline_s
        while not condition():
            assert time.monotonic() < end_s, "waited too long"
            self._executor.spin_once(timeout_sec=0.02)

    def leave(self, process: subprocess.Popen, how: int = signal.SIGINT) -> tuple[int, str]:
        """Ask a node to leave; its exit code and everything it said."""
        process.send_signal(how)
        return self.ended(process)

    def ended(self, process: subprocess.Popen) -> tuple[int, str]:
        """Wait for a node that leaves by itself; its exit code and everything it said."""
        self.until(lambda: process.poll() is not None)
        said = process.stdout.read()
        print(said)  # pytest shows it where a test fails
        return process.returncode, said

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self._executor.shutdown()
        self.peer.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def bench(monkeypatch):
    """A fresh ROS domain."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", str(share_path("config/fastdds.xml")))
    bench = Bench()
    yield bench
    bench.close()
