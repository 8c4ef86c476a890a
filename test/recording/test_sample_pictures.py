"""Which pictures go into a session's bag, and which samples are whole there."""

import pytest

from rena_ros.recording.marker import SampleMarker
from rena_ros.recording.sample_pictures import KEPT, SamplePictures, WholeSamples


def marker(index, image_ns, verdict="accepted"):
    return SampleMarker(index, 0, 1, "mouth", {}, verdict, image_ns=image_ns)


def show(pictures, *stamps):
    """Add pictures with what accompanies them; return what is written at once."""
    written = []
    for stamp in stamps:
        written += pictures.add("picture", stamp, f"picture {stamp}")
        written += pictures.add("landmarks", stamp, f"landmarks {stamp}")
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


def test_a_picture_waits_for_so_many_others_and_is_gone_then():
    pictures = SamplePictures(keep_all=False)
    show(pictures, *range(KEPT + 1))
    assert pictures.mark(marker(3, 0)) == []
    assert pictures.mark(marker(3, 1)) == ["picture 1", "landmarks 1"]


def test_all_pictures_are_written_at_once_where_all_are_kept():
    pictures = SamplePictures(keep_all=True)
    assert show(pictures, 10, 20) == ["picture 10", "landmarks 10", "picture 20", "landmarks 20"]
    assert pictures.mark(marker(0, 10)) == []


@pytest.mark.parametrize("order", [("mark", "picture", "reading"), ("reading", "mark", "picture")])
def test_a_sample_is_whole_once_marker_picture_and_reading_are_written(order):
    samples = WholeSamples()
    steps = {
        "mark": lambda: samples.marked(marker(7, 10)),
        "picture": lambda: samples.picture_written(10),
        "reading": lambda: samples.reading_written(10),
    }
    for step in order:
        assert samples.take() == []
        steps[step]()
    assert (samples.take(), samples.take()) == ([7], [])


def test_a_sample_without_its_picture_is_lost_in_the_end_and_never_whole():
    samples = WholeSamples()
    samples.marked(marker(0, 1000))
    samples.marked(marker(1, 1001, "no face"))
    for stamp in range(KEPT):
        assert samples.lost == 0
        samples.reading_written(stamp)
        samples.marked(marker(2, stamp))
    assert samples.lost == 1
    samples.picture_written(1000)
    samples.reading_written(1000)
    assert samples.take() == []


def test_nothing_of_an_earlier_bag_completes_a_sample_of_the_next():
    samples = WholeSamples()
    samples.reading_written(10)
    samples.forget()
    samples.marked(marker(0, 10))
    samples.picture_written(10)
    assert samples.take() == []
