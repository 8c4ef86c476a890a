"""The marker of a sample survives the way through texts."""

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.recording.marker import SampleMarker, marker_from


def test_a_marker_is_the_same_after_its_way_through_texts():
    goals = {"jaw": float(np.float32(0.1)), "neck_yaw": float(np.float32(1 / 3))}
    marker = SampleMarker(7, 2, 1, "mouth", goals, "no face", 10**18 + 1, 2, 3, 4, 0.12)
    again = marker_from(marker.verdict, marker.values(), marker.goal_values())
    assert again == marker and not again.accepted
    assert again.goals_of(("neck_yaw", "jaw")).tobytes() == np.array([1 / 3, 0.1], np.float32).tobytes()


@pytest.mark.parametrize(
    "change", [{"index": "seven"}, {"image_ns": "0.5"}, {"capture_delay_s": "nan"}, {"seed": str(1 << 63)}]
)
def test_texts_that_mark_no_sample_are_refused(change):
    values = {**SampleMarker(1, 0, 1, "head", {}).values(), **change}
    with pytest.raises(RenaError, match="marks no sample"):
        marker_from("accepted", values, {})


def test_goals_of_another_robot_are_refused():
    with pytest.raises(RenaError, match="no goal for jaw"):
        SampleMarker(1, 0, 1, "head", {"neck_yaw": 0.5}).goals_of(("neck_yaw", "jaw"))
