from itertools import islice, pairwise, takewhile

import numpy as np
import pytest

from rena_ros.strategy.eyes import Blink, draw_blinks, draw_saccades, saccade_duration_s


@pytest.mark.parametrize(("rate", "spread"), [(17.0, 1.0), (26.0, 1.5), (4.5, 0.5)])
def test_blinks_come_as_often_as_people_blink(rate, spread):
    minutes = 60
    blinks = list(takewhile(lambda blink: blink.start_s < 60 * minutes, draw_blinks(np.random.default_rng(1), rate)))
    assert len(blinks) / minutes == pytest.approx(rate, abs=spread)  # four standard errors
    assert all(after.start_s > before.end_s for before, after in pairwise(blinks))


def test_blinks_last_as_long_as_peoples():
    blinks = list(islice(draw_blinks(np.random.default_rng(2)), 2000))
    closing = np.mean([blink.closing_s for blink in blinks])
    assert closing == pytest.approx(0.0776 / 1.176, abs=0.002)
    assert 1.67 < np.mean([blink.opening_s for blink in blinks]) / closing < 1.89  # 40 to 47 % slower
    durations = [blink.end_s - blink.start_s for blink in blinks]
    assert min(durations) > 0.1 and np.mean(np.array(durations) < 0.4) > 0.98
    assert np.mean([blink.depth == 1 for blink in blinks]) == pytest.approx(0.476, abs=0.04)


def test_a_blink_closes_the_lids_and_opens_them_again():
    blink = Blink(1.0, 0.06, 0.04, 0.1, depth=0.8)
    assert blink.end_s == pytest.approx(1.2)
    assert [blink.closure(t_s) for t_s in (0.0, 1.0, 1.2, 9.0)] == pytest.approx([0, 0, 0, 0], abs=1e-9)
    assert [blink.closure(t_s) for t_s in (1.06, 1.08, 1.1)] == pytest.approx([0.8, 0.8, 0.8])
    assert blink.closure(1.03) == pytest.approx(0.4) and blink.closure(1.15) == pytest.approx(0.4)  # half way


def test_saccades_follow_the_main_sequence():
    assert saccade_duration_s(np.radians(10)) == pytest.approx(0.043)  # 2.2 ms a degree and 21 ms
    for saccade in islice(draw_saccades(np.random.default_rng(3)), 100):
        amplitude = np.linalg.norm(saccade.after - saccade.before)
        assert saccade.duration_s == pytest.approx(saccade_duration_s(amplitude))


def test_the_gaze_goes_on_from_where_it_is_and_stays_in_reach():
    saccades = list(islice(draw_saccades(np.random.default_rng(4)), 2000))
    assert saccades[0].before == pytest.approx([0, 0])
    for before, after in pairwise(saccades):
        assert (before.after == after.before).all()
        assert after.start_s >= before.start_s + before.duration_s + 0.15
        assert after.gaze(after.start_s) == pytest.approx(before.after)
        assert after.gaze(after.start_s + after.duration_s) == pytest.approx(after.after)
    assert (np.abs([saccade.after for saccade in saccades]) <= np.radians([15.0, 10.0])).all()
    gaps = np.diff([saccade.start_s for saccade in saccades]) - [saccade.duration_s for saccade in saccades[:-1]]
    assert gaps.mean() == pytest.approx(0.33, abs=0.02)


def test_small_shifts_are_small():
    ends = [saccade.after for saccade in islice(draw_saccades(np.random.default_rng(5), 1.0, scale=0.2), 300)]
    assert (np.abs(ends) <= np.radians([3.0, 2.0])).all()


def test_the_same_chance_gives_the_same_eyes():
    first, again = (list(islice(draw_blinks(np.random.default_rng(6)), 5)) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        next(draw_blinks(np.random.default_rng(0), rate))


def test_a_fixation_shorter_than_possible_is_refused():
    with pytest.raises(ValueError, match="fixation"):
        next(draw_saccades(np.random.default_rng(0), 0.1))
