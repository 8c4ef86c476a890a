"""Models of files: each kind of mistake becomes one sentence with line, place and remedy."""

import subprocess
import sys
from typing import Annotated, Literal

import pytest
from pydantic import Field, field_validator

from rena_ros.base.errors import RenaError
from rena_ros.base.file_model import FileModel, read_model


class Part(FileModel):
    name: str = Field(min_length=1)
    count: int = Field(1, ge=1, lt=10)
    share: float = Field(0.5, gt=0, le=1, allow_inf_nan=False)
    on: bool = False
    side: Literal["left", "right"] = "left"
    pair: tuple[int, int] = (1, 2)

    @field_validator("name")
    @classmethod
    def _is_not_odd(cls, name: str) -> str:
        if name == "odd":
            raise ValueError("odd is no name; take another one")
        return name


class Box(FileModel):
    parts: tuple[Part, ...] = Field((), min_length=1)
    table: dict[str, Annotated[int, Field(multiple_of=2)]] = Field(default_factory=dict)


def complaint(text):
    with pytest.raises(RenaError) as error:
        read_model(text, "the box", Box)
    return str(error.value).removeprefix("the box has 1 fault(s):\n  ")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ("count: 1", "name is missing; add it"),
        ("name: jaw, cuont: 1", "jaw: cuont is not a field here; did you mean count?"),
        ("name: jaw, x: 1", "jaw: x is not a field here; known here: name, count, share, on, side, pair"),
        ("name: ''", "name must not be empty"),
        ("name: 5", "5: name must be a text, found 5; put it in quotes if it is one"),
        ("name: odd", "odd: odd is no name; take another one"),
        ("name: jaw, count: true", "jaw: count must be a whole number, found True"),
        ("name: jaw, count: 1.5", "jaw: count must be a whole number, found 1.5"),
        ("name: jaw, count: '2'", "jaw: count must be a whole number, found '2'; write it as 2"),
        ("name: jaw, count: 0", "jaw: count must be at least 1, found 0"),
        ("name: jaw, count: 10", "jaw: count must be below 10, found 10"),
        ("name: jaw, share: ~", "jaw: share must be a number, found nothing"),
        ("name: jaw, share: 1e-1", "jaw: share must be a number, found '1e-1'; write it as 0.1"),
        ("name: jaw, share: .nan", "jaw: share must be a number, found nan"),
        ("name: jaw, share: .inf", "jaw: share must be a finite number, found inf"),
        ("name: jaw, share: 0", "jaw: share must be above 0, found 0"),
        ("name: jaw, share: 2", "jaw: share must be at most 1, found 2"),
        ("name: jaw, on: 1", "jaw: on must be true or false, found 1"),
        ("name: jaw, side: up", "jaw: side must be one of 'left' or 'right', found 'up'"),
        ("name: jaw, pair: 3", "jaw: pair must be a list, found 3"),
        ("name: jaw, pair: [3]", "jaw: entry 2 of pair is missing; add it"),
        ("name: jaw, pair: [1, x]", "jaw: entry 2 of pair must be a whole number, found 'x'"),
        ("name: jaw, pair: [1, 2, 3]", "jaw: pair has 3 entries, 2 are the most"),
    ],
)
def test_a_mistake_is_one_sentence_with_line_place_and_remedy(fields, sentence):
    assert complaint(f"parts:\n- {{{fields}}}\n") == f"line 2: {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("parts: []", "line 1: parts must not be empty"),
        ("\n- 1", "line 1: the file must be a mapping of names and values, found [1]"),
        ("table:\n  {a: 2,\n   b: x}", "line 3: table: b must be a whole number, found 'x'"),
        ("table:\n  a: 3", "line 2: table: a: Input should be a multiple of 2"),  # a sentence of pydantic's own
        ("\nparts: [{name: a}, 7]", "line 2: entry 2 of parts must be a mapping of names and values, found 7"),
    ],
)
def test_the_line_is_that_of_the_value(text, sentence):
    assert complaint(text) == sentence


def test_no_fault_hides_another():
    text = "parts:\n- {name: a, count: !!int x, on: 1, on: 1}\n- {count: 0}\ntable: 5\n"
    lines = complaint(text).splitlines()
    assert [line.strip().split(":")[0] for line in lines[1:]] == [*3 * ["line 2"], "line 3", "line 3", "line 4"]


def test_a_huge_value_is_shown_short():
    assert len(complaint(f"parts: {{a: {'x' * 10_000}, b: [{'1, ' * 5_000}]}}")) < 300


@pytest.mark.parametrize("module", ["rena_ros.bus.bus", "rena_ros.cli"])
def test_the_driver_and_the_command_line_do_not_import_pydantic(module):
    code = f"import sys, {module}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
