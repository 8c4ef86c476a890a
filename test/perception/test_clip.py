"""A clip's own time: from 0, rising, without holes, whatever the stamps of its file say. The file is at 25 Hz."""

import pytest

from rena_ros.perception.clip import ClipTimes

PERIOD_S = 0.04


def times(*stamps_s):
    clip = ClipTimes(PERIOD_S)
    jumps, given = [], []
    for stamp_s in stamps_s:
        given.append(clip.add(stamp_s))
        if clip.jump:
            jumps.append(clip.jump)
        assert clip.next_s > given[-1]
    return given, jumps


@pytest.mark.parametrize(
    ("stamps_s", "expected_s", "jumps"),
    [
        ((0, 0.04, 0.08), (0, 0.04, 0.08), []),
        ((7.5, 7.54, 7.58), (0, 0.04, 0.08), []),  # recorded from the middle of a stream
        ((-0.08, -0.04, 0), (0, 0.04, 0.08), []),
        ((0, 0.03, 0.5, 0.54), (0, 0.03, 0.5, 0.54), []),  # a variable rate
        ((0, 1.0, 2.0), (0, 1.0, 2.0), []),
        ((0, 0.04, 500, 0.12), (0, 0.04, 0.08, 0.12), [(0.04, 500), (500, 0.12)]),  # one bad stamp
        ((0, 0.04, 3600.08, 3600.12), (0, 0.04, 0.08, 0.12), [(0.04, 3600.08)]),  # an hour is cut out
        ((100, 100.04, 0, 0.04), (0, 0.04, 0.08, 0.12), [(100.04, 0)]),  # the stream begins again
        ((0, 0.04, 0.04, 0.12), (0, 0.04, 0.08, 0.12), []),
        ((0, 0.08, 0.04, 0.16), (0, 0.08, 0.12, 0.16), []),
        ((None, None, None), (0, 0.04, 0.08), []),
        ((None, None, 9.0, 9.04), (0, 0.04, 0.08, 0.12), []),
        ((5.0, None, 5.08), (0, 0.04, 0.08), []),
        ((0, 0, 0, 0), (0, 0.04, 0.08, 0.12), []),
    ],
)
def test_the_time_of_a_clip(stamps_s, expected_s, jumps):
    given, seen = times(*stamps_s)
    assert given == pytest.approx(expected_s)
    assert seen == [pytest.approx(jump) for jump in jumps]


def test_the_next_frame_is_expected_after_the_shortest_time_so_far():
    clip = ClipTimes(PERIOD_S)
    for stamp_s in (0.0, 0.03, 0.5):
        last_s = clip.add(stamp_s)
    assert clip.next_s - last_s == pytest.approx(0.03)


def test_repeated_stamps_do_not_pile_up_for_ever():
    given, _ = times(*[0.0] * 200)
    assert given == pytest.approx([k * PERIOD_S for k in range(200)])
