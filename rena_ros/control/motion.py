"""Jerk-limited motion of all joints from where they are to their target. No I/O, no clock: the caller passes the time.

Every new target makes a new time-optimal trajectory (ruckig, joints independent of each other) from the position,
speed and acceleration of that moment, so a changed target never makes a joint jump. Every trajectory ends at rest
inside the limits, so there is always room to stop: the limits hold for the whole way, not only at its end.

Five things are done beyond that:

* A goal that was sent cannot be taken back: a new trajectory begins where the last goal sent left off (``mark_sent``),
  so the limits hold between any two goals, however close together they are sent.
* Each trajectory plans to stop, so going from command to command lags. ``follow`` therefore aims at where the stream
  of commands will be (see ``stream``), anew every few ms, and takes this lead back when no further command comes.
* Of two antagonists only one may pull. The limiter ensures this for targets; here the one that is to pull waits at
  neutral until the other's goals, and its horn as far as known, are back at neutral.
* A motion that was planned before, such as a recorded one, is followed point by point as it is, while it keeps the
  limits (``track``). When its points cease, the joints brake, within the limits of acceleration, from the last one on.
* A servo that cannot be reached stays at its last goal (``hold``), and its antagonists wait for it.
"""

import contextlib
from dataclasses import replace

import numpy as np
from ruckig import InputParameter, Result, Ruckig, RuckigError, Synchronization, Trajectory

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.control.stream import CommandStream
from rena_ros.control.track import COAST_S, LastPoint, TrackLimits
from rena_ros.robot.model import RAD_PER_TICK, Robot

JERK_TIME_S = 0.02  # full acceleration is reached in this time: jerk limit = acceleration limit / JERK_TIME_S
EASE_SCALE = 0.5  # of the speed limit, for easing to neutral: about 0.42 s at most with config/rena.yaml
_AT_REST_RAD_S = 0.05
_STILL_OUT_RAD = 0.1  # a horn this far from neutral still pulls, whatever its goals are: it may be jammed
_SOON_S = 0.01  # a joint that leaves neutral within this time counts as away from it
# ruckig 0.19 fails at isolated starting points where one phase has length zero (such as at rest, 2 acceleration^3 /
# jerk^2 from the target: seen after 100,000 random commands). A nudge has always helped.
_NUDGES_RAD = (0.0, 1e-9, -1e-9, 1e-7)

State = tuple[list[float], list[float], list[float]]  # positions, speeds, accelerations


