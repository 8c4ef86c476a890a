"""When the states are read: the rate, and reads that do not get in the way of a stream of commands."""

import numpy as np
import pytest

from rena_ros.control.read_times import ReadTimes

TICK_S, PERIOD_S, READ_S = 0.01, 0.02, 0.005


def reads(seconds, commands=(), tick_late_s=lambda: 0.0, period_s=PERIOD_S):
    """Return the times at which a node reads that ticks at 100 Hz and gets commands at these times."""
    times, commands, found = ReadTimes(period_s), list(commands), []
    for k in range(round(seconds / TICK_S)):
        now_s = 1.0 + k * TICK_S + tick_late_s()
        while commands and 1.0 + commands[0] <= now_s:
            times.add_command(1.0 + commands.pop(0))
        if times.is_due(now_s):
            found.append(now_s - 1.0)
    return np.array(found)


def in_the_way(found, commands):
    """Return the share of the commands that come during a read."""
    since_s = np.array([(at_s - found[found <= at_s][-1]) for at_s in commands if at_s >= found[0]])
    return (since_s < READ_S).mean()


@pytest.mark.parametrize("period_s", [0.01, 0.02, 0.1])
def test_states_are_read_at_their_rate_though_ticks_are_late(period_s):
    late = np.random.default_rng(1)
    found = reads(10.0, tick_late_s=lambda: late.uniform(0, 0.002), period_s=period_s)
    assert len(found) == pytest.approx(10.0 / period_s, rel=0.02)


@pytest.mark.parametrize("rate_hz", [25.0, 30.0, 49.9])
@pytest.mark.parametrize("phase_s", [0.0, 0.003, 0.007])
def test_a_stream_of_commands_does_not_wait_for_reads_which_keep_their_rate(rate_hz, phase_s):
    rng = np.random.default_rng(2)
    count = round(20 * rate_hz)
    commands = np.sort(phase_s + np.arange(count) / rate_hz + rng.uniform(-0.001, 0.001, count))
    found = reads(20.0, commands)
    assert in_the_way(found, commands) < 0.03
    assert len(found) == pytest.approx(20.0 / PERIOD_S, rel=0.03)


@pytest.mark.parametrize("rate_hz", [100.0, 200.0])
def test_reads_keep_their_rate_when_a_command_is_always_expected(rate_hz):
    found = reads(10.0, np.arange(10 * rate_hz) / rate_hz - 0.001)
    assert len(found) == pytest.approx(10.0 / PERIOD_S, rel=0.03)


def test_a_read_is_put_off_by_one_tick_only_and_after_a_pause_reads_do_not_pile_up():
    commands = [0.0, 0.033, 0.066]  # the next one, expected at 0.099, does not come
    times = ReadTimes(PERIOD_S)
    for at_s in commands:
        times.add_command(at_s)
    assert not times.is_due(0.095) and times.is_due(0.105)
    assert times.is_due(1.0) and not times.is_due(1.004) and times.is_due(1.01)
    assert not times.is_due(1.02)
