"""The servos node in virtual time with ROS parameters of its own; what it publishes is kept."""

import json
from contextlib import ExitStack, contextmanager

import rclpy
from rclpy.context import Context

from rena_ros.bench.rehearsal import SECOND_S, Rehearsal
from rena_ros.bus.bus import Bus
from rena_ros.emulator.bank import ServoBank
from rena_ros.nodes.servos import ServosNode
from rena_ros.robot.file import load_robot


class Stage(Rehearsal):
    """``tries``: when the node looked for its port; ``states``: the joint states it published."""

    def __init__(self, bank=None, **parameters):
        self.bank = ServoBank(load_robot()) if bank is None else bank
        self.tries, self.states = [], []
        self._context = context_with(parameters)
        self.node = ServosNode(self._open_bus, lambda: self.bank.now_s, self._context)
        self.gate = self.node.gate
        publisher = next(one for one in self.node.publishers if one.topic_name == "/joint_states")
        publisher.publish = self.states.append
        self._next_tick_s, self._next_second_s = self.now_s, self.now_s + SECOND_S

    def up(self):
        """Torque on; everything is at neutral. (For a second from here on, commands are followed slowly.)"""
        self.live(0.05)
        assert self.set_torque(True).success
        self.live(0.1)

    def act(self, seconds, **positions):
        """Commands (rad by name) at 50 Hz."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.command(list(positions), list(positions.values()))
            self.live(0.02)

    def values(self, name):
        """What the newest diagnostics of the bus ("bus") or of one servo show, by key."""
        return {pair.key: pair.value for pair in self.status(name).values}

    def _open_bus(self) -> Bus:
        self.tries.append(self.now_s)
        return super()._open_bus()


def context_with(parameters):
    """A ROS context in which nodes get these parameters."""
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={json.dumps(value)}")]
    context = Context()
    rclpy.init(args=["--ros-args", *words], context=context)
    return context


@contextmanager
def stages(monkeypatch):
    """Make stages, with a bank and parameters, that close at the end."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    with ExitStack() as stack:

        def make(bank=None, **parameters):
            stage = Stage(bank, **parameters)
            stack.callback(stage.close)
            return stage

        yield make
