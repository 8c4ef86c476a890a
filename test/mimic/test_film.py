"""Films of synthetic frames, reopened with PyAV as a player would."""

import av
import cv2
import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.mimic.film import encode, make_film, moments, newest_at
from rena_ros.mimic.picture import BAND_HEIGHT, PANEL_HEIGHT, PANEL_WIDTH, Caption, compose, film_size
from rena_ros.mimic.spool import SpoolWriter

MS = 1_000_000
RED, BLUE, GREY = (220, 40, 40), (40, 60, 220), (128, 128, 128)


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (480, 640)) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def jpeg(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.fixture
def film(tmp_path):
    return tmp_path / "mimic.mp4"


def frames_of(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def left_and_right(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean colour of the middle of each panel."""
    middle = slice(PANEL_HEIGHT // 2 - 40, PANEL_HEIGHT // 2 + 40)
    left, right = picture[middle, 100:500], picture[middle, PANEL_WIDTH + 100 : PANEL_WIDTH + 500]
    return left.mean(axis=(0, 1)), right.mean(axis=(0, 1))


@pytest.fixture
def spool(tmp_path):
    """2 s of a camera at 25 Hz, red then blue after 1 s; the robot at 20 Hz follows 200 ms later."""
    writer = SpoolWriter(tmp_path / "spool", ("camera", "robot", "landmarks"))
    for i in range(51):
        writer.append("camera", i * 40 * MS, jpeg(flat(RED if i < 25 else BLUE)))
    for i in range(41):
        writer.append("robot", i * 50 * MS, jpeg(flat(RED if i < 24 else BLUE)))
    writer.close()
    return tmp_path / "spool"


def test_the_film_is_h264_that_a_browser_plays(tmp_path, spool, film):
    done = []
    count = make_film(film, spool, {0: 9 * MS}, with_robot=True, progress=lambda i, n: done.append((i, n)))
    assert count == 61  # 2 s at 30 frames/s, both ends
    assert done[-1] == (61, 61)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 30
        assert (stream.width, stream.height) == (2 * PANEL_WIDTH, PANEL_HEIGHT + BAND_HEIGHT)
        assert float(stream.duration * stream.time_base) == pytest.approx(61 / 30)
    data = film.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index comes first: it plays before it is loaded
    assert {one.name for one in tmp_path.iterdir()} == {"mimic.mp4", "spool"}


def test_each_moment_shows_the_newest_pictures_of_that_time(spool, film):
    make_film(film, spool, {}, with_robot=True)
    pictures = frames_of(film)
    assert len(pictures) == 61
    for k, picture in enumerate(pictures):
        left, right = left_and_right(picture)
        expected_left = RED if k / 30 < 25 * 0.04 - 1e-9 else BLUE
        expected_right = RED if k / 30 < 24 * 0.05 - 1e-9 else BLUE
        assert np.abs(left - expected_left).max() < 12, k
        assert np.abs(right - expected_right).max() < 12, k


def test_the_film_is_not_longer_than_the_run_whatever_the_stamps_say(tmp_path, film):
    """A run of 1 s, with a picture from 1970 and one from an hour ahead."""
    begin_ns = 1_700_000_000_000 * MS
    writer = SpoolWriter(tmp_path / "spool", ("camera", "robot", "landmarks"))
    for stamp_ns in (0, begin_ns + 100 * MS, begin_ns + 600 * MS, begin_ns + 3_600_000 * MS):
        writer.append("camera", stamp_ns, jpeg(flat(GREY)))
    writer.close()
    span_ns = (begin_ns, begin_ns + 1000 * MS)
    assert make_film(film, tmp_path / "spool", {}, with_robot=False, span_ns=span_ns) == 16  # 0.5 s, both ends
    assert make_film(film, tmp_path / "spool", {}, with_robot=False, span_ns=(5, 6)) == 0


def test_without_a_robot_only_the_person_is_shown(spool, film):
    make_film(film, spool, {}, with_robot=False)
    assert frames_of(film)[0].shape == (PANEL_HEIGHT + BAND_HEIGHT, PANEL_WIDTH, 3)


def test_without_pictures_there_is_no_film(tmp_path, film):
    SpoolWriter(tmp_path / "spool", ("camera", "robot", "landmarks")).close()
    assert make_film(film, tmp_path / "spool", {}, with_robot=True) == 0
    assert not film.exists()


def test_an_interrupt_leaves_a_shorter_film_that_plays(tmp_path, spool, film):
    def impatient(done: int, _total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_film(film, spool, {}, with_robot=True, progress=impatient)
    assert 18 <= len(frames_of(film)) <= 20
    assert {one.name for one in tmp_path.iterdir()} == {"mimic.mp4", "spool"}


def test_an_unwritable_place_is_one_clear_error(tmp_path):
    path = tmp_path / "nowhere" / "mimic.mp4"
    with pytest.raises(RenaError, match=r"cannot write .*mimic\.mp4"):
        encode(path, [compose(flat(RED), None, None, Caption(0, 1, None, True))], film_size(True))


def test_moments_are_evenly_spaced_and_end_in_time():
    times = moments(1_000_000_007, 2_000_000_007)
    assert len(times) == 31
    assert times[0] == 1_000_000_007 and times[-1] == 2_000_000_007
    assert set(np.diff(times)) == {33_333_333, 33_333_334}
    assert moments(5, 5).tolist() == [5]


def test_newest_is_never_later_than_the_time():
    stamps, times = np.array([10, 20, 30]), np.array([9, 10, 19, 20, 99])
    assert newest_at(stamps, times).tolist() == [-1, 0, 0, 1, 2]
    assert newest_at(np.array([], np.int64), times).tolist() == [-1] * 5


def test_landmarks_lie_on_the_scaled_picture():
    """A 640x360 picture is centred in its panel; a landmark at its middle is drawn at the panel's middle."""
    landmarks = np.full((478, 3), 0.5, np.float32)
    picture = compose(flat(GREY, (360, 640)), landmarks, None, Caption(0, 1, 9.0, True))
    panel = picture[:PANEL_HEIGHT, :PANEL_WIDTH].astype(int)
    inner = np.abs(panel - GREY).sum(axis=2) > 60
    inner[:60] = inner[-60:] = False  # the bars above and below
    inner[60:100] = False  # the title's line
    rows, columns = np.nonzero(inner)
    assert rows.mean() == pytest.approx(240, abs=1.0)
    assert columns.mean() == pytest.approx(320, abs=1.0)
    assert np.ptp(rows) < 8 and np.ptp(columns) < 8
