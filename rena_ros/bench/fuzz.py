"""Random commands through the servos node's own callback, and what of them crossed the wire.

Everything anybody may put into a JointState: sound commands, NaN, infinities, numbers beyond any limit, nothing at
all, unknown and repeated names, lists of different lengths, antagonists that both pull; in floods and with pauses, in
between the services. The node is the real one, servos and time are emulated (nodes/rehearsal.py).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rena_ros.bench.rehearsal import Rehearsal
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.robot.model import Robot

BATCH = 1000  # commands between two looks at the log of goals
_NUMBERS = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -0.0, 1e9, -1e9)
_NAMES = ("", "nose", "JAW", "jaw ", "jaw\n", "köpf", "x" * 5000, "neck_yaw\0")
# Mean seconds between commands: a flood, as fast as a computer can, a camera's stream.
_GAPS_S = (0.0002, 0.002, 0.02)
_PAUSE_S = 1.2  # now and then: long enough to ease to neutral

Command = tuple[list[str], list[float]]


@dataclass(frozen=True)
class FuzzResult:
    """What was sent and what came of it. ``misjudged``: commands refused though sound, or the other way around;
    ``limp``: goals that were sent while torque was off.
    """

    commands: int
    accepted: int
    refused: int
    misjudged: int
    frames: int
    goals: int
    limits: int
    antagonists: int
    speed: int
    acceleration: int
    limp: int
    top_speed: float
    services: int
    virtual_s: float
    wall_s: float
    examples: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing got through that should not have."""
        return not (
            self.limits + self.antagonists + self.speed + self.acceleration + self.limp + self.misjudged
        ) and bool(self.frames and self.accepted)


class CommandMaker:
    """Commands of every shape, with whether each is sound, by chance."""

    def __init__(self, robot: Robot, rng: np.random.Generator) -> None:
        self._robot, self._rng = robot, rng
        self._shapes = (self._whole, self._partial, self._far, self._pulling, self._corners)
        self._faulty = (self._empty, self._not_finite, self._unknown, self._twice, self._uneven)

    def make(self) -> tuple[Command, bool]:
        """A command and whether it is to be followed; two in three are."""
        sound = bool(self._rng.random() < 2 / 3)
        shapes = self._shapes if sound else self._faulty
        names, positions = shapes[self._rng.integers(len(shapes))]()
        return (names, [float(position) for position in positions]), sound

    def _whole(self) -> Command:
        robot = self._robot
        return list(robot.names), robot.positions(self._rng.random(len(robot.names)))

    def _corners(self) -> Command:
        robot = self._robot
        return list(robot.names), robot.positions(self._rng.integers(0, 2, len(robot.names)))

    def _partial(self) -> Command:
        names, positions = self._whole()
        which = self._rng.permutation(len(names))[: self._rng.integers(1, len(names))]
        return [names[i] for i in which], [positions[i] for i in which]

    def _far(self) -> Command:
        names, positions = self._partial()
        positions = [position * 10.0 ** self._rng.integers(0, 300) for position in positions]
        positions[0] = self._rng.choice(_NUMBERS[3:])
        return names, positions

    def _pulling(self) -> Command:
        robot = self._robot
        if not robot.antagonist_pairs:
            return self._whole()
        pair = robot.antagonist_pairs[self._rng.integers(len(robot.antagonist_pairs))]
        goals = robot.positions(self._rng.random(len(robot.names)))
        ends = np.where(np.abs(robot.upper) > np.abs(robot.lower), robot.upper, robot.lower)
        pulls = np.where(self._rng.random(2) < 0.5, ends[list(pair)], goals[list(pair)])
        return [robot.names[i] for i in pair], pulls

    def _empty(self) -> Command:
        return [], []

    def _not_finite(self) -> Command:
        names, positions = self._partial()
        positions[self._rng.integers(len(positions))] = _NUMBERS[self._rng.integers(3)]
        return names, positions

    def _unknown(self) -> Command:
        names, positions = self._partial()
        names[self._rng.integers(len(names))] = _NAMES[self._rng.integers(len(_NAMES))]
        return names, positions

    def _twice(self) -> Command:
        names, positions = self._partial()
        return [*names, names[0]], [*positions, positions[0]]

    def _uneven(self) -> Command:
        names, positions = self._partial()
        return (names[:-1], positions) if self._rng.random() < 0.5 else (names, positions[:-1])


