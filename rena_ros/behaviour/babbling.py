"""The course of a collection session: try after try, rests, pauses and the end. No ROS, no clock: times are given.

States, readings and confirmations come in; the target to command and the markers of finished tries come out. While
something speaks against moving (see ``protection``), the robot eases to neutral, and what was tried is tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.behaviour.capture_delay import MOTION_S, DelayEstimate, DelayMeasurement
from rena_ros.behaviour.progress import Progress
from rena_ros.behaviour.protection import Protection
from rena_ros.behaviour.settling import StateHistory
from rena_ros.behaviour.trial import Trial, TrialSettings
from rena_ros.behaviour.worklist import FAULT, NO_FACE, STOPPED, Worklist
from rena_ros.recording.marker import ACCEPTED, SampleMarker
from rena_ros.robot.model import Robot

CONFIRM_S = 5.0  # without a confirmation while samples wait for one
CONFIRM_RETRY_S = 10.0
EASE_S = 3.0  # within that time the robot is neutral
PAUSED_BY_SERVICE = "the service pause; the service resume goes on"
UNCONFIRMED = "the recorder does not confirm that samples are stored"


class Phase(Enum):
    """What the session is doing."""

    PAUSED = "paused"
    EASING = "easing to neutral before the neck moves"
    MEASURING = "measuring the camera's delay"
    BABBLING = "babbling"
    RESTING = "resting"
    CONFIRMING = "waiting until the last samples are stored"
    LEAVING = "easing to neutral at the end"
    FINISHED = "finished"


@dataclass(frozen=True)
class Course:
    """``rest_every``: samples between two rests of ``rest_s`` at neutral (0: none). ``seed``: for the markers."""

    seed: int = 0
    rest_every: int = 0
    rest_s: float = 10.0


class Babbling:
    """One session. ``target``: float64 (n,) rad to command now; ``phase``; ``because``: why it is paused, or "".

    ``obstacle``: a cause to pause that only the caller knows, or "". ``now_s``: seconds of a clock that is never set;
    ``now_ns``: ROS time, which stamps states and pictures.
    """

    def __init__(
        self,
        robot: Robot,
        worklist: Worklist,
        protection: Protection,
        course: Course,
        settings: TrialSettings,
        measurement: DelayMeasurement | None = None,
        on_marker: Callable[[SampleMarker], None] = lambda _: None,
    ) -> None:
        """``measurement``: measure the delay first. ``on_marker`` is called for every try that is over."""
        self.worklist, self.protection, self.settings = worklist, protection, settings
        self.progress, self.states = Progress(), StateHistory(settings.tolerance_rad)
        self.phase, self.because, self.obstacle = Phase.PAUSED, "starting", ""
        self.delay: DelayEstimate | None = None
        self._robot, self._course, self._measurement, self._on_marker = robot, course, measurement, on_marker
        self._neutral = np.zeros(len(robot.names))
        self.target: FloatArray = self._neutral
        self._trial: Trial | None = None
        self._since_s, self._since_ns = 0.0, 0  # when the phase began
        self.is_asked_to_pause = self._asked_to_stop = False
        self._unrested, self._retry_s = 0, float("-inf")

    def state(self, stamp_ns: int, positions: FloatArray, now_s: float, now_ns: int) -> None:
        """Take a state of all servos, (n,) rad, NaN for a servo that did not reply."""
        self.states.add(stamp_ns, positions)
        self.protection.state(now_s)
        if self.phase is Phase.MEASURING and self._measurement:
            self._measurement.horn(stamp_ns, positions)
        self.advance(now_s, now_ns)

    def reading(self, image_ns: int, head_yaw: float | None, now_s: float, now_ns: int) -> None:
        """Take the reading of one picture; ``head_yaw``: rad, None when it shows no face."""
        self.protection.reading(head_yaw is not None, now_s)
        if self.phase is Phase.MEASURING and self._measurement and head_yaw is not None:
            self._measurement.seen(image_ns, head_yaw)
        if self._trial:
            self._trial.see(image_ns, head_yaw is not None, now_ns)
        self.advance(now_s, now_ns)

    def stored(self, index: int, now_s: float) -> None:
        """Take the recorder's confirmation of a sample."""
        if self._trial is None or self._trial.task.index != index:
            self.worklist.confirm(index, now_s)
            self._retry_s = now_s

    def pause(self) -> None:
        """Pause until ``resume``."""
        self.is_asked_to_pause = True

    def resume(self) -> None:
        """Go on, unless something else speaks against it."""
        self.is_asked_to_pause = False

    def stop(self) -> None:
        """End the session: ease to neutral, then finish."""
        self._asked_to_stop = True

    def advance(self, now_s: float, now_ns: int) -> None:
        """Let time pass: to be called often, 50 times a second or so.

        Raises RenaError when the delay is to be measured and cannot be.
        """
        self._guard(now_s, now_ns)
        if self.phase is Phase.BABBLING and self._trial:
            self._trial.watch(self.states, now_s)
            if self._trial.verdict:
                self._judge(self._trial, now_s, now_ns)
        elif self.phase is Phase.EASING and self._is_neutral(now_s):
            self._enter(Phase.MEASURING, now_s, now_ns)
        elif self.phase is Phase.MEASURING and self._measurement:
            self._measure(self._measurement, now_s, now_ns)
        elif self.phase is Phase.CONFIRMING or (
            self.phase is Phase.RESTING and now_s - self._since_s >= self._course.rest_s
        ):
            self._next(now_s, now_ns)
        elif self.phase is Phase.LEAVING and self._is_neutral(now_s):
            self._enter(Phase.FINISHED, now_s, now_ns)

    def _guard(self, now_s: float, now_ns: int) -> None:
        """Pause, go on, or end, as what is known demands."""
        if self.phase in (Phase.LEAVING, Phase.FINISHED):
            return
        if self._asked_to_stop:
            self._reject(STOPPED, now_s, now_ns)
            self._enter(Phase.LEAVING, now_s, now_ns)
            return
        unconfirmed = UNCONFIRMED if self._lacks_confirmation(now_s) else ""
        self.because = self.protection.because(now_s, self.obstacle, unconfirmed)
        if self.is_asked_to_pause:
            self.because = PAUSED_BY_SERVICE
        if self.because and self.phase is not Phase.PAUSED:
            self._reject(f"{FAULT}: {self.because}", now_s, now_ns)
            self._enter(Phase.PAUSED, now_s, now_ns)
        elif not self.because and self.phase is Phase.PAUSED:
            if self._measurement and self.delay is None:
                self._enter(Phase.EASING, now_s, now_ns)
            else:
                self._next(now_s, now_ns)

    def _lacks_confirmation(self, now_s: float) -> bool:
        if self.worklist.unconfirmed_s(now_s) > CONFIRM_S:
            self.worklist.give_up_waiting()
            self._retry_s = now_s + CONFIRM_RETRY_S
        return now_s < self._retry_s

    def _next(self, now_s: float, now_ns: int) -> None:
        """Begin the next try, a rest, or the end."""
        task = self.worklist.next()
        if task is None:
            phase = Phase.LEAVING if self.worklist.is_complete else Phase.CONFIRMING
            if phase is not self.phase:
                self._enter(phase, now_s, now_ns)
            return
        if self._course.rest_every and self._unrested >= self._course.rest_every:
            self._unrested = 0
            self._enter(Phase.RESTING, now_s, now_ns)
            return
        self._enter(Phase.BABBLING, now_s, now_ns)
        self.target = self._robot.positions(task.expression.goals)
        self._trial = Trial(task, self.target, now_ns, now_s, self.settings)

    def _judge(self, trial: Trial, now_s: float, now_ns: int) -> None:
        accepted = trial.verdict == ACCEPTED
        self._unrested += accepted
        if accepted or trial.verdict == NO_FACE:
            self.protection.tried(accepted)
        self.worklist.judge(trial.verdict, now_s)
        self._mark(trial, now_s, now_ns)
        self._guard(now_s, now_ns)
        if self.phase is Phase.BABBLING:
            self._next(now_s, now_ns)

    def _reject(self, verdict: str, now_s: float, now_ns: int) -> None:
        if self._trial:
            self._mark(self._trial, now_s, now_ns, verdict)

    def _mark(self, trial: Trial, now_s: float, now_ns: int, verdict: str = "") -> None:
        self._trial = None
        goals = dict(zip(self._robot.names, map(float, trial.task.expression.goals), strict=True))
        marker = trial.marker(self._course.seed, goals, verdict)
        self.progress.add(marker, now_s, now_ns)
        self._on_marker(marker)

    def _measure(self, measurement: DelayMeasurement, now_s: float, now_ns: int) -> None:
        elapsed_s = now_s - self._since_s
        if elapsed_s < MOTION_S:
            self.target = measurement.target(elapsed_s)
            return
        self.delay = measurement.estimate()
        self.settings = replace(self.settings, capture_delay_s=self.delay.delay_s)
        self._next(now_s, now_ns)

    def _is_neutral(self, now_s: float) -> bool:
        settled = self.states.settled_ns(self._neutral, self._since_ns)
        return settled is not None or now_s - self._since_s >= EASE_S

    def _enter(self, phase: Phase, now_s: float, now_ns: int) -> None:
        self.phase, self._since_s, self._since_ns = phase, now_s, now_ns
        if phase is not Phase.BABBLING:
            self.target = self._neutral
        if phase is Phase.MEASURING and self._measurement:
            self._measurement.clear()
