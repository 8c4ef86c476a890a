"""Arguments of launch files."""

import re

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.base.launch_texts import typed


@pytest.mark.parametrize(
    ("text", "truth"), [("True", True), ("TRUE", True), ("1", True), ("yes", True), ("Off", False), ("NO", False)]
)
def test_a_truth_is_taken_as_yaml_has_it(text, truth):
    assert typed({"mirror": text}, {"mirror": bool}) == {"mirror": truth}


def test_what_is_not_given_is_left_out_and_what_is_has_its_kind():
    texts = {"source": "0", "samples": "60", "rest_s": "1.5", "out": "", "loop": ""}
    given = typed(texts, {"samples": int, "rest_s": float, "loop": bool})
    assert given == {"source": "0", "samples": 60, "rest_s": 1.5}
    assert [type(value) for value in given.values()] == [str, int, float]


@pytest.mark.parametrize(
    ("text", "kind", "complaint"),
    [("maybe", bool, "neither true nor false"), ("1.5", int, "no whole number"), ("x", float, "no number")],
)
def test_what_is_none_of_its_kind_is_refused_in_one_line(text, kind, complaint):
    with pytest.raises(RenaError, match=re.escape(f"x:={text} is {complaint}")):
        typed({"x": text}, {"x": kind})
