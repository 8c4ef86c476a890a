"""Random commands through the servos node's own callback, and checks of what crossed the wire.

The commands are of every shape that fits into a JointState: valid ones, NaN, infinities, numbers beyond any limit,
empty lists, unknown and repeated names, lists of different lengths, antagonists that both pull. They come in floods and
with pauses, from an operator and from the policy, as takes with velocities (``fuzz_takes``), as smooth streams
(``fuzz_streams``), and between calls of the services. The node is the real one; servos and time are emulated
(``rehearsal``).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rena_ros.bench.fuzz_streams import StreamMaker
from rena_ros.bench.fuzz_takes import TakeMaker
from rena_ros.bench.rehearsal import Rehearsal
from rena_ros.control.arbiter import MIMIC, OPERATOR, TAKE
from rena_ros.control.track import BURST_S, COAST_S
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.robot.model import Robot

BATCH = 1000  # commands between two checks of the goal log
_NUMBERS = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -0.0, 1e9, -1e9)
_NAMES = ("", "nose", "JAW", "jaw ", "jaw\n", "köpf", "x" * 5000, "neck_yaw\0")
# Mean seconds between commands: a flood, a fast program, a camera's stream.
_GAPS_S = (0.0002, 0.002, 0.02)
_PAUSE_S = 1.2  # long enough for the servos to ease to neutral
_TAKES = 0.02  # takes to a command; each has 12 points on average
_STREAMS = 0.004  # streams to a command; each has 45 commands on average
_QUIET_S = 0.55  # after which a take is followed: the command time-out, and a little

Command = tuple[list[str], list[float]]


@dataclass(frozen=True)
class FuzzResult:
    """Counts of one run; ``fuzz_command.MEANINGS`` says of what. Most are those of ``GoalCheck``."""

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
    early_s: float
    points: int
    streamed: int
    services: int
    virtual_s: float
    wall_s: float
    examples: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether there was no violation, and at least one command was followed."""
        wrong = self.limits + self.antagonists + self.speed + self.acceleration + self.limp + self.misjudged
        return not wrong and self.frames > 0 and self.accepted > 0


class CommandMaker:
    """Makes random commands of every shape."""

    def __init__(self, robot: Robot, rng: np.random.Generator) -> None:
        self._robot, self._rng = robot, rng
        self._valid_shapes = (self._whole, self._partial, self._far, self._pulling, self._corners)
        self._invalid_shapes = (self._empty, self._not_finite, self._unknown, self._twice, self._uneven)

    def make(self) -> tuple[Command, bool]:
        """Return a command and whether it is valid; two in three are."""
        valid = bool(self._rng.random() < 2 / 3)
        shapes = self._valid_shapes if valid else self._invalid_shapes
        return shapes[self._rng.integers(len(shapes))](), valid

    def _whole(self) -> Command:
        robot = self._robot
        return list(robot.names), robot.positions(self._rng.random(len(robot.names))).tolist()

    def _corners(self) -> Command:
        corners = self._rng.integers(0, 2, len(self._robot.names)).astype(float)
        return list(self._robot.names), self._robot.positions(corners).tolist()

    def _partial(self) -> Command:
        names, positions = self._whole()
        which = self._rng.permutation(len(names))[: self._rng.integers(1, len(names))]
        return [names[i] for i in which], [positions[i] for i in which]

    def _far(self) -> Command:
        names, positions = self._partial()
        positions = [float(position * 10.0 ** self._rng.integers(0, 300)) for position in positions]
        positions[0] = float(self._rng.choice(_NUMBERS[3:]))
        return names, positions

    def _pulling(self) -> Command:
        robot = self._robot
        if not robot.antagonist_pairs:
            return self._whole()
        pair = robot.antagonist_pairs[self._rng.integers(len(robot.antagonist_pairs))]
        goals = robot.positions(self._rng.random(len(robot.names)))
        ends = np.where(np.abs(robot.upper) > np.abs(robot.lower), robot.upper, robot.lower)
        pulls = np.where(self._rng.random(2) < 0.5, ends[list(pair)], goals[list(pair)])
        return [robot.names[i] for i in pair], pulls.tolist()

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
    """Send random commands; the same seed makes the same commands. ``progress`` is called with the count so far."""
    rng = np.random.default_rng(seed)
    rehearsal, begun_s = Rehearsal(quiet=True), time.perf_counter()
    try:
        run = _Run(rehearsal, rng)
        run.start()
        for i in range(commands):
            run.step()
            if i % BATCH == BATCH - 1:
                run.check()
                run.call_service()
                progress(i + 1)
        rehearsal.live(_PAUSE_S)
        run.check()
    finally:
        rehearsal.close()
    return run.result(commands, time.perf_counter() - begun_s)


