"""Stamps of images: own ones while a clock runs, the time of arrival where it does not."""

import numpy as np
import pytest

from rena_ros.perception.image_stamps import ImageStamps

SECOND = 1_000_000_000
ARRIVAL = 1_790_000_000 * SECOND
FRAME = SECOND // 30


class Topic:
    """Images that arrive at 30 Hz; ``clock``: whether arrival times move."""

    def __init__(self) -> None:
        self.stamps, self.frames = ImageStamps(), 0

    def take(self, stamp_ns: int, arrival_ns: int | None = None) -> int:
        self.frames += 1
        arrival_ns = self.arrival_ns if arrival_ns is None else arrival_ns
        return self.stamps.use(stamp_ns, arrival_ns, self.frames / 30)

    @property
    def arrival_ns(self) -> int:
        return ARRIVAL + self.frames * FRAME


@pytest.mark.parametrize("start_s", [5, 1_700_000_000, 1_790_000_000])
def test_the_stamps_of_a_running_clock_are_used_whatever_it_shows(start_s):
    topic = Topic()
    own = [start_s * SECOND + i * FRAME for i in range(90)]
    assert [topic.take(stamp) for stamp in own] == own
    assert topic.stamps.problem == ""


@pytest.mark.parametrize("loop", [15, 30, 90, 300])
def test_a_bag_that_begins_again_keeps_its_stamps(loop):
    topic = Topic()
    own = [SECOND + (i % loop) * FRAME for i in range(900)]
    used = [topic.take(stamp) for stamp in own]
    assert used[loop : 2 * loop] == own[:loop]
    assert (topic.stamps.problem == "") == (loop > 15)  # a clip of half a second reads as a clock that jumps


@pytest.mark.parametrize("stamp", [0, 7 * SECOND])
def test_arrival_times_stand_in_for_stamps_that_are_not_set_or_stand_still(stamp):
    topic = Topic()
    used = [topic.take(stamp) for _ in range(90)]
    assert (np.diff(used[20:]) == FRAME).all() and used[-1] == topic.arrival_ns
    assert topic.stamps.problem == ("all carry the stamp 7.000 s" if stamp else "carry no stamp")


def test_a_stamp_that_moves_again_is_used_at_once():
    topic = Topic()
    for second in (100, 101, 102):
        used = [topic.take(second * SECOND) for _ in range(20)]
        assert used[0] == second * SECOND != used[-1]
        assert topic.stamps.problem


def test_a_doubled_image_keeps_its_stamp():
    topic = Topic()
    own = [SECOND + i // 2 * FRAME for i in range(60)]
    assert [topic.take(stamp) for stamp in own] == own


@pytest.mark.parametrize("ahead_s", [-1_789_999_000.0, -0.05, 1e6])
@pytest.mark.parametrize("every", [2, 3, 7])
def test_two_clocks_on_one_topic_are_named_and_arrival_times_stand_in(ahead_s, every):
    """Every n-th image is another publisher's, whose clock is ahead by that much."""
    topic, used = Topic(), []
    for i in range(150):
        own_s = 1_790_000_000 + i / 30
        used.append(topic.take(round((own_s + (ahead_s if i % every == 0 else 0)) * SECOND)))
    assert topic.stamps.problem.startswith("carry the stamps of two clocks, ")
    assert (np.diff(used[60:]) == FRAME).all()


def test_own_stamps_are_used_again_once_they_run():
    topic = Topic()
    for _ in range(30):
        topic.take(0)
    own = [topic.arrival_ns - 5_000_000 + i * FRAME for i in range(30)]
    used = [topic.take(stamp) for stamp in own]
    assert used[10:] == own[10:] and topic.stamps.problem == ""
    assert used[0] != own[0] and (np.diff(used[:9]) > 0).all()


def test_a_clock_that_stands_still_or_is_set_back_gives_different_times_of_arrival():
    topic = Topic()
    frozen = [topic.take(0, ARRIVAL) for _ in range(20)]
    assert len(set(frozen)) == 20 and max(frozen) - ARRIVAL < 1000
    assert topic.take(0, 5 * SECOND) == 5 * SECOND  # a bag that plays from its start
