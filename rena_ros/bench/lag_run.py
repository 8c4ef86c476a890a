"""One signal through the gate in virtual time: the servos node on emulated servos whose horns are sampled exactly.

Commands arrive as in life: one for each frame, some time after its stamp, whatever the bus is doing then.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from rena_ros.base.arrays import FloatArray
from rena_ros.bench.lag_signals import Signal
from rena_ros.bench.rehearsal import Rehearsal
from rena_ros.control.arbiter import MIMIC
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.goal_log import NOT_COMMANDED
from rena_ros.nodes.command_topics import CommandTopics
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

STEP_S = 0.001  # between two samples of the horns
WARM_UP_S = 2.5  # at the signal's beginning, until commands are followed at full speed
JITTER_TAIL = 2.0  # no frame is later than this many standard deviations
TAIL_S = 0.4  # after the signal, for horns that are behind

Ahead = Callable[[float, FloatArray], FloatArray]  # a frame's stamp in s, its goals (n,) -> the goals to command (n,)
Rehearse = Callable[[ServoBank], Rehearsal]


@dataclass(frozen=True)
class Conditions:
    """When frames are taken and when their commands arrive; times in s, ``jitter_s`` a standard deviation."""

    latency_s: float = 0.03
    jitter_s: float = 0.002
    fps: float = 30.0
    seed: int = 0


@dataclass(frozen=True)
class Trace:
    """A run at ``times_s`` (k,), STEP_S apart: goals float64 (k, n) in [0, 1] and what they cause.

    ``wanted``: the signal. ``seen``: the newest command that has arrived. ``goals``: the
    newest on the wire. ``horns``: where the horns are, in goals.
    """

    times_s: FloatArray
    wanted: FloatArray
    seen: FloatArray
    goals: FloatArray
    horns: FloatArray


class SampledBank(ServoBank):
    """Emulated servos whose horns are noted every STEP_S, from ``begin`` on."""

    def __init__(self, robot: Robot) -> None:
        super().__init__(robot)
        self._begin_s = np.inf
        self.horns: list[FloatArray] = []  # ticks (n,)

    def begin(self, time_s: float) -> None:
        """Note the horns at this time, not before now, and from then on."""
        self._begin_s = time_s

    def advance(self, dt_s: float) -> None:
        """Let virtual time pass."""
        end_s = self.now_s + dt_s
        while (due_s := self._begin_s + len(self.horns) * STEP_S) <= end_s:
            super().advance(max(due_s - self.now_s, 0.0))
            self.horns.append(self._registers.motion.state()[0].copy())
        super().advance(max(end_s - self.now_s, 0.0))


class Arrivals(CommandTopics):
    """Commands that arrive at known times, in place of topics: the newest of those that wait is passed on."""

    def __init__(self, rehearsal: Rehearsal, commands: deque[tuple[float, JointState]]) -> None:
        self._rehearsal, self.commands = rehearsal, commands

    def take(self) -> None:
        """Pass on what has arrived."""
        message = None
        while self.commands and self.commands[0][0] <= self._rehearsal.now_s:
            message = self.commands.popleft()[1]
        if message is not None:
            self._rehearsal.node.on_command(message, MIMIC)


def rehearse(bank: ServoBank) -> Rehearsal:
    """Start the servos node as it ships."""
    return Rehearsal(bank, quiet=True)


def run_signal(
    signal: Signal, conditions: Conditions, rehearse: Rehearse = rehearse, ahead: Ahead | None = None
) -> Trace:
    """Run a signal; equal arguments give equal traces.

    ``rehearse`` starts the servos node on a bank: with other parameters, or with another motion. ``ahead`` changes the
    goals of each frame before they are commanded, frame by frame from the warm-up on: a prediction.
    """
    robot = load_robot()
    bank = SampledBank(robot)
    rehearsal = rehearse(bank)
    try:
        rehearsal.live(0.1)
        if not rehearsal.set_torque(True).success:
            raise RuntimeError("the emulated servos did not switch torque on")
        zero_s = rehearsal.now_s + WARM_UP_S
        stamps_s, arrivals_s, goals = frames(signal, conditions, ahead)
        stamps = [Header(stamp=Time(seconds=WARM_UP_S + 1 + float(at_s)).to_msg()) for at_s in stamps_s]
        messages = [
            JointState(header=header, name=robot.names, position=row)
            for header, row in zip(stamps, robot.positions(goals).tolist(), strict=True)
        ]
        arrivals = Arrivals(rehearsal, deque(zip((arrivals_s + zero_s).tolist(), messages, strict=True)))
        rehearsal.node.topics = arrivals
        bank.begin(zero_s)
        bank.goals.take()
        while arrivals.commands:
            rehearsal.live(max(arrivals.commands[0][0] - rehearsal.now_s, 0.0))
            arrivals.take()
        rehearsal.live(max(zero_s + signal.length_s + TAIL_S - rehearsal.now_s, 0.0))
        return _trace(signal, bank, zero_s, arrivals_s, goals)
    finally:
        rehearsal.close()


def frames(
    signal: Signal, conditions: Conditions, ahead: Ahead | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return stamps (m,), arrivals (m,) and goals (m, n) of all frames; time 0 is the signal's, before it is warm-up.

    A frame shows the face of its stamp, and the frame of a step's time shows the step. No frame overtakes another.
    """
    rng = np.random.default_rng(conditions.seed)
    first = -int((WARM_UP_S - 0.1) * conditions.fps)
    stamps_s = np.arange(first, int((signal.length_s + TAIL_S) * conditions.fps) + 1) / conditions.fps
    jitter = np.clip(rng.normal(0, 1, len(stamps_s)), -JITTER_TAIL, JITTER_TAIL) * conditions.jitter_s
    arrivals_s = np.maximum.accumulate(stamps_s + np.maximum(conditions.latency_s + jitter, 0.0))
    goals = signal.goals(np.clip(stamps_s, 0.0, signal.length_s))
    if signal.noise:
        goals = np.clip(goals + rng.normal(0, signal.noise, goals.shape), 0, 1)
    if ahead is not None:
        goals = np.array([np.clip(ahead(s, row), 0, 1) for s, row in zip(stamps_s.tolist(), goals, strict=True)])
    return stamps_s, arrivals_s, goals


