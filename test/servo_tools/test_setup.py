"""`rena servo setup`: new servos one by one on an emulated bus, and its decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_stand import NAMES, ROBOT, ToolStand, ctrl_c

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register, write_register
from rena_ros.bus.eeprom import write_eeprom
from rena_ros.servo_tools import setup
from rena_ros.servo_tools.setup_steps import (
    Assign,
    BusSnapshot,
    Connect,
    Finished,
    Refuse,
    begin,
    next_step,
    settle,
    updated,
)

IDS = {servo.name: servo.id for servo in ROBOT.servos}
OWN_ONE = NAMES[0]  # the servo with the factory's id, 1


def wanted_now(text):
    """Return the servo that the tool asks for; None when it does not ask."""
    return text.split("is to become ")[1].split()[0] if "is to become " in text else None


def set_up(stand, *argv, **more):
    """Run the tool; it ends when no new servo comes for a minute of virtual time."""
    return stand.run(setup, "--wait", "60", *argv, **more)


class Lab:
    """An operator: connects a new servo whenever the tool asks for one; the others stay connected."""

    def __init__(self, stand):
        self.stand, self.asked_for = stand, []
        stand.on_text = self.heard

    def heard(self, text):
        if name := wanted_now(text):
            self.asked_for.append(name)
            self.connect(name)

    def connect(self, *names):
        self.stand.bank.set_attached(*{*self.stand.bank.attached, *names})

    def unplug(self, *names):
        self.stand.bank.set_attached(*(set(self.stand.bank.attached) - set(names)))


@pytest.fixture
def stand(monkeypatch):
    stand = ToolStand(monkeypatch, factory=True)
    stand.bank.set_attached()
    return stand


SOME = (OWN_ONE, "eye_left_yaw", "jaw", "neck_roll")


def test_servos_are_set_up_one_by_one_and_keep_their_ids(stand):
    lab = Lab(stand)
    assert set_up(stand, *SOME, "--yes") == 0
    assert lab.asked_for == [*SOME[1:], OWN_ONE]  # the one that keeps the factory's id comes last
    assert stand.kept("id", SOME) == {name: IDS[name] for name in SOME}
    assert set(stand.now("return_delay", SOME).values()) == {0} and set(stand.now("lock", SOME).values()) == {1}
    assert set_up(stand, *SOME, "--yes") == 0 and "4 of 4 servos have their ids already" in stand.text


def test_nothing_is_written_without_a_yes(stand):
    Lab(stand)
    assert set_up(stand, answers=["perhaps", "n"]) == 1
    assert "'perhaps' is neither" in stand.text and "Without their ids: brow_right_raise and 24 more" in stand.text
    stand.bank.power_cycle()
    assert read_register(stand.line(), 1, "id") == 1 and read_register(stand.line(), 1, "return_delay") == 250


def test_it_continues_where_it_was_interrupted(stand):
    lab = Lab(stand)

    def ended(_question):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        set_up(stand, *SOME, answers=["y", ended])
    assert "Ids written in this session: eye_left_yaw. Without their ids: jaw and 2 more." in stand.text
    lab.asked_for.clear()
    # The one that was asked about is still connected: new, or the robot's own servo with id 1? Only the operator knows.
    with pytest.raises(RenaError, match="--yes cannot decide"):
        set_up(stand, *SOME, "--yes")
    assert set_up(stand, *SOME, answers=["y", "y", "y"]) == 0
    assert lab.asked_for == ["neck_roll", OWN_ONE]
    assert stand.kept("id", SOME) == {name: IDS[name] for name in SOME}


def test_the_name_of_another_servo_may_be_given(stand):
    stand.bank.set_attached("jaw")
    assert set_up(stand, "pucker", "jaw", answers=["nose", "neck_yaw", "jaw"]) == 1
    assert "'nose' is neither" in stand.text and "neck_yaw has its id already, or is not among" in stand.text
    assert stand.kept("id", ("jaw",)) == {"jaw": IDS["jaw"]}
    assert "Without their ids: pucker." in stand.text


def test_two_new_servos_at_once_are_refused(stand):
    lab = Lab(stand)

    def heard(text):
        if wanted_now(text) == "jaw":
            lab.connect("jaw", "pucker")
        elif "several servos reply as 1" in text:
            assert read_register(stand.line(), 1, "lock") != 0
            lab.unplug("pucker")

    stand.on_text = heard
    assert set_up(stand, "jaw", "--yes") == 0
    assert "Nothing is written at present" in stand.text
    stand.bank.set_attached("jaw", "pucker")
    stand.bank.power_cycle()
    line = stand.line()
    assert read_register(line, IDS["jaw"], "return_delay") == 0 and read_register(line, 1, "return_delay") == 250


def test_a_plug_that_has_contact_for_one_look_only_is_no_new_servo(stand, monkeypatch):
    Lab(stand)
    look, seen = setup.probe_id, []

    def bounced(line, servo_id):
        found = look(line, servo_id)
        if found is not None:
            seen.append(found.id)
            stand.bank.set_attached()
            stand.on_text = lambda text: None  # it is not plugged in again
        return found

    monkeypatch.setattr(setup, "probe_id", bounced)
    assert set_up(stand, "jaw", answers=["y"]) == 1
    assert seen == [1] and "No new servo for 60 s" in stand.text
    assert "A servo replies as 1" not in stand.text and stand.text.count("Connect the servo") == 1


def test_the_torque_of_a_new_servo_is_switched_off_only_after_another_yes(stand):
    stand.bank.set_attached("jaw")
    assert write_register(stand.line(), 1, "torque_enable", 1) is None
    assert set_up(stand, "jaw", answers=["jaw", "n"]) == 1
    assert "Torque is on: jaw." in stand.text and "FAILED" not in stand.text
    assert stand.bank.torque[ROBOT.index["jaw"]] and read_register(stand.line(), 1, "id") == 1
    assert set_up(stand, "jaw", answers=["jaw", "y", "y"]) == 0
    assert not stand.bank.torque.any() and stand.kept("id", ("jaw",)) == {"jaw": IDS["jaw"]}


def test_no_new_servo_for_too_long_ends_it(stand):
    assert stand.run(setup, "--wait", "30") == 1
    assert "No new servo replies yet. Check its power" in stand.text and "No new servo for 30 s" in stand.text


@pytest.mark.parametrize("wait", ["nan", "inf", "-5", "0", "a minute"])
def test_an_invalid_wait_is_refused_in_words(stand, wait, capsys):
    with pytest.raises(SystemExit):
        stand.run(setup, f"--wait={wait}")
    assert f"{wait!r} is no number of seconds above 0" in capsys.readouterr().err and stand.lines == []


def replaced(monkeypatch):
    """A robot that is set up, except for a new servo in place of the lower lip's."""
    stand = ToolStand(monkeypatch)
    stand.bank.set_attached("lip_lower_left")
    assert write_eeprom(stand.line(), IDS["lip_lower_left"], "id", 1) is None
    stand.bank.set_attached(*NAMES)
    return stand