def fuzz(commands: int, seed: int, progress: Callable[[int], None] = lambda done: None) -> FuzzResult:
    """Send that many random commands; ``progress`` is told how many are done. The same seed, the same commands."""
    rng = np.random.default_rng(seed)
    rehearsal, begun_s = Rehearsal(quiet=True), time.perf_counter()
    try:
        run = _Run(rehearsal, rng)
        run.up()
        for i in range(commands):
            run.step()
            if i % BATCH == BATCH - 1:
                run.look()
                run.ask_a_service()
                progress(i + 1)
        rehearsal.live(_PAUSE_S)
        run.look()
    finally:
        rehearsal.close()
    return run.result(commands, time.perf_counter() - begun_s)


class _Run:
    def __init__(self, rehearsal: Rehearsal, rng: np.random.Generator) -> None:
        robot = rehearsal.bank.robot
        self._rehearsal, self._rng = rehearsal, rng
        self._make = CommandMaker(robot, rng).make
        self._check = GoalCheck(robot)
        self._gap_s = _GAPS_S[0]
        self._misjudged = self._limp = self._services = 0

    def up(self) -> None:
        """Limp and connected, then torque."""
        self._rehearsal.live(0.1)
        self._take_limp()
        if not self._rehearsal.set_torque(True).success:
            raise RuntimeError("the emulated servos did not switch on")
        self._rehearsal.live(0.1)

    def step(self) -> None:
        """One command, and some time."""
        (names, positions), sound = self._make()
        refused = self._rehearsal.gate.commands.refused
        self._rehearsal.command(names, positions)
        self._misjudged += (self._rehearsal.gate.commands.refused == refused) != sound
        if self._rng.random() < 0.01:
            self._gap_s = _GAPS_S[self._rng.integers(len(_GAPS_S))]
        self._rehearsal.live(float(self._rng.exponential(self._gap_s)))
        if self._rng.random() < 0.0003:
            self._rehearsal.live(_PAUSE_S)

    def look(self) -> None:
        """Check what crossed the wire since the last time."""
        self._check.add(self._rehearsal.bank.goals.take())

    def ask_a_service(self) -> None:
        """Neutral, or limp in the middle of a movement; while limp, nothing may be sent, whatever is commanded."""
        rehearsal = self._rehearsal
        self._services += 1
        chance = self._rng.integers(8)
        if chance > 1:
            if chance == 2:
                rehearsal.neutral()
            return
        rehearsal.set_torque(False) if chance else rehearsal.stop()
        self.look()
        for _ in range(10):
            rehearsal.command(*self._make()[0])
            rehearsal.live(0.005)
        self._take_limp()
        rehearsal.reset()
        self.up()

    def _take_limp(self) -> None:
        self._limp += sum(int((goals.ticks >= 0).sum()) for goals in self._rehearsal.bank.goals.take())

    def result(self, commands: int, wall_s: float) -> FuzzResult:
        counts, check = self._rehearsal.gate.commands, self._check
        return FuzzResult(
            commands=commands,
            accepted=counts.written,
            refused=counts.refused,
            misjudged=self._misjudged,
            frames=check.frames,
            goals=check.goals,
            limits=check.limits,
            antagonists=check.antagonists,
            speed=check.speed,
            acceleration=check.acceleration,
            limp=self._limp,
            top_speed=check.top_speed,
            services=self._services,
            virtual_s=self._rehearsal.now_s,
            wall_s=wall_s,
            examples=tuple(check.examples),
        )
