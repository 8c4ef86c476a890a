"""What the terminal shows of a session."""

import io

import pytest
from rich.console import Console

from rena_ros.collecting.progress_view import BABBLE, CollectView, plain_text, progress_of


class Status:
    """A status as the monitor keeps it."""

    def __init__(self, level, message, **values):
        self.level, self.message, self.values = level, message, values


BABBLING = Status(0, "babbling", done="12", rate_per_min="60.0", left_s="90", rejected_no_face="2", settle_s="0.281")
PAUSED = Status(
    1, "paused: jaw is hot: 71 C", done="12", rate_per_min="0.0", left_s="", paused_because="jaw is hot: 71 C"
)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, "40 of 200 samples | the nodes start"),
        (BABBLING, "52 of 200 samples, 60.0/min, 90 s left | rejected: no face 2 | babbling"),
        (PAUSED, "52 of 200 samples | paused: jaw is hot: 71 C"),
    ],
)
def test_the_plain_line_counts_the_samples_of_earlier_runs(status, text):
    assert plain_text(progress_of(status), 40, 200) == text


@pytest.mark.parametrize(("left_s", "shown"), [("99", "99 s"), ("1200", "20 min"), ("16200", "4.5 h")])
def test_the_time_that_is_left_has_a_unit_of_its_size(left_s, shown):
    progress = progress_of(Status(0, "babbling", rate_per_min="60.0", left_s=left_s))
    assert plain_text(progress, 0, 9000) == f"0 of 9000 samples, 60.0/min, {shown} left | babbling"


def test_the_panel_shows_a_servo_only_when_it_is_not_well():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=30, color_system=None)
    good, bad = Status(0, "good"), Status(2, "too hot")
    with CollectView("rena collect", 40, 200, console) as view:
        view.show({BABBLE: PAUSED, "servos: bus": good, "servos: lid_left": good, "servos: jaw": bad})
    shown = screen.getvalue()
    assert "52 of 200" in shown and "jaw is hot" in shown and "too hot" in shown and "servos: bus" in shown
    assert "lid_left" not in shown


def test_the_panel_fits_a_terminal_of_24_lines_when_no_servo_is_well():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=24, color_system=None)
    servos = {
        f"servos: servo_{number}": Status(1, "replied to only 94% of the last second's reads") for number in range(25)
    }
    with CollectView("rena collect", 0, 200, console) as view:
        view.show({BABBLE: BABBLING, **servos, "servos: lid": Status(3, "gone")})
    shown = screen.getvalue()
    assert "Ctrl-C ends the run" in shown and "23 more are not well; see log/servos.log" in shown
    assert "servos: lid" in shown, "the worst are shown"
