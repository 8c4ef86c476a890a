"""What the servos node says of servos and bus, against what the emulated servos were made to do."""

import re

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from servos_stand import stages

from rena_ros.bus.registers import REGISTERS
from rena_ros.nodes.status_log import REPEAT_S, StatusLog
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
NAMES = ROBOT.names
OK, WARN, ERROR, STALE = (bytes((level,)) for level in range(4))
SIDES = [("eye_left_yaw", 1), ("eye_left_yaw", -1), ("lid_right", -1)]  # lid_right is reversed


@pytest.fixture
def make_stage(monkeypatch):
    with stages(monkeypatch) as make:
        yield make


@pytest.fixture
def stage(make_stage):
    stage = make_stage()
    stage.up()
    return stage


def test_how_long_a_read_takes_is_told_in_milliseconds(stage):
    stage.act(1.1, jaw=0.1)
    # A request of 33 bytes and 25 answers of 14, 10 us each.
    for key in ("read_ms", "read_max_ms"):
        assert float(stage.values("bus")[key]) == pytest.approx((33 + 25 * 14) * 10e-3, rel=0.1)


def test_the_hottest_servo_and_the_voltages_are_told(stage):
    stage.bank.inject("overheat", "jaw", temperature_c=50)
    stage.bank.inject("overheat", "pucker", temperature_c=10)
    stage.bank.inject("undervoltage", "jaw", voltage_v=5.5)
    stage.act(1.1, jaw=0.1)
    wanted = {"max_temperature_c": "50 (jaw)", "min_voltage_v": "5.5", "max_voltage_v": "6.0"}
    assert stage.values("bus").items() >= wanted.items()


def test_one_that_misses_a_question_now_and_then_is_not_silent(stage):
    stage.bank.inject("truncated", "jaw", every=5)
    stage.act(2.0, jaw=0.1)
    bus, jaw = stage.status("bus"), stage.status("jaw")
    assert bus.level == OK and "silent" not in bus.message
    assert jaw.level == WARN and re.search(r"replied to only (7|8)\d% of the last second's reads", jaw.message)
    stage.bank.inject("dead", "jaw")
    stage.act(2.0, jaw=0.1)
    assert stage.status("bus").level == ERROR and "silent: jaw" in stage.status("bus").message


def test_the_share_of_readings_that_are_missing_is_told(stage):
    for name in NAMES[:10]:
        stage.bank.inject("truncated", name, every=5)
    stage.act(2.0, jaw=0.1)
    bus = stage.status("bus")  # a fifth of two fifths
    assert bus.level == WARN and re.search(r"^[789]% of the last second's readings are missing", bus.message)


def test_repeated_requests_are_counted(stage):
    stage.act(1.0, jaw=0.1)
    assert stage.values("bus")["retries"] == "0"
    stage.bank.inject("truncated", "jaw", every=3)
    stage.act(3.0, jaw=0.1)
    assert int(stage.values("bus")["retries"]) == stage.gate.bus.counters.retries > 0


@pytest.mark.parametrize(("fault", "key"), [("reject", "rejected"), ("corrupt", "corrupt"), ("truncated", "missed")])
def test_answers_that_do_not_count_are_counted_by_their_kind(stage, fault, key):
    stage.bank.inject(fault, "jaw", every=3)
    stage.act(2.0, jaw=0.1)
    errors, values = stage.gate.bus.errors, stage.values("jaw")
    place = ROBOT.index["jaw"]
    assert int(values[key]) >= 10 and int(values[key]) <= getattr(errors, key)[place]
    assert all(stage.values(name)[other] == "0" for name in NAMES[:20] for other in ("rejected", "corrupt", "missed"))
    if fault != "corrupt":  # a bit may be wrong anywhere, in the id, too
        assert all(values[other] == "0" for other in {"rejected", "corrupt", "missed"} - {key})


