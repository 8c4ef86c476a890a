"""The stream of commands against signals whose future is known: ramps, parabolas, steps, zigzags, noise."""

import numpy as np
import pytest

from rena_ros.control.stream import HOLD_S, LEAD_S, STREAM_S, CommandStream

FRAME_S = 1 / 30
TOP_RAD_S = 4.0


def fed(signal, frames=30):
    """A stream of one joint after so many frames of a signal of time, and the time of the last."""
    stream = CommandStream(np.array([signal(0.0)]), np.array([TOP_RAD_S]))
    for k in range(frames):
        stream.add(np.array([signal(k * FRAME_S)]), k * FRAME_S)
    return stream, (frames - 1) * FRAME_S


def led(stream, time_s):
    return float(stream.at(time_s)[0])


def test_a_ramp_is_led_on_exactly():
    stream, now_s = fed(lambda t: 0.1 + 0.05 * t, 40)
    for since_s in (0.0, 0.01, FRAME_S):
        assert led(stream, now_s + since_s) == pytest.approx(0.1 + 0.05 * (now_s + since_s + LEAD_S), abs=1e-5)


def test_a_slowing_parabola_is_led_to_where_it_stands_and_not_back():
    # x = v t - a t^2 / 2 stands at v / a = 1 s: just after the last frame.
    stream, now_s = fed(lambda t: t - t * t / 2, frames=30)
    assert now_s < 1 < now_s + FRAME_S + LEAD_S
    assert led(stream, now_s + FRAME_S) == pytest.approx(0.5, abs=2e-3)
    path = [led(stream, t) for t in now_s + np.arange(0, FRAME_S, 0.001)]
    assert (np.diff(path) >= 0).all()


def test_a_parabola_that_grows_faster_is_led_along_its_tangent():
    # The tangent at the last frame: x + v t, v = a t. Nothing is led farther than the signal itself goes.
    stream, now_s = fed(lambda t: t * t / 2)
    true, tangent = (now_s + LEAD_S) ** 2 / 2, now_s**2 / 2 + now_s * LEAD_S
    assert tangent - 2e-3 < led(stream, now_s) <= true


def test_a_step_is_not_led_beyond_its_end():
    stream, now_s = fed(lambda t: 0.0 if t < 0.5 else 0.4)
    assert led(stream, now_s) == 0.4
    stream, now_s = fed(lambda t: 0.4 if t > 28.5 * FRAME_S else 0.0)  # the last frame is the step
    assert led(stream, now_s + 0.02) == 0.4


def test_of_a_zigzag_nothing_is_led():
    stream, now_s = fed(lambda t: 0.1 * (round(t / FRAME_S) % 2))
    assert led(stream, now_s) == stream.target[0]


def test_the_first_command_that_turns_back_is_not_led():
    stream, now_s = fed(lambda t: 0.05 * t, 40)
    back = stream.target - 0.01
    stream.add(back, now_s + FRAME_S)
    assert led(stream, now_s + FRAME_S) == back[0]


def test_of_noise_at_rest_little_is_led():
    rng = np.random.default_rng(0)
    stream, led_away = CommandStream(np.zeros(25), np.full(25, TOP_RAD_S)), []
    for k in range(600):
        target = rng.normal(0, 1e-3, 25)
        stream.add(target, k * FRAME_S)
        led_away.append(stream.at(k * FRAME_S) - target)
    assert np.std(led_away) < 0.2e-3


def test_of_a_movement_too_quick_for_its_frames_little_is_led():
    slow, _ = fed(lambda t: 0.1 * np.sin(2 * np.pi * t), 61)
    quick, now_s = fed(lambda t: 0.1 * np.sin(2 * np.pi * 6 * t), 61)
    assert abs(led(slow, now_s) - slow.target[0]) / (0.1 * 2 * np.pi * LEAD_S) > 0.8
    assert abs(led(quick, now_s) - quick.target[0]) / (0.1 * 2 * np.pi * 6 * LEAD_S) < 0.2


def test_the_lead_waits_when_the_next_command_is_overdue_and_is_taken_back():
    stream, now_s = fed(lambda t: 0.5 * t)
    waiting = led(stream, now_s + FRAME_S)
    assert led(stream, now_s + HOLD_S - 1e-3) == pytest.approx(waiting)
    assert led(stream, now_s + HOLD_S + 1e-3) == stream.target[0]


@pytest.mark.parametrize("pause_s", [STREAM_S[1] * 1.01, STREAM_S[0] * 0.99, 0.0, -1.0])
def test_after_a_pause_or_a_repeated_command_nothing_is_led(pause_s):
    stream, now_s = fed(lambda t: 0.5 * t)
    stream.add(np.array([0.9]), now_s + pause_s)
    assert led(stream, now_s + pause_s) == 0.9


def test_the_speed_of_a_jump_is_no_higher_than_the_joint_can_go():
    stream = CommandStream(np.zeros(1), np.array([TOP_RAD_S]))
    for k, position in enumerate((0.0, 10.0, 20.0, 30.0)):
        stream.add(np.array([position]), k * FRAME_S)
    assert 30 <= led(stream, 3 * FRAME_S) <= 30 + 2 * TOP_RAD_S * LEAD_S


def test_commands_that_come_unevenly_are_led_as_evenly_as_their_stamps_say():
    rng = np.random.default_rng(1)
    stream, even = CommandStream(np.zeros(1), np.array([TOP_RAD_S])), CommandStream(np.zeros(1), np.array([TOP_RAD_S]))
    for k in range(30):
        stamp_s = k * FRAME_S
        came_s = stamp_s + float(rng.uniform(0.015, 0.03))
        target = np.array([0.3 * np.sin(2 * np.pi * stamp_s)])
        stream.add(target, came_s, 1e9 + stamp_s)
        even.add(target, stamp_s)
        assert led(stream, came_s) == pytest.approx(led(even, stamp_s), abs=1e-6)


@pytest.mark.parametrize("stamp_s", [np.nan, 1e9, 1e9 - 1, 1e9 + 50])
def test_stamps_that_say_something_else_entirely_do_not_count(stamp_s):
    stream = CommandStream(np.zeros(1), np.array([TOP_RAD_S]))
    for k in range(30):
        stream.add(np.array([0.5 * k * FRAME_S]), k * FRAME_S, 1e9 + k * FRAME_S)
    stream.add(np.array([0.5 * 30 * FRAME_S]), 30 * FRAME_S, stamp_s)
    assert led(stream, 30 * FRAME_S) == pytest.approx(0.5 * (30 * FRAME_S + LEAD_S), abs=1e-4)