class _Run:
    """One run: sends commands to a rehearsal and counts what is wrong."""

    def __init__(self, rehearsal: Rehearsal, rng: np.random.Generator) -> None:
        robot = rehearsal.bank.robot
        self._rehearsal, self._rng = rehearsal, rng
        self._make = CommandMaker(robot, rng).make
        self._policy_rng = rng.spawn(1)[0]
        self._make_as_policy = CommandMaker(robot, self._policy_rng).make
        self._take_rng = rng.spawn(1)[0]
        self._takes = TakeMaker(robot, self._take_rng)
        self._stream_rng = rng.spawn(1)[0]
        self._streams = StreamMaker(robot, self._stream_rng)
        self._check = GoalCheck(robot)
        self._gap_s = _GAPS_S[0]
        self._misjudged = self._limp = self._services = self._points = self._streamed = 0

    def start(self) -> None:
        """Let the node connect, still limp; switch torque on. Raises RuntimeError when that fails."""
        self._rehearsal.live(0.1)
        self._count_limp_goals()
        if not self._rehearsal.set_torque(True).success:
            raise RuntimeError("the emulated servos did not switch torque on")
        self._rehearsal.live(0.1)

    def step(self) -> None:
        (names, positions), valid = self._make()
        refused = self._rehearsal.gate.commands.refused
        self._rehearsal.command(names, positions)
        self._misjudged += (self._rehearsal.gate.commands.refused == refused) != valid
        if self._rng.random() < 0.01:
            self._gap_s = _GAPS_S[self._rng.integers(len(_GAPS_S))]
        self._rehearsal.live(float(self._rng.exponential(self._gap_s)))
        if self._rng.random() < 0.0003:
            self._rehearsal.live(_PAUSE_S)
        if self._policy_rng.random() < 0.1:
            self._command_as_policy()
        if self._take_rng.random() < _TAKES:
            self._send_take()
        if self._stream_rng.random() < _STREAMS:
            self._send_stream()

    def _command_as_policy(self) -> None:
        """Send a command of the lowest source, which has no effect while the operator's are followed."""
        rehearsal = self._rehearsal
        owned = rehearsal.node.arbiter.owner(rehearsal.now_s) == OPERATOR
        before = replace(rehearsal.gate.commands)
        rehearsal.command(*self._make_as_policy()[0], MIMIC)
        self._misjudged += owned and rehearsal.gate.commands != before

    def _send_take(self) -> None:
        """Send a take, some before the other source is silent, and let it end as if its player were killed."""
        rehearsal, rng = self._rehearsal, self._take_rng
        rehearsal.live(float(rng.choice([0.1, _QUIET_S, _QUIET_S + _PAUSE_S])))
        robot, begin = rehearsal.bank.robot, rehearsal.bank.robot.from_ticks(self._check.last_ticks)
        for _ in range(int(rng.choice([0, 10, 10, 10]))):  # the robot comes to rest where the take begins
            rehearsal.command(list(robot.names), begin.tolist(), TAKE)
            rehearsal.live(0.04)
        self.check()
        for point in self._takes.make(begin):
            rehearsal.live(point.after_s)
            rehearsal.command(point.names, point.positions, TAKE, point.velocities)
            self._points += 1
        rehearsal.live(COAST_S + 0.02)
        self._check.add(rehearsal.bank.goals.take(), BURST_S)
        rehearsal.live(float(rng.uniform(0, 0.2)))
        self.check()

    def _send_stream(self) -> None:
        """Send a smooth stream; whatever follows begins in its midst."""
        rehearsal, refused = self._rehearsal, self._rehearsal.gate.commands.refused
        for after_s, positions, stamp_s in self._streams.make():
            rehearsal.live(after_s)
            rehearsal.command(list(rehearsal.bank.robot.names), positions.tolist(), stamp_s=stamp_s)
            self._streamed += 1
        self._misjudged += rehearsal.gate.commands.refused - refused

    def check(self) -> None:
        self._check.add(self._rehearsal.bank.goals.take())

    def call_service(self) -> None:
        """Call `neutral`, or make the node limp during a movement, or neither; while limp it must send no goal."""
        rehearsal = self._rehearsal
        self._services += 1
        chance = self._rng.integers(8)
        if chance > 1:
            if chance == 2:
                rehearsal.neutral()
            return
        rehearsal.set_torque(False) if chance else rehearsal.stop()
        self.check()
        for _ in range(10):
            rehearsal.command(*self._make()[0])
            rehearsal.live(0.005)
        self._count_limp_goals()
        rehearsal.reset()
        self.start()

    def _count_limp_goals(self) -> None:
        self._limp += sum(int((goals.ticks >= 0).sum()) for goals in self._rehearsal.bank.goals.take())

    def result(self, commands: int, wall_s: float) -> FuzzResult:
        counts, check = self._rehearsal.gate.commands, self._check
        shared = ("frames", "goals", "limits", "antagonists", "speed", "acceleration", "top_speed", "early_s")
        return FuzzResult(
            commands=commands,
            accepted=counts.written,
            refused=counts.refused,
            misjudged=self._misjudged,
            limp=self._limp,
            services=self._services,
            points=self._points,
            streamed=self._streamed,
            virtual_s=self._rehearsal.now_s,
            wall_s=wall_s,
            examples=tuple(check.examples),
            **{name: getattr(check, name) for name in shared},
        )
