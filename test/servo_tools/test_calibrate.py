"""`rena servo calibrate`: ranges from horns that are moved by hand, and the whole command on emulated servos."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_stand import NAMES, ROBOT, Hands, full_disk

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.robot.file import load_robot
from rena_ros.servo_tools import calibrate
from rena_ros.servo_tools.range_recording import WRAP_MARGIN_TICKS, Range, Recording, changed_fields, to_range

TURN = 4096


def recorded(*places, step=500):
    """Return the recording of a horn moved by hand to three places; its servo reports them modulo one turn."""
    here, recording = places[0], Recording()
    for place in places:
        way = range(here, place, step if place > here else -step)
        for turned in (*way, place):
            recording = recording.moved_to(turned % TURN)
        here = place
        recording = recording.with_mark()
    return recording


inside = st.integers(WRAP_MARGIN_TICKS, TURN - 1 - WRAP_MARGIN_TICKS)


@given(inside, inside, st.floats(0, 1), st.integers(1, 2047))
def test_a_range_away_from_the_wrap_around_is_recorded_as_marked(zero, one, rest, step):
    low, high = sorted((zero, one))
    rest = round(low + rest * (high - low))
    result = to_range(recorded(zero, one, rest, step=step))
    if high - low >= 20:
        assert result == Range(low, rest, high, reversed=zero > one)
    else:
        assert "ticks apart: move the horn" in result


@given(st.integers(0, TURN - 1), st.integers(40, 3000), st.booleans())
def test_a_range_at_the_wrap_around_is_refused_with_advice_that_cures_it(low, size, backwards):
    places = (low, low + size)[:: -1 if backwards else 1]
    rest = low + size // 2
    result = to_range(recorded(*places, rest))
    crosses = low + size >= TURN
    if low >= WRAP_MARGIN_TICKS and low + size <= TURN - 1 - WRAP_MARGIN_TICKS:
        assert result == Range(low, rest, low + size, reversed=backwards)
        return
    assert ("over the wrap-around" if crosses else "ticks of the wrap-around") in result
    degrees = int(re.search(r"turn the shaft by about (\d+) degrees", result)[1])
    turns = [sign * round(degrees * TURN / 360) for sign in (1, -1)]
    mended = [to_range(recorded(*(place + turn for place in places), rest + turn)) for turn in turns]
    assert any(isinstance(one, Range) and abs((one.min_ticks + one.max_ticks) / 2 - 2048) < 40 for one in mended)


def test_the_advice_at_the_wrap_around_matches_a_calculation_by_hand():
    # 3900 up to 200 lies over the wrap-around: 396 ticks, the middle at 2; 2046 ticks (179 degrees) mend it.
    text = to_range(recorded(3900, 200 + TURN, 4000))
    assert "from 3900 over the wrap-around (4095, then 0) to 200" in text and "by about 179 degrees" in text


@pytest.mark.parametrize(("low", "high", "good"), [(32, 400, 1), (31, 400, 0), (3600, 4063, 1), (3600, 4064, 0)])
def test_a_range_keeps_32_ticks_clear_of_the_wrap_around(low, high, good):
    result = to_range(recorded(low, high, 3700 if low > 400 else 100))
    assert isinstance(result, Range) if good else "comes within 32 ticks of the wrap-around" in result


def test_a_rest_outside_the_ends_is_refused_unless_it_is_within_the_slack():
    assert "the rest, 2100, lies outside the ends, 1000..2000" in to_range(recorded(1000, 2000, 2100))
    assert to_range(recorded(1000, 2000, 2010)).neutral_ticks == 2000
    assert "a whole turn or more" in to_range(recorded(100, 100 + TURN, 2000))


def test_nothing_can_be_marked_before_the_first_position():
    with pytest.raises(ValueError, match="nothing to mark"):
        Recording().with_mark()


def test_only_fields_that_differ_are_changed():
    servo = ROBOT.servos[0]
    same = Range(servo.min_ticks, servo.neutral_ticks, servo.max_ticks, servo.reversed)
    assert changed_fields(servo, same) == {}
    other = replace(same, min_ticks=1, reversed=True)
    assert changed_fields(servo, other) == {"min_ticks": 1, "reversed": True}


def by_hand(name, zero, one, rest):
    """Return the script for one servo's three places and a yes, with keys without a meaning in between."""
    return ((name, zero), "x", "enter", (name, one), None, "enter", (name, rest), None, "enter", "?", "enter")


