"""Images that are lost, told from those that were replaced while the reader was busy."""

import numpy as np
import pytest

from rena_ros.perception.image_count import ImageCount

PERIOD_S = 1 / 30
OFFSET_S = 5000.0  # the sender's clock is not this computer's


def count(received, busy_s=0.01, late_s=0.001, first=1) -> ImageCount:
    """Show images by their numbers at 30 Hz to a reader that is busy for ``busy_s`` with each."""
    counter, free_s = ImageCount(), 0.0
    for number in received:
        arrived_s = 1000 + number * PERIOD_S
        begun_s = max(arrived_s + late_s, free_s)
        counter.begin(first + number, arrived_s - OFFSET_S, arrived_s, begun_s)
        free_s = begun_s + busy_s
        counter.end(free_s)
    return counter


def test_an_unbroken_sequence_loses_nothing():
    counts = count(range(30)).take()
    assert (counts.read, counts.skipped, counts.lost, counts.many_lost) == (30, 0, 0, False)


@pytest.mark.parametrize("share", [0.6, 0.7, 0.9])
def test_images_that_a_waiting_reader_does_not_get_are_lost(share):
    arrives = np.random.default_rng(1).random(300) > share
    counts = count(np.flatnonzero(arrives)).take()
    missing = 300 - arrives.sum()
    assert counts.many_lost and 0.6 * missing < counts.lost <= missing
    assert counts.read == arrives.sum()


@pytest.mark.parametrize(("busy_s", "every"), [(0.06, 2), (0.09, 3), (0.3, 9)])
def test_images_that_are_replaced_while_the_reader_is_busy_are_not_lost(busy_s, every):
    counts = count(range(0, 300, every), busy_s).take()
    assert (counts.lost, counts.skipped) == (0, (every - 1) * (counts.read - 1))


def test_a_reader_that_wakes_late_loses_nothing():
    """It begins 45 ms after an image arrived; the one before has been replaced by it."""
    assert count(range(0, 60, 2), late_s=0.0).take().lost == 0


def test_a_publisher_that_starts_again_loses_nothing_nor_do_two_that_cannot_be_told_apart():
    counter = count(range(10), first=500)
    counter.begin(1, 0.0, 2000.0, 2000.0)
    assert counter.take().lost == 0
    counter.restart()
    counter.begin(90, 3.0, 2003.0, 2003.0)
    counter.begin(None, 0.0, 0.0, 2004.0)  # a middleware that does not number its messages
    counts = counter.take()
    assert (counts.read, counts.skipped, counts.lost) == (2, 0, 0)


def test_two_publishers_in_turn_are_told_from_one_that_starts_again():
    again, both = ImageCount(), ImageCount()
    for number in (70, 71, 1, 2, 3):
        again.begin(number, 0.0, 0.0, 0.0)
    for number in (70, 1, 71, 2, 72):
        both.begin(number, 0.0, 0.0, 0.0)
    assert (again.take().mixed, both.take().mixed, both.take().mixed) == (False, True, False)
