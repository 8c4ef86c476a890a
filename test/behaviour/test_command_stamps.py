"""Stamps of commands: those of images are equal to them, and no sequence of commands runs backwards."""

from itertools import pairwise

import pytest

from rena_ros.behaviour.command_stamps import BEHIND_NS, CommandStamps

SECOND = 1_000_000_000
NOW_NS = 1_790_000_000 * SECOND


@pytest.mark.parametrize("late_s", [0.01, 0.2, 2.0])
@pytest.mark.parametrize("rate_hz", [1, 30])
@pytest.mark.parametrize("start_ns", [3 * SECOND, NOW_NS])
def test_commands_between_images_never_overtake_the_next_image(late_s, rate_hz, start_ns):
    """Images from 0 s on, and a second of silence after every fifth; commands without an image at 50 Hz."""
    stamps, sent = CommandStamps(), []
    captured_s = [i / rate_hz + i // 5 for i in range(25)]
    images = [(t + late_s, start_ns + round(t * SECOND)) for t in captured_s]
    easing = [(0.02 * i, None) for i in range(int(50 * images[-1][0]))]
    for now_s, stamp_ns in sorted(images + easing, key=lambda event: event[0]):
        if stamp_ns is None:
            sent.append(stamps.between(start_ns + round(now_s * SECOND), now_s))
        else:
            stamps.note(stamp_ns, now_s)
            sent.append(stamp_ns)
    assert all(a < b for a, b in pairwise(sent))


def test_while_no_image_arrives_stamps_stay_a_bounded_time_behind():
    stamps = CommandStamps()
    stamps.note(NOW_NS, 100.0)
    sent = [stamps.between(7, 100 + i / 50) for i in range(1, 3000)]
    assert sent == sorted(set(sent))
    assert sent[-1] == NOW_NS + round(2999 / 50 * SECOND) - BEHIND_NS


def test_a_clock_that_is_set_back_sets_the_stamps_back():
    stamps = CommandStamps()
    assert stamps.between(50 * SECOND, 1.0) == 50 * SECOND - BEHIND_NS
    assert stamps.between(20 * SECOND, 1.1) == 20 * SECOND - BEHIND_NS
    stamps.note(NOW_NS, 2.0)
    stamps.note(NOW_NS - 60 * SECOND, 3.0)
    assert stamps.between(0, 3.02) == NOW_NS - 60 * SECOND + 1


def test_a_simulations_clock_at_zero_gives_stamps_that_are_not_negative():
    stamps = CommandStamps()
    assert [stamps.between(0, i / 50) for i in range(4)] == [0, 1, 2, 3]
    stamps.note(0, 1.0)  # not set
    assert stamps.between(0, 1.02) == 4
