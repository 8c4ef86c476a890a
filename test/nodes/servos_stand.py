"""The servos node in virtual time with ROS parameters of its own; what it publishes is kept."""

from contextlib import ExitStack, contextmanager

from servo_stand import ServoStand

from rena_ros.bench.rehearsal import Rehearsal


class Stage(Rehearsal):
    """``tries``: when the node looked for its port; ``states``: the joint states it published."""

    def __init__(self, bank=None, **parameters):
        stand, self.states = ServoStand(), []
        stand.bank = stand.bank if bank is None else bank
        super().__init__(stand.bank, stand.open_bus, **parameters)
        self.tries = stand.opened_s
        publisher = next(one for one in self.node.publishers if one.topic_name == "/joint_states")
        publisher.publish = self.states.append

    def up(self):
        """Torque on; everything is at neutral. (For a second from here on, commands are followed slowly.)"""
        self.live(0.05)
        assert self.set_torque(True).success
        self.live(0.1)

    def act(self, seconds, **positions):
        """Commands (rad by name) at 50 Hz."""
        self.live(seconds, **positions)


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
