"""The stand of all tests on virtual servos: emulated servos in virtual time, and what a test puts on top of them."""

import numpy as np
import pytest

from rena_ros.bus.bus import Bus
from rena_ros.bus.line import Line
from rena_ros.bus.port import PortLost
from rena_ros.bus.protocol import Instruction, Parser
from rena_ros.control.gate import Gate
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.emulator.virtual_time import VirtualTimers
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
NAMES = ROBOT.names
COUNT = len(NAMES)
PERIOD_S = 0.01  # between two ticks of the gate


class StandPort(VirtualPort):
    """A port of a stand: the stand records what is written to it."""

    closed = False

    def __init__(self, stand, baud):
        super().__init__(stand.bank, baud)
        self._stand = stand

    def write(self, data):
        self._stand.requests += 1
        self._stand.before_request.get(self._stand.requests, lambda: None)()
        self._stand.sent += Parser().feed(data)
        return super().write(data)

    def close(self):
        self.closed = True


class ServoStand:
    """Servos of the Rena that ships, with ports, lines and buses to them, and on request a gate or the servos node.

    ``ports``: every port that was opened; ``opened_s``: when a port was asked for, found or not; ``requests``: how
    many were written to all ports; ``sent``: their packets; ``before_request``: by number of the request (from 1),
    what happens just before it.
    """

    def __init__(self, positions=None, **options):
        """``positions``: ticks at which the servos start; ``options`` are those of the bank."""
        self.bank = ServoBank(ROBOT, positions, **options)
        self.ports, self.opened_s, self.sent = [], [], []
        self.requests, self.before_request = 0, {}
        self.gate, self._timers = None, VirtualTimers(self.bank)

    @property
    def now_s(self):
        return self.bank.now_s

    def open_port(self, baud=1_000_000):
        self.opened_s.append(self.now_s)
        self.ports.append(StandPort(self, baud))
        return self.ports[-1]

    def line(self, baud=1_000_000):
        return Line(self.open_port(baud))

    def open_bus(self, **options):
        return Bus(self.open_port(), ROBOT, **options)

    def writes(self):
        """Return (id, address, data) of every WRITE on all ports."""
        return [(p.id, p.params[0], p.params[1:]) for p in self.sent if p.code == Instruction.WRITE]

    def with_gate(self, release_after_s=0.0):
        """Connect a gate and call its methods as often as the servos node does; returns the stand."""
        self.gate = Gate(ROBOT, self.open_bus, PERIOD_S, command_timeout_s=0.5, release_after_s=release_after_s)
        self.gate.connect()
        self._timers = VirtualTimers(self.bank)
        self._timers.add(PERIOD_S, lambda: self.gate.tick(self.now_s))
        self._timers.add(0.02, lambda: self.gate.read())
        self._timers.add(1.0, lambda: self.gate.check_torque(self.now_s))
        return self

    def rehearse(self, **parameters):
        """Start the servos node, with ROS parameters, on these servos."""
        from rena_ros.bench.rehearsal import Rehearsal  # only here: tests of bus and tools need no ROS

        return Rehearsal(self.bank, self.open_bus, **parameters)

    def command(self, **positions):
        """Command the gate, rad by joint."""
        return self.gate.command(list(positions), list(positions.values()), self.now_s)

    def live(self, seconds, **positions):
        """Let time pass while the gate's timers run; with positions (rad by joint), command them at 50 Hz."""
        self._timers.run(seconds, (lambda: self.command(**positions)) if positions else None)

    def torque_on(self):
        """Switch torque on and wait until commands are followed at full speed; then forget the goals so far."""
        assert self.gate.set_torque(True) == {}
        self.live(1.5)
        self.bank.goals.take()

    def pull_the_cable(self):
        """Unplug the cable until ``bank.clear``, let the gate notice it and drop the port."""
        self.bank.inject("unplugged")
        with pytest.raises(PortLost):
            self.live(0.1)
        self.gate.drop_port()

    def goal_frames(self):
        """Return every frame of goals since the last call, ticks (k, n), -1 for servos that it does not name."""
        frames = [goals.ticks for goals in self.bank.goals.take() if goals.frame[4] == Instruction.SYNC_WRITE]
        return np.array(frames, int).reshape(-1, COUNT)

    def check_goals(self):
        """Take the goals since the last call and check them; return the check."""
        check = GoalCheck(ROBOT)
        check.add(self.bank.goals.take())
        return check


def neutral_but(**ticks):
    """Return the neutral positions of all servos, ticks (n,), with other values for some."""
    positions = ROBOT.neutral_ticks.copy()
    for name, value in ticks.items():
        positions[ROBOT.index[name]] = value
    return positions


def published(node, topic):
    """Return a list that receives what a node publishes on a topic from now on; ROS does not get it."""
    messages = []
    publisher = next(one for one in node.publishers if one.topic_name == topic)
    publisher.publish = messages.append
    return messages


def ticks_of(name, position):
    """Return the goal in ticks that a position (rad) of a servo is."""
    servo = ROBOT.servos[ROBOT.index[name]]
    return servo.neutral_ticks + round((-1 if servo.reversed else 1) * position / RAD_PER_TICK)
