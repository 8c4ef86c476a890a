"""Statistics against the standard library's and NumPy's over every pixel."""

import statistics

import cv2
import numpy as np
import pytest
from small_dataset import jpeg

from rena_ros.datasets.jpeg_header import is_cut_off, jpeg_header
from rena_ros.datasets.statistics import PictureStatistics, column_statistics

SHARES = {"q01": 1, "q10": 10, "q50": 50, "q90": 90, "q99": 99}


def test_columns():
    values = np.random.default_rng(5).random((60, 2))
    found = column_statistics(values)
    for column in range(2):
        rows = values[:, column].tolist()
        wanted = {"min": min(rows), "max": max(rows), "mean": statistics.fmean(rows), "std": statistics.pstdev(rows)}
        cuts = statistics.quantiles(rows, n=100, method="inclusive")
        wanted |= {name: cuts[percent - 1] for name, percent in SHARES.items()}
        assert {name: found[name][column] for name in wanted} == pytest.approx(wanted)
    assert found["count"].tolist() == [60]
    assert column_statistics(np.arange(4))["mean"].tolist() == [1.5]


def test_pictures_add_up_to_what_all_their_pixels_give():
    whole, pixels = PictureStatistics(), []
    for seed in range(4):
        part = PictureStatistics()
        data = jpeg(seed, 64, 48)
        assert part.add(data)
        whole.merge(part)
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_4)
        pixels.append(bgr.reshape(-1, 3)[:, ::-1] / 255)
    pixels = np.concatenate(pixels)
    wanted = {name: getattr(pixels, name)(0) for name in ("min", "max", "mean", "std")}
    for name, percent in SHARES.items():
        wanted[name] = np.percentile(pixels, percent, axis=0, method="inverted_cdf")
    found = whole.result()
    assert found.pop("count").tolist() == [4]
    assert set(found) == set(wanted)
    for name, values in found.items():
        assert values.shape == (3, 1, 1)
        np.testing.assert_allclose(values.ravel(), wanted[name], atol=1e-9)


def test_what_is_no_picture_is_not_added():
    assert not PictureStatistics().add(b"\xff\xd8 nothing")


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]])
@pytest.mark.parametrize("shape", [(48, 64, 3), (7, 500), (500, 3, 3)])
def test_the_header_of_a_jpeg(shape, options):
    data = cv2.imencode(".jpg", np.zeros(shape, np.uint8), options)[1].tobytes()
    header = jpeg_header(data)
    assert (header.height, header.width) == shape[:2]
    assert header.colours == (1 if len(shape) == 2 else 3) and not header.app1
    exif = b"\xff\xe1\x00\x10Exif\0\0MM\0*\0\0\0\x08"
    assert jpeg_header(data[:2] + exif + data[2:]).app1
    assert jpeg_header(data[:30]) is jpeg_header(b"\x89PNG" + data) is None
    assert is_cut_off(data[: len(data) // 2]) and not is_cut_off(data)