@pytest.fixture
def face(tmp_path):
    path = tmp_path / "face.yaml"
    path.write_text(share_path("config/rena.yaml").read_text())
    return path


def calibrated(stand, face, *argv, script, answers=()):
    keys = Hands(stand, *script)
    return stand.run(calibrate, "--robot-file", str(face), *argv, answers=answers, keys=keys), keys


def test_ranges_marked_by_hand_are_written_to_the_file(stand, face):
    before = face.read_text()
    script = (*by_hand("jaw", 2100, 2400, 2110), *by_hand("brow_right_raise", 2000, 1700, 2000))
    code, keys = calibrated(stand, face, "jaw", "2", script=script)
    assert code == 0 and not any(keys.torque)
    wanted = {
        "jaw": dict(min_ticks=2100, neutral_ticks=2110, max_ticks=2400, reversed=False),
        "brow_right_raise": dict(min_ticks=1700, neutral_ticks=2000, max_ticks=2000, reversed=True),
    }
    now = load_robot(face)
    for old, new in zip(ROBOT.servos, now.servos, strict=True):
        assert {**vars(old), **wanted.get(old.name, {})} == vars(new)
    (backup,) = (path for path in face.parent.iterdir() if path != face)
    assert backup.read_text() == before and str(backup) in stand.text


def test_ctrl_c_keeps_what_is_saved_and_says_how_to_continue(stand, face):
    with pytest.raises(KeyboardInterrupt):
        calibrated(stand, face, script=(*by_hand(NAMES[0], 2100, 2400, 2110), None, None))
    assert f"Saved in {face}: {NAMES[0]}." in stand.text
    assert f"Not calibrated yet: {NAMES[1]} and 23 more.\n" in stand.text
    assert f"To continue: rena servo tool --robot-file {face} --from {NAMES[1]}" in stand.text
    assert load_robot(face).servos[0].max_ticks == 2400
    code, _ = calibrated(stand, face, "--from", NAMES[1], script=["q"])
    assert code == 1 and NAMES[0] not in stand.text


def test_a_range_over_the_wrap_around_is_explained_and_recorded_again(stand, face):
    over = [("jaw", 3900), None, "enter", *(("jaw", ticks) for ticks in (4050, 100, 200)), "enter", "enter"]
    code, _ = calibrated(stand, face, "jaw", script=(*over, *by_hand("jaw", 2000, 2400, 2000)))
    assert code == 0 and "over the wrap-around" in stand.text and "turn the shaft by" in stand.text
    assert load_robot(face).servos[ROBOT.index["jaw"]].max_ticks == 2400


def test_reversed_ends_are_pointed_out_before_they_are_written(stand, face):
    script = [*by_hand("jaw", 2400, 2100, 2400)[:-2], "r", *by_hand("jaw", 2100, 2400, 2100)]
    code, _ = calibrated(stand, face, "jaw", script=script)
    assert code == 0 and "reversed: false -> true" in stand.text and "were goal 0 and goal 1 mixed up?" in stand.text
    assert not load_robot(face).servos[ROBOT.index["jaw"]].reversed


def test_arrow_keys_move_one_servo_slowly_and_its_torque_is_off_again(stand, face):
    arrows = (*["right", None] * 30, *[None] * 40)
    script = (*arrows, "enter", " ", None, *["left", None] * 50, *[None] * 60, "enter", *arrows[:20], "enter", "enter")
    code, keys = calibrated(stand, face, "jaw", script=script)
    assert code == 0
    assert set().union(*keys.torque) == {"jaw"} and not stand.bank.torque.any()
    servo = load_robot(face).servos[ROBOT.index["jaw"]]
    assert servo.reversed and servo.min_ticks < 2048 < servo.max_ticks
    assert stand.now("torque_limit", ("jaw",)) == {"jaw": 1000}
    assert stand.bank.report()["goal_writes"] > 20


@pytest.mark.parametrize(("start", "key", "end"), [(3950, "up", 4095 - 32), (150, "down", 32)])
def test_arrow_keys_stop_before_the_wrap_around(stand, face, start, key, end):
    stand.bank.turn_horn("jaw", start)
    calibrated(stand, face, "jaw", script=[*[key, None, None] * 40, *[None] * 50, "q"])
    assert stand.bank.positions[ROBOT.index["jaw"]] == end