def test_a_replaced_servo_does_not_take_the_place_of_the_one_with_the_factorys_id(monkeypatch):
    stand = replaced(monkeypatch)
    lab = Lab(stand)

    def heard(text):
        if "several servos reply as 1" in text:
            assert f"{OWN_ONE} has that id permanently" in text
            lab.unplug(OWN_ONE)
        elif wanted_now(text) == OWN_ONE:
            lab.connect(OWN_ONE)

    stand.on_text = heard
    assert set_up(stand, answers=[lambda question: "y" if "lip_lower_left, id 13" in question else "n"]) == 0
    assert f"or {OWN_ONE}, which keeps this id" in stand.text
    assert stand.kept("id") == IDS


def test_the_servo_with_the_factorys_id_does_not_count_as_new(monkeypatch):
    stand = replaced(monkeypatch)
    stand.bank.set_attached(*(set(NAMES) - {"lip_lower_left"}))
    assert set_up(stand, answers=[OWN_ONE]) == 1
    assert f"{OWN_ONE} has its id 1 already" in stand.text and "is to become lip_lower_left" in stand.text
    assert stand.kept("id", (OWN_ONE,)) == {OWN_ONE: 1}


def test_a_servo_that_does_not_take_its_id_is_reported(stand):
    Lab(stand)
    stand.bank.inject("eeprom_locked", "brow_right_raise")
    assert set_up(stand, "--yes") == 1
    assert "Failed: brow_right_raise (id 1): id 1 -> 2: did not take the id 2" in stand.text


