"""A robot, a camera and a recorder in virtual time, around the course of a collection session."""

from functools import partial

import numpy as np

from rena_ros.behaviour.babbling import Babbling, Course, Phase
from rena_ros.behaviour.capture_delay import DelayMeasurement
from rena_ros.behaviour.protection import Protection, StatusReport
from rena_ros.behaviour.trial import TrialSettings
from rena_ros.behaviour.worklist import Worklist
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import planned, replacement

ROBOT = load_robot()
STRATEGY = load_strategy()
NAMES = ROBOT.names
STEP_S, SPEED_RAD_S = 0.01, 3.0
START_NS = 1_800_000_000_000_000_000
BUS = {"connected": "true", "torque": "true", "stopped": "false", "owner": "take"}


class World:
    """``markers``: of all tries; ``captured``: true positions of the servos by the stamp of each picture.

    Everything may be changed while time passes: ``delay_s`` (of the camera's stamps), ``pictures``, ``states``,
    ``face`` (whether a picture shows one), ``stuck`` (servos that do not move), ``silent`` (that do not reply), ``bus``
    (values of its status), ``servos`` (name -> level and values), ``statuses`` (others), ``confirms`` (by index).
    """

    def __init__(
        self, samples=5, *, seed=3, confirm=False, course=None, measure=False, settle_timeout_s=2.0, todo=None
    ):
        self.seed, self.now_s, self.delay_s, self.reading_s = seed, 100.0, 0.0, 0.04
        self.pictures = self.states = True
        self.face = self.confirms = lambda *_: True
        self.stuck, self.silent, self.nudges = set(), set(), {}
        self.bus, self.servos, self.statuses = dict(BUS), {}, []
        self.positions = np.zeros(25)
        self.markers, self.captured, self.phases = [], {}, []
        self._on_the_way, self._steps = [], 0
        self.plan = planned(ROBOT, STRATEGY, seed, samples)
        self.replacement = partial(replacement, ROBOT, STRATEGY, seed)
        self.worklist = Worklist(self.plan, self.replacement, range(samples) if todo is None else todo, confirm)
        self.babbling = Babbling(
            ROBOT,
            self.worklist,
            Protection(ROBOT, self.now_s),
            course or Course(seed),
            TrialSettings(settle_timeout_s),
            DelayMeasurement(ROBOT) if measure else None,
            self._marked,
        )

    @property
    def now_ns(self):
        return START_NS + round(self.now_s * 1e9)

    def run(self, until, limit_s=300.0):
        """Let time pass until a condition holds."""
        end_s = self.now_s + limit_s
        while not until():
            assert self.now_s < end_s, f"{self.babbling.phase} {self.babbling.because}"
            self.step()

    def live(self, seconds):
        """Let time pass."""
        end_s = self.now_s + seconds
        self.run(lambda: self.now_s >= end_s)

    def finish(self):
        """Let time pass until the session is over; return the accepted markers."""
        self.run(lambda: self.babbling.phase is Phase.FINISHED)
        return [marker for marker in self.markers if marker.accepted]

    def step(self):
        """Let 10 ms pass."""
        self.now_s, self._steps = self.now_s + STEP_S, self._steps + 1
        now = self.now_s, self.now_ns
        babbling = self.babbling
        if self.bus["connected"] == self.bus["torque"] == "true":
            wanted = np.clip(babbling.target - self.positions, -SPEED_RAD_S * STEP_S, SPEED_RAD_S * STEP_S)
            self.positions = self.positions + np.where([name in self.stuck for name in NAMES], 0, wanted)
        for servo, (at_s, by_rad) in list(self.nudges.items()):
            if self.now_s >= at_s:
                self.positions[ROBOT.index[servo]] += by_rad
                del self.nudges[servo]
        if self._steps % 100 == 0:
            for report in self._reports():
                babbling.protection.note(report, self.now_s)
        if self._steps % 2 == 0 and self.states and self.bus["connected"] == "true":
            silent = [name in self.silent for name in NAMES]
            babbling.state(self.now_ns, np.where(silent, np.nan, self.positions), *now)
        if self._steps % 3 == 0 and self.pictures:
            stamp_ns = self.now_ns + round(self.delay_s * 1e9)
            self.captured[stamp_ns] = self.positions.copy()
            yaw = float(self.positions[ROBOT.index["neck_yaw"]]) * 0.8 + 0.02
            arrives_s = self.now_s + max(self.delay_s, 0) + self.reading_s
            self._on_the_way.append((arrives_s, stamp_ns, yaw if self.face() else None))
        while self._on_the_way and self._on_the_way[0][0] <= self.now_s:
            _, stamp_ns, seen = self._on_the_way.pop(0)
            babbling.reading(stamp_ns, seen, *now)
        babbling.advance(*now)
        if not self.phases or self.phases[-1] is not babbling.phase:
            self.phases.append(babbling.phase)

    def _reports(self):
        connected = self.bus["connected"] == "true"
        yield StatusReport("servos", "bus", 0 if connected else 2, "", dict(self.bus))
        for name in NAMES:
            level, values = self.servos.get(name, (0, {"temperature_c": "35", "load": "0.1"}))
            yield StatusReport("servos", name, level if connected else 3, "as it is", values)
        yield from self.statuses

    def _marked(self, marker):
        self.markers.append(marker)
        if marker.accepted and self.worklist.confirms and self.confirms(marker.index):
            self.babbling.stored(marker.index, self.now_s)
