"""The gate over a pty: what reaches the servos of what was commanded."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost
from rena_ros.bus.protocol import Parser, from_words
from rena_ros.bus.servo_model import ServoBank
from rena_ros.gate import GENTLE_S, KEEP_ALIVE_S, Gate
from rena_ros.motion import EASE, JERK_TIME_S
from rena_ros.robot import RAD_PER_TICK
from rena_ros.robot_file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]
PERIOD_S = 0.01


def goals_sent(servos):
    """Every SYNC_WRITE of goals so far, ticks (k, n)."""
    packets = [p for p in Parser().feed(servos.sent) if p.code == 0x83]
    rows = [np.frombuffer(packet.params[2:], np.uint8).reshape(-1, 3)[:, 1:] for packet in packets]
    return np.array([from_words(row, 15) for row in rows]).reshape(-1, len(ROBOT.names))


class Bench:
    """A gate with a clock of the test's own."""

    def __init__(self, servos):
        self.servos = servos
        self.now_s = 100.0
        self.gate = Gate(ROBOT, lambda: Bus(servos.path, ROBOT), PERIOD_S, command_timeout_s=0.5)
        self.gate.connect()

    def live(self, seconds):
        for _ in range(round(seconds / PERIOD_S)):
            self.now_s += PERIOD_S
            self.gate.tick(self.now_s)

    def sent(self):
        # Once a read is answered, everything before it has arrived; on a busy machine that takes several.
        assert any(self.gate.read(self.now_s).fresh.any() for _ in range(200))
        return goals_sent(self.servos)

    def up(self):
        assert self.gate.set_torque(True, self.now_s) == {}
        self.live(GENTLE_S + 0.5)

    def jaw(self, position):
        return self.gate.command(["jaw"], [position], self.now_s)


@pytest.fixture
def bench(servos):
    bench = Bench(servos)
    yield bench
    bench.gate.release()


def test_without_torque_commands_are_refused_and_nothing_is_written(bench):
    assert "torque is off" in bench.jaw(0.1).refusal
    bench.live(1.0)
    assert len(bench.sent()) == 0 and bench.gate.neutral(bench.now_s) is not None


def test_torque_on_starts_where_the_servos_are_and_eases_to_neutral(bench):
    away = ROBOT.neutral_ticks + 100 * (ROBOT.max_ticks > ROBOT.neutral_ticks + 100)
    bench.servos.bank = ServoBank(ROBOT, away)
    bench.up()
    path = bench.sent()
    # The first goals are for one period ahead of the first tick: two periods after the start, at full jerk.
    start = ROBOT.max_acceleration_rad_s2 / JERK_TIME_S * (2 * PERIOD_S) ** 3 / 6 / RAD_PER_TICK
    assert (np.abs(path[0] - away) <= start + 1).all()
    assert (path[-1] == ROBOT.neutral_ticks).all()
    fastest = EASE * ROBOT.max_speed_rad_s / RAD_PER_TICK * PERIOD_S
    assert (np.abs(np.diff(path, axis=0)) <= fastest + 1).all()


def test_a_command_is_written_at_once_and_followed_to_its_end(bench):
    bench.up()
    before = len(bench.sent())
    outcome = bench.jaw(0.4)
    assert outcome.last_byte_s is not None and outcome.refusal is None
    assert len(bench.sent()) == before + 1
    bench.live(0.4)
    path = bench.sent()[before:]
    assert path[-1][JAW] == round(2048 + 0.4 / RAD_PER_TICK)
    others = np.arange(25) != JAW
    assert (path[:, others] == ROBOT.neutral_ticks[others]).all()
    steps = np.abs(np.diff(path[:, JAW])) * RAD_PER_TICK / PERIOD_S
    assert steps.max() <= ROBOT.max_speed_rad_s[JAW] + RAD_PER_TICK / PERIOD_S


def test_what_does_not_change_is_repeated_only_now_and_then(bench):
    bench.up()
    before = len(bench.sent())
    bench.live(2.0)
    assert 2.0 / KEEP_ALIVE_S - 2 <= len(bench.sent()) - before <= 2.0 / KEEP_ALIVE_S + 1


def test_without_further_commands_it_holds_then_eases_to_neutral(bench):
    bench.up()
    bench.jaw(0.4)
    bench.live(0.49)
    wanted = round(2048 + 0.4 / RAD_PER_TICK)
    assert bench.sent()[-1][JAW] == wanted
    bench.live(1.0)
    assert bench.sent()[-1][JAW] == 2048


@pytest.mark.parametrize(
    ("names", "positions", "why"),
    [
        (["jaw"], [math.nan], "jaw: nan"),
        (["jaw"], [-math.inf], "jaw: -inf"),
        (["nose"], [0.1], "nose"),
        (["jaw", "jaw"], [0.1, 0.2], "jaw is named twice"),
        (["jaw"], [], "1 names but 0 positions"),
    ],
)
def test_a_malformed_command_is_refused_by_name_and_moves_nothing(bench, names, positions, why):
    bench.up()
    assert why in bench.gate.command(names, positions, bench.now_s).refusal
    bench.live(0.3)
    assert (bench.sent()[-1] == ROBOT.neutral_ticks).all()
    assert bench.gate.commands.refused == 1


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from((*ROBOT.names, "nose")), st.floats(), max_size=25), min_size=1, max_size=8)
)
def test_no_sequence_of_commands_brings_a_goal_outside_the_limits_to_the_wire(bench, commands):
    if not bench.gate.torque:
        bench.up()
    for command in commands:
        bench.gate.command(list(command), list(command.values()), bench.now_s)
        bench.live(0.05)
    assert bench.servos.bank.report()["limit_violations"] == 0
    path = bench.sent()
    away = np.abs(path - ROBOT.neutral_ticks) > 2
    for a, b in ROBOT.antagonist_pairs:
        assert not (away[:, a] & away[:, b]).any()


def test_a_pulled_cable_leaves_it_limp_until_torque_is_asked_for_again(bench):
    bench.up()
    bench.servos.pull_the_cable()
    with pytest.raises(PortLost):
        bench.gate.read(bench.now_s)
    bench.gate.lost()
    assert not bench.gate.torque and "not connected" in bench.jaw(0.1).refusal
    bench.live(0.1)
    assert bench.gate.release() == {}


def test_release_switches_torque_off_even_if_one_servo_does_not_answer(bench):
    bench.up()
    bench.servos.spoil = lambda frames: [frame for frame in frames if frame[2] != 5]
    assert set(bench.gate.release()) == {"eye_left_yaw"}
    assert not bench.servos.bank.torque.any()  # it did hear, it only could not answer