def test_servos_with_another_rate_get_the_robots_rate(monkeypatch):
    stand = ToolStand(monkeypatch)
    stand.bank.inject("wrong_baud", "jaw", "pucker", baud=500_000)
    assert set_up(stand, "jaw", "pucker", "--baud", "500000", "--yes") == 0
    stand.bank.power_cycle()
    assert stand.now("baud_code", ("jaw", "pucker")) == {"jaw": 0, "pucker": 0}
    assert stand.now("lock", ("jaw", "pucker")) == {"jaw": 1, "pucker": 1}


def test_ctrl_c_at_any_request_of_an_assignment_leaves_the_servo_locked_under_one_of_its_ids(monkeypatch):
    def fresh():
        stand = ToolStand(monkeypatch, factory=True)
        stand.bank.set_attached()
        Lab(stand)
        return stand

    stand = fresh()
    marks = []

    def note(text):
        if "A servo replies as" in text or "All 1 servos have their ids" in text:
            marks.append(stand.requests)
        elif wanted_now(text):
            stand.bank.set_attached("jaw")

    stand.on_text = note
    assert set_up(stand, "jaw", "--yes") == 0
    first, last = marks
    for at in range(first + 1, last + 1, 4):
        stand = fresh()
        stand.before_request[at] = ctrl_c
        with pytest.raises(KeyboardInterrupt):
            set_up(stand, "jaw", "--yes")
        stand.bank.set_attached("jaw")
        line = stand.line()
        found = [servo_id for servo_id in (1, IDS["jaw"]) if read_register(line, servo_id, "id") == servo_id]
        assert len(found) == 1 and read_register(line, found[0], "lock") == 1
        assert ("Without their ids: jaw." in stand.text) == (found == [1])
        stand.before_request.clear()
        assert set_up(stand, "jaw", answers=["y"] * 2) == 0
        assert stand.kept("id", ("jaw",)) == {"jaw": IDS["jaw"]}
        assert stand.now("return_delay", ("jaw",)) == {"jaw": 0}


ids = st.integers(0, 253)
looks = st.lists(st.builds(BusSnapshot, st.frozensets(ids, max_size=30), st.frozensets(ids, max_size=2)), min_size=1)


@given(looks)
def test_only_a_single_unassigned_servo_is_ever_assigned(looks):
    own = set(IDS.values())
    state = begin(ROBOT, ROBOT.servos, looks[0])
    for seen in looks:
        state = updated(state, seen)
        step = next_step(state, seen)
        if seen.shared:
            assert isinstance(step, Refuse)
        if isinstance(step, Assign):
            assert step.id in seen.ids and (step.id not in own or step.id == 1)
            assert not (seen.ids - own - {step.id})
            assert step.servo.id not in state.settled
            state = settle(state, step.servo.id, step.id)
        if isinstance(step, Connect):
            assert step.servo in state.missing and seen.ids <= own
        if isinstance(step, Finished):
            assert state.missing == ()


def test_one_unexpected_servo_is_assigned_and_two_are_refused():
    state = begin(ROBOT, ROBOT.servos, BusSnapshot())
    assert next_step(state, BusSnapshot()) == Connect(ROBOT.servos[1])
    assert next_step(state, BusSnapshot(frozenset({77}))) == Assign(ROBOT.servos[1], 77, doubtful=False)
    assert isinstance(next_step(state, BusSnapshot(frozenset({77, 1}))), Refuse)