class Motion:
    """The motion of a robot: positions in rad, float64 (n,); times in s of any clock that never goes back."""

    def __init__(self, robot: Robot, positions: FloatArray, now_s: float) -> None:
        """Begin at rest at ``positions``, clipped to the limits."""
        self._robot = robot
        self._ruckig = Ruckig(len(robot.names))
        self._track_limits = TrackLimits(robot)
        self._input = InputParameter(len(robot.names))
        self._input.synchronization = Synchronization.No
        self._input.max_acceleration = robot.max_acceleration_rad_s2.tolist()
        pairs = np.array(robot.antagonist_pairs, int).reshape(-1, 2)
        self._pulling, self._other = np.concatenate((pairs, pairs[:, ::-1])).T  # each of a pair, and the other one
        self._input.max_jerk = (robot.max_acceleration_rad_s2 / JERK_TIME_S).tolist()
        self.reset(positions, now_s)

    @property
    def target(self) -> FloatArray:
        """The last limited target, rad (n,)."""
        return self._target.copy()

    def reset(self, positions: FloatArray, now_s: float) -> None:
        """Be at rest at ``positions``, clipped to the limits, and stay there."""
        self._target = self._accepted(np.clip(positions, self._robot.lower, self._robot.upper))
        # Aim: the target with the lead. Planned: the trajectory's end: the aim, but for joints that wait or are held.
        self._aim = self._planned = self._target
        self._stream, self._following = CommandStream(self._target, self._robot.max_speed_rad_s), False
        self._speed_scale, self._sent_for_s = 1.0, -np.inf
        self._sent_positions = self._target  # kept, because a new trajectory may be planned while nothing can be sent
        self._start_s = now_s
        self._trajectory: Trajectory | None = None
        self._coasting, self._point_s = False, -np.inf  # points are awaited; when the last one came
        self._last_point = LastPoint(self._target, np.zeros(len(self._target)), self._robot.max_acceleration_rad_s2)
        self._held = np.zeros(len(self._target), bool)
        self._held_positions = self._target
        self._still_out = np.zeros(len(self._target), bool)

    def observe(self, positions: FloatArray, pulling: BoolArray) -> None:
        """Take the last known positions of the horns, rad (n,), and which servos have torque, bool (n,)."""
        self._still_out = pulling & (np.abs(positions) > _STILL_OUT_RAD)

    def place(self, which: BoolArray, positions: FloatArray, now_s: float) -> None:
        """Take the joints of ``which``, bool (n,), to be at rest at ``positions``, rad (n,), clipped to the limits.

        They are no longer held and go on from there to the target; nothing changes for the other joints.
        """
        start_s = max(now_s, self._sent_for_s)
        position, speed, acceleration = map(np.array, self._leave_track(start_s))
        position[which] = np.clip(positions, self._robot.lower, self._robot.upper)[which]
        speed[which] = acceleration[which] = 0.0
        self._sent_positions = np.where(which, position, self._sent_positions)
        self._held = self._held & ~which
        if not self._plan_from((position.tolist(), speed.tolist(), acceleration.tolist()), start_s):
            # At rest there; ``update`` tries again.
            self._planned, self._trajectory = position, None
            self._last_point = LastPoint(position, np.zeros(len(position)), self._robot.max_acceleration_rad_s2)

    def hold(self, which: BoolArray, now_s: float) -> None:
        """Keep the joints of ``which``, bool (n,), at their last goals until ``place`` releases them."""
        sent = self._sent_positions
        self.place(which, sent, now_s)
        self._held_positions = np.where(self._held, self._held_positions, sent)
        self._held = self._held | which
        self._plan(now_s)

    def restart_from_sent(self, now_s: float) -> None:
        """Assume that every joint not held rests at its last goal, and go on to the target from there."""
        self.place(~self._held, self._sent_positions, now_s)

    def move(self, target: FloatArray, now_s: float, speed_scale: float = 1.0) -> None:
        """Go to ``target``, rad (n,), and stay, at ``speed_scale`` times the permitted speed.

        Raises ValueError when the target is not finite or outside the limits.
        """
        self._target = self._aim = self._accepted(target)
        self._speed_scale = speed_scale
        self.end_stream()
        self._plan(now_s)

    def follow(
        self,
        target: FloatArray,
        now_s: float,
        speed_scale: float = 1.0,
        velocity: FloatArray | None = None,
        stamp_s: float = np.nan,
    ) -> None:
        """Go to ``target``, rad (n,), as one of a stream of commands, aiming ahead; raises as ``move`` does.

        ``stamp_s``: the command's stamp, see ``CommandStream.add``.

        With ``velocity``, rad/s (n,), it is a point of a motion planned before, and at full speed ``track`` is tried.
        """
        target = self._accepted(target)
        if velocity is not None and speed_scale == 1.0 and self.track(target, velocity, now_s):
            return
        self._stream.add(target, now_s, stamp_s)
        self._target, self._following, self._speed_scale = target, True, speed_scale
        self._look_ahead(now_s)
        self._plan(now_s)

    def track(self, position: FloatArray, velocity: FloatArray, now_s: float) -> bool:
        """Be at ``position``, rad (n,), with ``velocity``, rad/s (n,): the next point of a motion planned before.

        Returns False, and changes nothing, where it would break a limit or an antagonist would have to wait. Without a
        further point for ``COAST_S`` the joints brake. Raises as ``move`` does.
        """
        position = self._accepted(position)
        last = self._last_point
        before = (last.position, last.velocity) if self._coasting else self._sent()
        first = not (self._coasting or self._braking())
        aim, self._aim = self._aim, position
        waits = not np.array_equal(
            self._permitted((position.tolist(), velocity.tolist(), [0.0] * len(position))), position
        )
        if waits or not self._track_limits.accepts(before, (position, velocity), now_s, first):
            self._aim = aim
            return False
        self._target = self._planned = position
        self._last_point = LastPoint(position, velocity, self._robot.max_acceleration_rad_s2)
        self._trajectory, self._coasting, self._point_s = None, True, now_s
        self._speed_scale = 1.0
        self.end_stream()
        return True

    def end_stream(self) -> None:
        """Take the next command to follow as the first of a stream."""
        self._stream.end(self._target)
        self._following, self._aim = False, self._target

    def ease_to_neutral(self, now_s: float) -> None:
        """Go to neutral at ``EASE_SCALE`` times the permitted speed."""
        self.move(np.zeros(len(self._robot.names)), now_s, EASE_SCALE)

    def update(self, now_s: float) -> None:
        """Go on with the stream of commands; start joints that waited. To be called every few ms."""
        self._look_ahead(now_s)
        if self._coasting and now_s - self._point_s >= COAST_S:
            self._coasting = False
            point = self._last_point
            limited = self._robot.limit(self._robot.names, point.end.tolist(), point.position)
            self._target = self._aim = self._planned = limited.positions
        state = self._state(max(now_s, self._sent_for_s))
        if not np.array_equal(self._planned, self._permitted(state)):
            self._plan(now_s)

    def mark_sent(self, time_s: float) -> None:
        """Note that the positions of ``time_s`` have been sent as goals: the next trajectory begins there."""
        self._sent_for_s = max(time_s, self._sent_for_s)
        self._sent_positions = self.at(self._sent_for_s)
        if self._coasting and self._last_point.time_s is None:
            self._last_point = replace(self._last_point, time_s=self._sent_for_s)

    def at(self, time_s: float) -> FloatArray:
        """Return the positions at ``time_s``, not before the trajectory's start, rad (n,), inside the limits."""
        return self._inside(np.array(self._state(time_s)[0]))

    def velocity(self, time_s: float) -> FloatArray:
        """Return the planned velocities at ``time_s``, rad/s (n,)."""
        return np.array(self._state(time_s)[1])

    def _look_ahead(self, now_s: float) -> None:
        """Aim at where the stream of commands will be, inside the limits."""
        if self._following:
            aim = self._stream.at(now_s)
            self._aim = self._robot.limit(self._robot.names, aim.tolist(), self._target).positions

    def _sent(self) -> tuple[FloatArray, FloatArray]:
        """Return positions and velocities of the last goals that were sent."""
        return self._sent_positions, self.velocity(self._sent_for_s)

    def _braking(self) -> bool:
        return self._trajectory is None and any(self._state(self._sent_for_s)[1])

    def _inside(self, positions: FloatArray) -> FloatArray:
        return np.clip(positions, self._robot.lower, self._robot.upper)

    def _accepted(self, target: FloatArray) -> FloatArray:
        target = np.array(target, np.float64)
        robot = self._robot
        good = (target >= robot.lower - 1e-9) & (target <= robot.upper + 1e-9)  # False for NaN
        if target.shape != robot.lower.shape or not good.all():
            wrong = [f"{name} {value}" for name, value, ok in zip(robot.names, target, good, strict=True) if not ok]
            raise ValueError(f"not a target inside the limits: {', '.join(wrong) or target.shape}")
        return np.clip(target, robot.lower, robot.upper)

    def _permitted(self, state: State) -> FloatArray:
        """Return the aim, with joints that wait for their antagonist at neutral and held joints where they are held."""
        aim = np.where(self._held, self._held_positions, self._aim) if self._held.any() else self._aim
        wanted = (np.abs(aim) > 0) & ~self._held
        pulling = wanted[self._pulling] & ~wanted[self._other]
        if not pulling.any():
            return aim
        position, speed, acceleration = map(np.array, state)
        soon = position + speed * _SOON_S + acceleration * _SOON_S**2 / 2  # not there yet, but about to leave neutral
        away = np.maximum(np.abs(position), np.abs(soon)) > RAD_PER_TICK
        away |= (np.abs(speed) > _AT_REST_RAD_S) | self._still_out
        waiting = self._pulling[pulling & away[self._other]]
        if waiting.size:
            aim = aim.copy() if aim is self._aim else aim
            aim[waiting] = 0.0
        return aim

    def _plan(self, now_s: float) -> None:
        start_s = max(now_s, self._sent_for_s)
        self._plan_from(self._leave_track(start_s), start_s)

    def _leave_track(self, start_s: float) -> State:
        """Return the state from which another motion begins: the joints brake only near limits and antagonists."""
        coasting, self._coasting = self._coasting, False
        state = self._state(start_s)
        if self._trajectory is not None:
            return state
        position, speed, acceleration = map(np.array, state)
        top_acceleration = self._robot.max_acceleration_rad_s2
        # No more than can end when the joint stands: else the limited jerk would send it back.
        most = np.sqrt(2 * top_acceleration / JERK_TIME_S * np.abs(speed))
        acceleration = np.clip(acceleration, -most, most)
        stop = position + speed * (np.abs(speed) / top_acceleration + JERK_TIME_S) / 2
        room = stop == self._robot.limit(self._robot.names, stop.tolist(), stop).positions
        return state[0], state[1], np.where(room & coasting, 0.0, acceleration).tolist()

    def _plan_from(self, state: State, start_s: float) -> bool:
        """Plan a new trajectory; return whether there is one.

        If not, the old one goes on to its end, at rest inside the limits, and ``update`` tries again.
        """
        planned = self._permitted(state)
        trajectory = self._trajectory_to(planned, state)
        if trajectory is not None:
            self._planned, self._trajectory, self._start_s = planned, trajectory, start_s
        return trajectory is not None

    def _trajectory_to(self, target: FloatArray, state: State) -> Trajectory | None:
        plan = self._input
        position, plan.current_velocity, plan.current_acceleration = state
        plan.target_position = target.tolist()
        plan.max_velocity = (self._robot.max_speed_rad_s * self._speed_scale).tolist()
        for nudge in _NUDGES_RAD:
            plan.current_position = [joint + nudge for joint in position]
            trajectory = Trajectory(len(position))
            with contextlib.suppress(RuckigError, ValueError):  # ValueError: a result that the binding lacks
                if self._ruckig.calculate(plan, trajectory) in (Result.Working, Result.Finished):
                    return trajectory
        return None

    def _state(self, time_s: float) -> State:
        if self._trajectory is None:
            if self._coasting:
                return self._last_point.state
            position, speed, acceleration = self._last_point.braking(time_s)
            return self._inside(position).tolist(), speed.tolist(), acceleration.tolist()
        position, speed, acceleration = self._trajectory.at_time(max(time_s - self._start_s, 0.0))
        return position, speed, acceleration
