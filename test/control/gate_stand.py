"""A gate on emulated servos in virtual time, its timers rung as the servos node rings them; every port it opens is
watched."""

from rena_ros.bus.bus import Bus
from rena_ros.control.gate import Gate
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
COUNT = len(ROBOT.names)
PERIOD_S = 0.01


class WatchedPort(VirtualPort):
    """It remembers whether it was given back."""

    closed = False

    def close(self):
        self.closed = True


class GateStand:
    """Connected, limp. ``ports``: all that were opened so far."""

    def __init__(self, positions=None):
        self.bank, self.ports, self._ticks = ServoBank(ROBOT, positions), [], 0
        self.gate = Gate(ROBOT, self._open_bus, PERIOD_S, command_timeout_s=0.5)
        self.gate.connect()

    @property
    def now_s(self):
        return self.bank.now_s

    def live(self, seconds, **positions):
        """Let time pass; with positions (rad by name), these are commanded before every tick."""
        next_s, end_s = self.now_s, self.now_s + seconds
        while next_s < end_s:
            self.bank.advance(max(next_s - self.now_s, 0.0))
            if positions:
                self.command(**positions)
            self.gate.tick(self.now_s)
            self._ticks += 1
            if self._ticks % 2 == 0:
                self.gate.read(self.now_s)
            if self._ticks % 100 == 0:
                self.gate.check_torque(self.now_s)
            next_s += PERIOD_S
        self.bank.advance(max(end_s - self.now_s, 0.0))

    def command(self, **positions):
        return self.gate.command(list(positions), list(positions.values()), self.now_s)

    def up(self):
        """Torque on, at neutral, as fast as it may be; the goals so far are forgotten."""
        assert self.gate.set_torque(True) == {}
        self.live(1.5)
        self.bank.goals.take()

    def _open_bus(self):
        self.ports.append(WatchedPort(self.bank))
        return Bus(self.ports[-1], ROBOT)


def ticks_of(name, position):
    """The goal that a position (rad) is."""
    direction = -1 if ROBOT.servos[ROBOT.index[name]].reversed else 1
    return ROBOT.neutral_ticks[ROBOT.index[name]] + round(direction * position / RAD_PER_TICK)
