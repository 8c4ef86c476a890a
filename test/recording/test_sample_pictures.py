"""Which pictures go into a session's bag, and which samples are whole there."""

import pytest

from rena_ros.recording.marker import SampleMarker
from rena_ros.recording.sample_pictures import KEPT, SamplePictures


def marker(index, image_ns, verdict="accepted"):
    return SampleMarker(index, 0, 1, "mouth", {}, verdict, image_ns=image_ns)


def show(pictures, *stamps):
    """Add pictures with what accompanies them; return what is written at once."""
    written = []
    for stamp in stamps:
        written += pictures.add("picture", stamp, f"picture {stamp}")
        written += pictures.add("landmarks", stamp, f"landmarks {stamp}", picture=False)
    return written


def test_only_the_picture_of_an_accepted_sample_is_written_with_what_has_its_stamp():
    pictures = SamplePictures(keep_all=False)
    assert show(pictures, 10, 20, 30) == []
    assert pictures.mark(marker(0, 20, "no face")) == []
    assert pictures.mark(marker(0, 30)) == ["picture 30", "landmarks 30"]
    assert show(pictures, 40) == []


def test_a_marker_may_overtake_its_picture():
    pictures = SamplePictures(keep_all=False)
    assert pictures.mark(marker(0, 10)) == []
    assert show(pictures, 10, 20) == ["picture 10", "landmarks 10"]


@pytest.mark.parametrize("order", [("mark", "picture", "reading"), ("reading", "mark", "picture")])
def test_a_sample_is_complete_once_marker_picture_and_reading_are_written(order):
    pictures = SamplePictures(keep_all=False)
    steps = {
        "mark": lambda: pictures.mark(marker(7, 10)),
        "picture": lambda: pictures.picture_written(10),
        "reading": lambda: pictures.reading_written(10),
    }
    for step in order:
        assert pictures.take_complete() == []
        steps[step]()
    assert (pictures.take_complete(), pictures.take_complete()) == ([7], [])


def test_a_picture_that_is_gone_makes_its_sample_a_lost_one_not_a_complete_one():
    pictures = SamplePictures(keep_all=False)
    show(pictures, *range(KEPT + 1))
    assert pictures.mark(marker(3, 0)) == [], "the oldest picture was dropped"
    pictures.reading_written(0)
    show(pictures, *range(100, 100 + KEPT))
    assert pictures.lost == 0
    show(pictures, 200)
    assert pictures.lost == 1 and pictures.take_complete() == []


def test_all_pictures_are_written_at_once_where_all_are_kept():
    pictures = SamplePictures(keep_all=True)
    assert show(pictures, 10, 20) == ["picture 10", "landmarks 10", "picture 20", "landmarks 20"]
    assert pictures.mark(marker(0, 10)) == []


def test_nothing_of_an_earlier_bag_completes_a_sample_of_the_next():
    pictures = SamplePictures(keep_all=False)
    show(pictures, 10)
    pictures.reading_written(10)
    pictures.forget()
    assert pictures.mark(marker(0, 10)) == []
    pictures.picture_written(10)
    assert pictures.take_complete() == []