def _trace(signal: Signal, bank: SampledBank, zero_s: float, arrivals_s: FloatArray, commands: FloatArray) -> Trace:
    robot, count = bank.robot, round(signal.length_s / STEP_S)
    times_s = np.arange(min(count, len(bank.horns))) * STEP_S
    newest = np.maximum(np.searchsorted(arrivals_s, times_s, side="right") - 1, 0)
    return Trace(
        times_s=times_s,
        wanted=signal.goals(times_s),
        seen=commands[newest],
        goals=_wire_goals(bank, zero_s, times_s),
        horns=_goals_of(robot, np.array(bank.horns[: len(times_s)])),
    )


def _wire_goals(bank: SampledBank, zero_s: float, times_s: FloatArray) -> FloatArray:
    """Return the newest goals on the wire at ``times_s``, (k, n); a servo without a goal keeps its last one."""
    log = bank.goals.take()
    ticks = np.array([frame.ticks for frame in log], float)
    for k in range(1, len(ticks)):
        ticks[k] = np.where(ticks[k] == NOT_COMMANDED, ticks[k - 1], ticks[k])
    sent_s = np.array([frame.time_s for frame in log]) - zero_s
    newest = np.maximum(np.searchsorted(sent_s, times_s, side="right") - 1, 0)
    return _goals_of(bank.robot, ticks[newest])


def _goals_of(robot: Robot, ticks: FloatArray) -> FloatArray:
    return (robot.from_ticks(ticks) - robot.lower) / (robot.upper - robot.lower)