@pytest.mark.parametrize(("argv", "limit"), [((), 400), (("--torque", "25"), 250)])
def test_arrow_keys_have_little_torque(stand, face, argv, limit):
    limits = []

    def look():
        limits.append(stand.now("torque_limit", ("jaw",))["jaw"])

    script = [look, "right", look, "left", look, " ", look, "q"]
    calibrated(stand, face, "jaw", *argv, script=script)
    assert limits == [1000, limit, limit, 1000]


def test_arrow_keys_move_slowly_and_the_servo_stops_soon_after(stand, face):
    seen_s, seen_ticks = [], []

    def look(key=None):
        seen_s.append(stand.bank.now_s)
        seen_ticks.append(int(stand.bank.positions[ROBOT.index["jaw"]]))
        return key

    script = [*[lambda: look("up")] * 60, *[look] * 60, "q"]
    calibrated(stand, face, "jaw", script=script)
    # A tenth of the jaw's 4 rad/s, of which a turn of 4096 ticks is 2 pi; positions are rounded to one tick.
    ways, times = np.diff(seen_ticks), np.diff(seen_s)
    assert (ways <= 0.1 * 4.0 * 4096 / (2 * np.pi) * times + 1.01).all()
    assert seen_ticks[59] - seen_ticks[0] > 300 and 0 < seen_ticks[-1] - seen_ticks[59] <= 80


@pytest.mark.parametrize("end", ["ctrl-c", "q", "s"])
def test_torque_is_off_whatever_ends_it(stand, face, end):
    script = ["right", None] if end == "ctrl-c" else ["right", None, end]
    try:
        calibrated(stand, face, "jaw", script=script)
    except KeyboardInterrupt:
        assert end == "ctrl-c"
    assert not stand.bank.torque.any()


def test_a_servo_that_falls_silent_under_torque_is_reported(stand, face):
    script = ["right", None, lambda: stand.bank.inject("dead", "jaw") and None, None, " "]
    with pytest.raises(RenaError, match=r"jaw \(id 21\) may still be under torque"):
        calibrated(stand, face, "jaw", script=script)
    assert "Not calibrated yet: jaw." in stand.text


def test_all_torque_is_switched_off_first_after_a_yes(stand, face):
    stand.bank.set_register("pucker", "torque_enable", 1)
    code, _ = calibrated(stand, face, "jaw", script=(), answers=["n"])
    assert code == 1 and stand.bank.torque.any()
    code, _ = calibrated(stand, face, "jaw", script=["q"], answers=["y"])
    assert code == 1 and not stand.bank.torque.any()


def test_silent_and_unsuitable_servos_are_skipped_with_the_reason(stand, face):
    stand.bank.set_register("pucker", "mode", 1)
    stand.bank.set_register("neck_yaw", "max_angle", 0)
    stand.bank.inject("dead", "jaw")
    code, _ = calibrated(stand, face, "jaw", "pucker", "neck_yaw", script=())
    assert code == 1 and "Skipped: jaw, pucker, neck_yaw" in stand.text
    for why in ("it does not reply", "its mode is 1, not 0", "it counts several turns"):
        assert why in stand.text


def test_a_full_disk_loses_no_recorded_value(stand, face, monkeypatch):
    before = face.read_text()
    monkeypatch.setattr("rena_ros.robot.edit.os.fsync", full_disk)
    with pytest.raises(RenaError, match=r"No space left.*\n.*jaw and not saved: min_ticks: 2100, .*max_ticks: 2400"):
        calibrated(stand, face, "jaw", script=by_hand("jaw", 2100, 2400, 2110))
    assert face.read_text() == before


def test_the_file_that_ships_with_rena_stays_as_it_is(stand):
    with pytest.raises(RenaError, match=r"cp .*rena\.yaml my_face\.yaml"):
        stand.run(calibrate)


def test_a_torque_limit_left_lowered_is_restored(stand, face):
    stand.bank.set_register("jaw", "torque_limit", 400)  # as a calibration leaves it when the cable is pulled
    calibrated(stand, face, "jaw", script=("q",))
    assert stand.now("torque_limit", ("jaw",)) == {"jaw": 1000}
