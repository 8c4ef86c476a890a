"""The gate on emulated servos in virtual time: what reaches the wire of what was commanded, and what does not."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.bus.protocol import Instruction, from_words
from rena_ros.control.gate import GENTLE_S, KEEP_ALIVE_S, MIN_GAP_S, Gate
from rena_ros.control.torque_state import BLIND_S
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
COUNT = len(ROBOT.names)
JAW, NECK, UP, DOWN = (ROBOT.index[name] for name in ("jaw", "neck_yaw", "corner_left_up", "corner_left_down"))
PERIOD_S = 0.01


class Bench:
    """A gate whose timers are rung as the servos node does."""

    def __init__(self, positions=None, release_after_s=0.0):
        self.bank = ServoBank(ROBOT, positions)
        self.gate = Gate(ROBOT, lambda: Bus(VirtualPort(self.bank), ROBOT), PERIOD_S, 0.5, release_after_s)
        self.gate.connect()
        self.ticks = 0

    @property
    def now_s(self):
        return self.bank.now_s

    def live(self, seconds, each_tick=lambda: None):
        end_s, next_s = self.now_s + seconds, self.now_s
        while next_s < end_s:
            self.bank.advance(max(next_s - self.now_s, 0.0))
            self.gate.tick(self.now_s)
            self.ticks += 1
            if self.ticks % 2 == 0:
                self.gate.read(self.now_s)
            if self.ticks % 100 == 0:
                self.gate.check_torque(self.now_s)
            each_tick()
            next_s += PERIOD_S

    def path(self):
        """Every frame of goals since the last call, ticks (k, n), -1 for servos that it does not name."""
        frames = [goals.frame for goals in self.bank.goals.take() if goals.frame[4] == Instruction.SYNC_WRITE]
        path = np.full((len(frames), COUNT), -1)
        for ticks, frame in zip(path, frames, strict=True):
            table = np.frombuffer(frame[7:-1], np.uint8).reshape(-1, 3)  # id, position low, high
            ticks[np.searchsorted(ROBOT.ids, table[:, 0])] = from_words(table[:, 1:], 15)
        return path

    def up(self):
        assert self.gate.set_torque(True) == {}
        self.live(GENTLE_S + 0.5)
        self.path()

    def jaw(self, position):
        return self.gate.command(["jaw"], [position], self.now_s)

    def hold_jaw(self, position, seconds):
        """As a policy does: the same command again and again."""
        self.live(seconds, lambda: self.jaw(position))


@pytest.fixture
def bench():
    return Bench()


def jaw_ticks(position):
    return round(2048 + position / RAD_PER_TICK)


def test_connecting_moves_nothing_and_leaves_torque_as_it_is():
    bench = Bench()
    bench.bank.receive(b"\xff\xff\xfe\x04\x03\x28\x01\xd1")  # torque on, everybody
    bench.gate.drop_port()
    bench.gate = Gate(ROBOT, lambda: Bus(VirtualPort(bench.bank), ROBOT), PERIOD_S, 0.5)
    bench.gate.connect()
    bench.live(1.5)
    assert bench.bank.torque.all() and bench.bank.goals.count == 0
    assert bench.gate.torque_state.left_on.all() and not bench.gate.torque_state.driven.any()
    assert bench.gate.release() == {} and not bench.bank.torque.any()


def test_without_torque_commands_are_refused_and_nothing_is_written(bench):
    assert "torque is off" in bench.jaw(0.1).refusal
    bench.live(1.0)
    assert bench.bank.goals.count == 0 and "torque is off" in bench.gate.neutral(bench.now_s)


def test_torque_on_starts_where_the_servos_are_and_eases_to_neutral():
    away = ROBOT.neutral_ticks + 100 * (ROBOT.max_ticks > ROBOT.neutral_ticks + 100)
    bench, check = Bench(away), GoalCheck(ROBOT)
    assert bench.gate.set_torque(True) == {}
    assert (bench.bank.positions == away).all()
    bench.live(GENTLE_S + 0.5)
    log = list(bench.bank.goals.frames)
    check.add(log)
    assert check.limits + check.speed + check.acceleration == 0 and len(log) > 30
    assert check.top_speed <= 0.5
    assert (log[-1].ticks == ROBOT.neutral_ticks).all()


def test_a_command_is_written_at_once_and_followed_to_its_end(bench):
    bench.up()
    outcome = bench.jaw(0.4)
    assert outcome.last_byte_s == bench.now_s and outcome.refusal is None
    assert len(bench.path()) == 1
    bench.live(0.4)
    path = bench.path()
    others = np.arange(COUNT) != JAW
    assert path[-1][JAW] == jaw_ticks(0.4) and (path[:, others] == ROBOT.neutral_ticks[others]).all()


def test_what_does_not_change_is_repeated_only_now_and_then(bench):
    bench.up()
    bench.live(2.0)
    assert 2.0 / KEEP_ALIVE_S - 2 <= len(bench.path()) <= 2.0 / KEEP_ALIVE_S + 1


def test_a_flood_of_commands_is_no_flood_of_goals(bench):
    bench.up()
    start_s, count = bench.now_s, 0
    while bench.now_s < start_s + 0.1:
        bench.jaw(0.1 + 0.2 * (count % 2))
        bench.bank.advance(0.0002)
        count += 1
    assert count > 300 and len(bench.path()) <= 0.1 / MIN_GAP_S + 1
    bench.live(0.4)
    assert bench.path()[-1][JAW] == jaw_ticks(0.1 + 0.2 * ((count - 1) % 2))  # the last one counts


def test_without_further_commands_it_holds_then_is_at_neutral_within_a_second():
    bench = Bench()
    bench.up()
    ends = ROBOT.limit(ROBOT.names, np.where(-ROBOT.lower > ROBOT.upper, ROBOT.lower, ROBOT.upper), np.zeros(COUNT))
    bench.live(1.0, lambda: bench.gate.command(ROBOT.names, ends.positions, bench.now_s))
    begun_s = bench.now_s
    bench.live(0.45)
    assert (bench.path()[-1] == ROBOT.to_ticks(ends.positions)).all()
    bench.live(1.0 - (bench.now_s - begun_s))
    assert (bench.path()[-1] == ROBOT.neutral_ticks).all()


def test_after_a_longer_silence_torque_is_released_if_so_wished():
    bench = Bench(release_after_s=2.0)
    bench.up()
    bench.hold_jaw(0.3, 0.2)
    bench.live(2.3)
    assert bench.bank.torque.all() and bench.gate.torque
    bench.live(0.5)
    assert not bench.bank.torque.any() and "no command for" in bench.jaw(0.3).refusal


@pytest.mark.parametrize(
    ("names", "positions", "why"),
    [
        ([], [], "no joint"),
        (["jaw"], [math.nan], "jaw: nan"),
        (["jaw"], [-math.inf], "jaw: -inf"),
        (["nose"], [0.1], "nose is not a joint of this robot .position 0.1"),
        (["jaw", "jaw"], [0.1, 0.2], r"jaw is named twice .0.1, 0.2"),
        (["jaw"], [], "1 names but 0 positions, the first name is jaw"),
        # In this order: what is not finite is said before what is not known.
        (["nose", "jaw"], [0.1, math.nan], "jaw: nan"),
        (["x" * 5000], [0.1], r"^x{40}… is not"),
        (["ja\nw"], [0.1], r"^ja\?w is not"),
    ],
)
def test_a_malformed_command_is_refused_by_name_and_value_and_moves_nothing(bench, names, positions, why):
    bench.up()
    refusal = bench.gate.command(names, positions, bench.now_s).refusal
    assert re.search(why, refusal)
    bench.live(0.3)
    assert (bench.path() == ROBOT.neutral_ticks).all() and bench.gate.commands.refused == 1


names = st.sampled_from((*ROBOT.names, "nose", ""))
uneven = st.tuples(st.lists(names, max_size=30), st.lists(st.floats(), max_size=30))
matching = st.dictionaries(names, st.floats(), max_size=25)
within = st.dictionaries(st.sampled_from(ROBOT.names), st.floats(-1, 1), min_size=1)
commands = st.one_of(uneven, st.one_of(matching, within).map(lambda command: (list(command), list(command.values()))))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(commands, st.floats(0, 0.1)), min_size=1, max_size=10))
def test_whatever_is_commanded_what_crosses_the_wire_keeps_the_rules(some_commands):
    bench, check = Bench(), GoalCheck(ROBOT)
    assert bench.gate.set_torque(True) == {}
    for (some_names, positions), pause_s in some_commands:
        bench.gate.command(some_names, positions, bench.now_s)
        bench.live(pause_s)
    bench.live(0.1)
    check.add(bench.bank.goals.frames)
    assert check.violations == 0, check.examples


def test_stop_is_latched_until_reset_and_then_still_limp(bench):
    bench.up()
    bench.hold_jaw(0.3, 0.2)
    assert bench.gate.stop() == {} and not bench.bank.torque.any()
    bench.path()
    assert "stopped" in bench.jaw(0.3).refusal and "stopped" in bench.gate.neutral(bench.now_s)
    with pytest.raises(RenaError, match="reset"):
        bench.gate.set_torque(True)
    bench.gate.reset()
    assert "torque is off" in bench.jaw(0.3).refusal
    bench.live(1.5)
    assert bench.bank.goals.count and len(bench.path()) == 0 and not bench.bank.torque.any()
    assert bench.gate.set_torque(True) == {} and bench.bank.torque.all()


def test_overloaded_servos_do_not_keep_the_others_on_and_are_asked_again(bench):
    bench.up()
    three = {"jaw", "pucker", "neck_yaw"}
    bench.bank.inject("overload", *three)
    assert set(bench.gate.stop()) == three
    assert {ROBOT.names[i] for i in np.flatnonzero(bench.bank.torque)} == three
    bench.live(2.1)
    assert {ROBOT.names[i] for i in np.flatnonzero(bench.gate.torque_state.refusing)} == three
    assert set(bench.gate.torque_state.refusals) == three
    bench.bank.clear("overload")
    bench.live(1.1)
    assert (
        not bench.bank.torque.any()
        and not bench.gate.torque_state.refusing.any()
        and not bench.gate.torque_state.refusals
    )


def test_stop_while_disconnected_holds_at_the_reconnection(bench):
    bench.up()
    bench.bank.inject("unplugged")
    with pytest.raises(PortLost):
        bench.live(0.1)
    bench.gate.drop_port()
    assert bench.gate.stop() == {} and bench.bank.torque.all()  # they cannot be reached
    with pytest.raises(PortMissing):
        bench.gate.connect()
    bench.bank.clear("unplugged")
    bench.gate.connect()
    assert not bench.bank.torque.any() and "stopped" in bench.jaw(0.1).refusal


def test_a_pulled_cable_leaves_it_limp_until_torque_is_asked_for_again(bench):
    bench.up()
    bench.bank.inject("unplugged")
    with pytest.raises(PortLost):
        bench.live(0.1)
    bench.gate.drop_port()
    assert not bench.gate.torque and "not connected" in bench.jaw(0.1).refusal
    assert bench.gate.tick(bench.now_s) is None
    bench.bank.clear("unplugged")
    bench.gate.connect()
    assert not bench.bank.torque.any() and "the port was lost" in bench.jaw(0.1).refusal
    assert bench.gate.set_torque(True) == {} and bench.bank.torque.all()
    assert bench.gate.release() == {} and not bench.bank.torque.any()


def test_torque_that_is_gone_is_noticed_and_taken_up_again_only_when_asked(bench):
    bench.up()
    bench.hold_jaw(0.3, 0.5)
    bench.bank.inject("torque_lost", "jaw")
    bench.hold_jaw(0.3, 1.1)
    assert bench.gate.torque_state.lost[JAW] and bench.gate.torque_state.lost.sum() == 1
    bench.path()
    bench.hold_jaw(0.3, 0.5)
    assert (bench.path()[:, JAW] == -1).all() and not bench.bank.torque[JAW]
    where = bench.bank.positions[JAW]
    assert bench.gate.set_torque(True) == {} and bench.bank.torque.all()
    assert abs(bench.bank.positions[JAW] - where) <= 1
    bench.live(1.0)
    assert bench.path()[-1][JAW] == 2048


def test_a_servo_that_says_nothing_at_torque_on_gets_no_goals_and_moves_only_when_asked_for_again():
    away = ROBOT.neutral_ticks.copy()
    away[JAW] += 150
    bench = Bench(away)
    bench.bank.inject("dead", "jaw")
    assert set(bench.gate.set_torque(True)) == {"jaw"}
    bench.live(2.0)
    bench.bank.clear()
    bench.live(2.0)
    path = bench.path()
    assert (path[:, JAW] == -1).all() and (path[-1][np.arange(COUNT) != JAW] >= 0).all()
    assert bench.bank.positions[JAW] == 2198 and not bench.bank.torque[JAW]
    check = GoalCheck(ROBOT)
    assert bench.gate.set_torque(True) == {}
    bench.live(1.0)
    check.add(bench.bank.goals.frames)
    assert check.violations == 0 and bench.path()[-1][JAW] == 2048


def test_a_servo_that_does_not_know_where_it_is_gets_no_torque():
    bench = Bench()
    bench.bank.inject("encoder", "jaw")
    failures = bench.gate.set_torque(True)
    assert set(failures) == {"jaw"} and "encoder" in failures["jaw"]
    bench.live(1.0)
    assert not bench.bank.torque[JAW] and (bench.path()[:, JAW] == -1).all()
    state = bench.gate.read(bench.now_s)
    assert state.fresh.all() and np.flatnonzero(~state.position_known).tolist() == [JAW]


def test_a_servo_that_was_silent_goes_on_from_where_it_stands(bench):
    bench.up()
    bench.hold_jaw(0.4, 0.5)
    bench.bank.inject("dead", "jaw")
    bench.hold_jaw(0.4, BLIND_S + 0.3)
    bench.path()
    bench.hold_jaw(0.1, 1.0)
    assert (bench.path()[:, JAW] == -1).all()
    bench.bank.clear()
    bench.hold_jaw(0.1, 1.6)
    jaw = bench.path()[:, JAW]
    back = jaw[jaw >= 0]
    assert abs(back[0] - jaw_ticks(0.4)) <= 3 and back[-1] == jaw_ticks(0.1)
    assert (np.abs(np.diff(back)) <= ROBOT.max_speed_rad_s[JAW] / RAD_PER_TICK * PERIOD_S + 1).all()


def test_a_servo_that_lost_its_power_comes_back_limp_and_then_without_a_jump(bench):
    bench.up()
    bench.hold_jaw(0.4, 0.5)
    others = [name for name in ROBOT.names if name != "jaw"]
    bench.bank.attach(*others)
    bench.hold_jaw(0.1, 1.0)
    bench.bank.attach(*ROBOT.names)
    bench.path()
    bench.hold_jaw(0.1, 2.0)
    assert (bench.path()[:, JAW] == -1).all() and bench.gate.torque_state.lost[JAW]
    check = GoalCheck(ROBOT)
    assert bench.gate.set_torque(True) == {}
    bench.hold_jaw(0.1, 1.5)
    log = list(bench.bank.goals.frames)
    check.add(log)
    assert check.speed + check.limits == 0
    assert abs(log[0].ticks[JAW] - jaw_ticks(0.4)) <= 3 and log[-1].ticks[JAW] == jaw_ticks(0.1)


def test_the_antagonist_of_a_servo_that_cannot_be_reached_waits(bench):
    bench.up()
    up = ROBOT.upper[UP]
    bench.live(0.5, lambda: bench.gate.command(["corner_left_up"], [up], bench.now_s))
    bench.bank.inject("dead", "corner_left_up")
    bench.live(BLIND_S + 0.2, lambda: bench.gate.command(["corner_left_up"], [up], bench.now_s))
    bench.path()
    command = ["corner_left_up", "corner_left_down"], [0.0, ROBOT.upper[DOWN]]
    bench.live(0.6, lambda: bench.gate.command(*command, bench.now_s))
    assert (bench.path()[:, DOWN] == ROBOT.neutral_ticks[DOWN]).all()
    bench.bank.clear()
    bench.live(2.2, lambda: bench.gate.command(*command, bench.now_s))
    assert bench.path()[-1][DOWN] == ROBOT.max_ticks[DOWN]


@pytest.mark.parametrize("faults", [["dead"], ["reject"], ["stuck", "corrupt"], ["encoder"]])
def test_the_antagonist_of_one_that_did_not_hear_to_let_go_waits(bench, faults):
    bench.up()
    bench.live(1.0, lambda: bench.gate.command(["corner_left_up"], [0.6], bench.now_s))
    for fault in faults:
        bench.bank.inject(fault, "corner_left_up")
    swap = ["corner_left_up", "corner_left_down"], [0.0, 0.5]
    bench.live(3.0, lambda: bench.gate.command(*swap, bench.now_s))
    up, down = bench.bank.positions[[UP, DOWN]] - ROBOT.neutral_ticks[[UP, DOWN]]
    assert up > 300 and bench.bank.torque[UP] and abs(down) < 2
    bench.bank.clear()
    bench.live(3.0, lambda: bench.gate.command(*swap, bench.now_s))
    up, down = bench.bank.positions[[UP, DOWN]] - ROBOT.neutral_ticks[[UP, DOWN]]
    assert abs(up) < 2 and abs(down) > 300


def test_the_antagonist_of_a_servo_that_came_back_limp_does_not_wait(bench):
    bench.up()
    both = ["corner_left_up", "corner_left_down"]
    bench.live(0.5, lambda: bench.gate.command(both[:1], [ROBOT.upper[UP]], bench.now_s))
    bench.bank.attach(*(name for name in ROBOT.names if name != both[0]))
    bench.live(BLIND_S + 0.2, lambda: bench.gate.command(both[:1], [ROBOT.upper[UP]], bench.now_s))
    bench.path()
    bench.bank.attach(*ROBOT.names)
    bench.live(2.5, lambda: bench.gate.command(both, [0.0, ROBOT.upper[DOWN]], bench.now_s))
    path = bench.path()
    assert bench.gate.torque_state.lost[UP] and (path[:, UP] == -1).all()
    assert path[0][DOWN] == ROBOT.neutral_ticks[DOWN] and path[-1][DOWN] == ROBOT.max_ticks[DOWN]


def test_the_antagonist_of_a_jammed_servo_waits_until_its_horn_has_let_go(bench):
    bench.up()
    both = ["corner_left_up", "corner_left_down"]
    bench.live(0.5, lambda: bench.gate.command(both[:1], [ROBOT.upper[UP]], bench.now_s))
    bench.bank.inject("stuck", "corner_left_up")
    bench.path()
    bench.live(0.8, lambda: bench.gate.command(both, [0.0, ROBOT.upper[DOWN]], bench.now_s))
    path = bench.path()
    assert path[-1][UP] == ROBOT.neutral_ticks[UP] and (path[:, DOWN] == ROBOT.neutral_ticks[DOWN]).all()
    bench.bank.clear()
    bench.live(1.0, lambda: bench.gate.command(both, [0.0, ROBOT.upper[DOWN]], bench.now_s))
    assert bench.path()[-1][DOWN] == ROBOT.max_ticks[DOWN]


def test_a_servo_that_loses_its_sense_of_where_it_is_gets_no_more_goals_until_it_is_back(bench):
    bench.up()
    bench.hold_jaw(0.3, 0.5)
    bench.bank.inject("encoder", "jaw")
    bench.live(0.1)
    bench.path()
    bench.hold_jaw(0.5, 0.5)
    assert (bench.path()[:, JAW] == -1).all()
    bench.bank.clear()
    bench.hold_jaw(0.5, 2.0)
    assert bench.path()[-1][JAW] == jaw_ticks(0.5)


@pytest.mark.parametrize(("silent", "limit_s"), [(COUNT, 0.6), (12, 0.6), (3, 0.6)])
def test_a_stop_does_not_wait_long_for_dead_servos(bench, silent, limit_s):
    bench.up()
    bench.bank.inject("dead", *ROBOT.names[:silent])
    began_s = bench.now_s
    assert set(bench.gate.stop()) == set(ROBOT.names[:silent])
    assert bench.now_s - began_s < limit_s  # virtual time: what the patience adds up to
    assert not bench.bank.torque[silent:].any()


def test_an_overloaded_servo_gets_new_goals_only(bench):
    bench.up()
    bench.hold_jaw(0.4, 0.5)
    bench.bank.inject("overload", "jaw")
    bench.hold_jaw(0.4, 0.1)
    bench.path()
    bench.live(0.45, lambda: bench.gate.command(["jaw", "neck_yaw"], [0.4, 0.3], bench.now_s))
    path = bench.path()
    assert (path[:, JAW] == -1).all() and path[-1][NECK] > ROBOT.neutral_ticks[NECK] + 100
    bench.hold_jaw(0.3, 0.5)
    jaw = bench.path()[:, JAW]
    assert jaw[jaw >= 0][-1] == jaw_ticks(0.3)


def test_a_silent_servo_is_switched_off_when_it_is_back_after_a_stop(bench):
    bench.up()
    bench.bank.inject("dead", "jaw")
    bench.live(0.3)
    assert set(bench.gate.stop()) == {"jaw"} and bench.bank.torque[JAW]
    bench.live(1.1)
    assert not bench.gate.torque_state.refusing.any()  # nothing is known of it
    bench.bank.clear()
    bench.live(2.1)
    assert not bench.bank.torque.any() and not bench.gate.torque_state.refusals


def test_torque_on_in_the_middle_of_a_movement_changes_nothing_for_those_that_hold(bench):
    bench.up()
    bench.bank.inject("torque_lost", "pucker")
    bench.hold_jaw(0.4, 1.0)
    check = GoalCheck(ROBOT)
    bench.path()
    bench.gate.command(["neck_yaw"], [0.4], bench.now_s)
    bench.live(0.1)
    assert bench.gate.set_torque(True) == {}
    bench.live(0.1)
    log = list(bench.bank.goals.frames)
    check.add(log)
    assert check.violations == 0, check.examples
    alone = {i for goals in log if goals.frame[4] != Instruction.SYNC_WRITE for i in np.flatnonzero(goals.ticks >= 0)}
    assert alone == {ROBOT.index["pucker"]}
    assert log[-1].ticks[NECK] > ROBOT.neutral_ticks[NECK] + 50


def after_a_pause_that_ends_with_torque_on(bench):
    """The computer was busy, and of what has come in meanwhile the service is served first."""
    bench.bank.inject("torque_lost", "pucker")
    bench.hold_jaw(0.0, 2.5)

    def pause():
        bench.bank.advance(0.3)
        assert bench.gate.set_torque(True) == {}

    return pause


def after_a_pause_that_ends_with_a_servo_coming_back(bench):
    """The computer was busy, and of the timers that are late the one of ``check_torque`` rings first."""
    bench.bank.inject("dead", "pucker", for_s=0.7)
    bench.hold_jaw(0.0, 0.9)
    assert bench.gate.torque_state.silent.sum() == 1

    def pause():
        bench.bank.advance(0.3)
        bench.gate.check_torque(bench.now_s)
        assert not bench.gate.torque_state.silent.any()

    return pause


@pytest.mark.parametrize(
    "prepare", [after_a_pause_that_ends_with_torque_on, after_a_pause_that_ends_with_a_servo_coming_back]
)
def test_a_pause_in_which_somebody_is_taken_up_is_no_jump_for_the_others(bench, prepare):
    bench.up()
    pause = prepare(bench)
    bench.jaw(0.6)
    bench.live(0.05)
    before, start_s = bench.path()[-1][JAW], bench.now_s
    pause()
    assert bench.now_s - start_s > 0.2
    bench.live(0.02)
    fastest = ROBOT.max_speed_rad_s[JAW] * PERIOD_S / RAD_PER_TICK
    assert 0 <= bench.path()[0][JAW] - before <= fastest + 1
    bench.hold_jaw(0.6, 0.8)
    assert bench.path()[-1][JAW] == ROBOT.neutral_ticks[JAW] + round(0.6 / RAD_PER_TICK)


def test_a_servo_beyond_its_limits_is_brought_in_slowly():
    away = ROBOT.neutral_ticks.copy()
    away[NECK] = 4000
    bench = Bench(away)
    assert bench.gate.set_torque(True) == {}
    places, quarter = [], 0.25 * 1.2 * ROBOT.max_speed_rad_s[NECK] / RAD_PER_TICK
    bench.live(4.0, lambda: places.append((bench.now_s, int(bench.bank.positions[NECK]))))
    # A way of more than two seconds: longer than commands are followed slowly after torque on.
    outside = np.array([(time_s, place) for time_s, place in places if place > ROBOT.max_ticks[NECK] + 4])
    assert outside[-1, 0] - outside[0, 0] > 2.5
    assert (-np.diff(outside[:, 1]) <= quarter * np.diff(outside[:, 0]) + 1).all()
    bench.live(2.0)
    assert bench.bank.positions[NECK] == 2048
    bench.live(0.3, lambda: bench.gate.command(["neck_yaw"], [0.5], bench.now_s))
    assert bench.bank.positions[NECK] - 2048 > 1.3 * quarter * 0.3  # as fast as all again


def test_release_switches_torque_off_even_if_one_servo_does_not_answer(bench):
    bench.up()
    bench.bank.inject("truncated", "eye_left_yaw")
    assert set(bench.gate.release()) == {"eye_left_yaw"}
    assert not bench.bank.torque.any()  # it did hear, it only could not answer


def test_a_port_that_is_back_when_leaving_is_used_to_switch_torque_off(bench):
    bench.up()
    bench.bank.inject("unplugged")
    with pytest.raises(PortLost):
        bench.gate.read(bench.now_s)
    bench.gate.drop_port()
    assert bench.gate.release() is None and bench.bank.torque.all()  # it is not back yet
    bench.bank.clear()
    assert bench.gate.release() == {} and not bench.bank.torque.any() and bench.gate.bus is None


def test_who_could_not_be_taken_up_does_not_keep_its_torque(bench, monkeypatch):
    switch = bench.gate.bus.set_torque

    def then_none_knows_where_it_is(on, names):
        failures = switch(on, names)
        bench.bank.inject("encoder")
        return failures

    with monkeypatch.context() as patched:
        patched.setattr(bench.gate.bus, "set_torque", then_none_knows_where_it_is)
        assert set(bench.gate.set_torque(True)) == set(ROBOT.names)
    assert bench.bank.torque.all() and not bench.gate.torque
    bench.live(1.1)
    assert not bench.bank.torque.any() and bench.bank.goals.count == COUNT  # those of switching on


def test_a_torque_register_in_another_mode_is_neither_on_nor_off(bench):
    bench.up()
    bench.bank.set_register("neck_yaw", "torque_enable", 2)  # as another program might write it
    bench.live(1.1)
    assert bench.gate.torque_state.lost[NECK] and not bench.gate.torque_state.driven[NECK]
    bench.gate.stop()
    bench.bank.set_register("neck_yaw", "torque_enable", 2)
    bench.gate.check_torque(bench.now_s)
    assert not bench.gate.torque_state.refusing.any() and bench.bank.read_register("neck_yaw", "torque_enable") == 0


def test_a_servo_whose_power_failed_for_a_moment_does_not_stay_on_without_its_speed_limit(bench):
    bench.up()
    bench.bank.power_cycle("jaw")
    bench.bank.set_register("jaw", "torque_enable", 1)  # STS servos are said to do this themselves at the next goal
    bench.hold_jaw(0.3, 1.1)
    assert not bench.bank.torque[JAW] and bench.bank.torque.sum() == COUNT - 1
    assert bench.gate.torque_state.lost[JAW] and not bench.gate.torque_state.driven[JAW]
    bench.path()
    bench.hold_jaw(0.3, 1.1)
    assert (bench.path()[:, JAW] == -1).all()
    assert bench.gate.set_torque(True) == {} and bench.bank.torque.all()
    bench.hold_jaw(0.3, 1.1)
    assert bench.gate.torque_state.driven.all() and bench.path()[-1][JAW] > ROBOT.neutral_ticks[JAW] + 100