@pytest.mark.parametrize(("name", "side"), SIDES)
def test_load_is_told_without_its_sign_and_effort_with_it(stage, name, side):
    # A horn that is stuck strains by 1 % of full torque for each tick it is away from its goal.
    stage.bank.inject("stuck", name)
    stage.act(2.1, **{name: side * 30 * RAD_PER_TICK})
    assert stage.values(name)["load"] == "0.300"
    state = stage.states[-1]
    assert state.effort[state.name.index(name)] == pytest.approx(side * 0.3)
    assert stage.values("pucker")["load"] == "0.000"


@pytest.mark.parametrize(("name", "side"), SIDES)
def test_velocity_is_that_of_the_position(stage, name, side):
    stage.states.clear()
    stage.act(0.1, **{name: side * 0.2})
    i = NAMES.index(name)
    velocity = np.array([state.velocity[i] for state in stage.states])
    effort = np.array([state.effort[i] for state in stage.states])
    position = [state.position[i] for state in stage.states]
    fastest = velocity[np.argmax(np.abs(velocity))]
    # Between two readings it goes at most as fast as at their faster end (both are rounded to ticks).
    assert side * fastest == pytest.approx(np.abs(np.diff(position)).max() / 0.02, rel=0.4)
    assert (side * velocity > -1e-9).all() and (side * effort > -1e-9).all() and np.abs(effort).max() > 0


@pytest.mark.parametrize("sign", [0, 1])
def test_current_is_told_in_amperes_without_its_sign(stage, sign):
    register = REGISTERS["present_current"]
    word = 100 | sign << register.sign_bit  # of 6.5 mA each
    stage.bank.set_register("jaw", "present_current", word)
    stage.act(2.1, jaw=0.1)
    assert stage.values("jaw")["current_a"] == "0.650" and stage.values("pucker")["current_a"] == "0.000"
    assert stage.status("jaw").level == WARN and "0.65 A" in stage.status("jaw").message


def test_one_that_does_not_know_where_it_is_is_not_among_the_joint_states_and_gets_no_goals(stage):
    stage.bank.inject("encoder", "jaw")
    stage.states.clear()
    stage.act(2.1, jaw=0.1)
    assert len(stage.states) > 90 and all(set(state.name) == set(NAMES) - {"jaw"} for state in stage.states[1:])
    assert {len(state.velocity) for state in stage.states[1:]} == {len(NAMES) - 1}
    jaw = stage.status("jaw")
    assert jaw.level == ERROR and "gets no goals: it was silent" in jaw.message and "reports encoder" in jaw.message
    assert stage.values("jaw")["driven"] == "false" and stage.values("bus")["driven"] == "24"


def test_why_one_gets_no_goals_is_told(make_stage):
    stage = make_stage()
    stage.live(0.1)
    plain = stage.gate.bus.set_torque

    def then_one_loses_its_place(on, names):
        failures = plain(on, names)
        stage.bank.inject("encoder", "jaw", for_s=0.1)
        return failures

    stage.gate.bus.set_torque = then_one_loses_its_place
    assert "jaw: its position could not be read" in stage.set_torque(True).message
    stage.act(2.1, pucker=0.1)
    jaw = stage.status("jaw")
    assert (
        jaw.level == ERROR and jaw.message == "gets no goals: its position could not be read after its torque went on"
    )


def status(name, level, message):
    return DiagnosticStatus(name=f"servos: {name}", level=bytes((level,)), message=message)


@pytest.mark.parametrize("count", [8, 9])
def test_what_happens_to_many_at_once_is_not_told_of_each(count):
    said = []
    StatusLog(lambda level, text: said.append((level, text))).update([status(n, 2, "dead") for n in NAMES[:count]], 0.0)
    names = ", ".join(NAMES[:8]) if count == 8 else f"{NAMES[0]} and 8 more"
    assert said == [(2, f"{names}: dead")]


def test_that_all_is_well_is_told_only_after_it_was_not():
    said = []
    log = StatusLog(lambda level, text: said.append(text))
    for k, (level, message) in enumerate([(0, "limp"), (1, "55 C"), (0, "torque on"), (0, "limp"), (0, "torque on")]):
        log.update([status("jaw", level, message)], 2 * REPEAT_S * k)
    assert said == ["jaw: 55 C", "jaw: good again"]
