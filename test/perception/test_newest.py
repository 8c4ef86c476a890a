"""The place where the newest picture waits."""

from rena_ros.perception.newest import Newest


def test_the_newest_is_taken_with_those_that_it_replaced():
    place = Newest[int]()
    assert place.take() == (None, [])
    place.put(1)
    assert place.take() == (1, [])
    for item in (2, 3, 4):
        place.put(item)
    assert place.take() == (4, [2, 3])
    assert place.take() == (None, [])


def test_a_taker_that_stands_still_does_not_fill_the_memory():
    place = Newest[int]()
    for item in range(100):
        place.put(item)
    newest, replaced = place.take()
    assert newest == 99 and replaced == list(range(91, 99))
