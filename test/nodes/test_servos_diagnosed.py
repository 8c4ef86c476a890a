"""Diagnostics and joint states of the servos node, compared with the faults of the emulated servos."""

import re

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from servo_stand import published

from rena_ros.bus.registers import REGISTERS
from rena_ros.nodes.status_log import REPEAT_S, StatusLog
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
NAMES = ROBOT.names
OK, WARN, ERROR, STALE = (bytes((level,)) for level in range(4))
SIDES = [("eye_left_yaw", 1), ("eye_left_yaw", -1), ("lid_right", -1)]  # lid_right is reversed


@pytest.fixture
def rehearsal(rehearse):
    return rehearse(torque=True)


def reads_of(rehearsal):
    """Return a list that receives every state that the node's gate reads from now on."""
    reads, plain = [], rehearsal.gate.read

    def read(let_in):
        reads.append(plain(let_in))
        return reads[-1]

    rehearsal.gate.read = read
    return reads


def test_the_duration_of_a_read_is_shown_in_milliseconds(rehearsal):
    rehearsal.live(1.1, jaw=0.1)
    # A request of 33 bytes and 25 replies of 14, 10 us each.
    for key in ("read_ms", "read_max_ms"):
        assert float(rehearsal.values("bus")[key]) == pytest.approx((33 + 25 * 14) * 10e-3, rel=0.1)


def test_the_hottest_servo_and_the_extreme_voltages_are_shown(rehearsal):
    rehearsal.bank.inject("overheat", "jaw", temperature_c=50)
    rehearsal.bank.inject("overheat", "pucker", temperature_c=10)
    rehearsal.bank.inject("undervoltage", "jaw", voltage_v=5.5)
    rehearsal.live(1.1, jaw=0.1)
    wanted = {"max_temperature_c": "50 (jaw)", "min_voltage_v": "5.5", "max_voltage_v": "6.0"}
    assert rehearsal.values("bus").items() >= wanted.items()


def test_a_servo_that_misses_one_request_in_five_is_not_silent(rehearsal):
    rehearsal.bank.inject("truncated", "jaw", every=5)
    rehearsal.live(2.0, jaw=0.1)
    bus, jaw = rehearsal.status("bus"), rehearsal.status("jaw")
    assert bus.level == OK and "silent" not in bus.message
    assert jaw.level == WARN and re.search(r"replied to only (7|8)\d% of the last second's reads", jaw.message)
    rehearsal.bank.inject("dead", "jaw")
    rehearsal.live(2.0, jaw=0.1)
    assert rehearsal.status("bus").level == ERROR and "silent: jaw" in rehearsal.status("bus").message


def test_the_share_of_missing_states_is_shown(rehearsal):
    for name in NAMES[:10]:
        rehearsal.bank.inject("truncated", name, every=5)
    rehearsal.live(2.0, jaw=0.1)
    bus = rehearsal.status("bus")  # a fifth of two fifths
    assert bus.level == WARN and re.search(r"^[789]% of the last second's states are missing", bus.message)


def test_repeated_requests_are_counted(rehearsal):
    rehearsal.live(1.0, jaw=0.1)
    assert rehearsal.values("bus")["retries"] == "0"
    rehearsal.bank.inject("truncated", "jaw", every=3)
    rehearsal.live(3.0, jaw=0.1)
    assert int(rehearsal.values("bus")["retries"]) == rehearsal.gate.bus.counters.retries > 0


@pytest.mark.parametrize(("fault", "key"), [("reject", "rejected"), ("corrupt", "corrupt"), ("truncated", "missed")])
def test_bad_replies_are_counted_by_kind(rehearsal, fault, key):
    rehearsal.bank.inject(fault, "jaw", every=3)
    rehearsal.live(2.0, jaw=0.1)
    errors, values = rehearsal.gate.bus.errors, rehearsal.values("jaw")
    place = ROBOT.index["jaw"]
    assert int(values[key]) >= 10 and int(values[key]) <= getattr(errors, key)[place]
    kinds = {"rejected", "corrupt", "missed"}
    assert all(rehearsal.values(name)[kind] == "0" for name in NAMES[:20] for kind in kinds)
    if fault != "corrupt":  # the wrong bit may be anywhere, in the id, too
        assert all(values[other] == "0" for other in kinds - {key})


@pytest.mark.parametrize(("name", "side"), SIDES)
def test_load_is_shown_without_its_sign(rehearsal, name, side):
    # The load of a stuck horn is 1 % of full torque for each tick between horn and goal.
    rehearsal.bank.inject("stuck", name)
    rehearsal.live(2.1, **{name: side * 30 * RAD_PER_TICK})
    assert rehearsal.values(name)["load"] == "0.300"
    assert rehearsal.values("pucker")["load"] == "0.000"


@pytest.mark.parametrize(("name", "side"), SIDES)
def test_velocity_is_the_change_of_position(rehearsal, name, side):
    states = published(rehearsal.node, "/joint_states")
    rehearsal.live(0.1, **{name: side * 0.2})
    i = NAMES.index(name)
    velocity = np.array([state.velocity[i] for state in states])
    position = [state.position[i] for state in states]
    fastest = velocity[np.argmax(np.abs(velocity))]
    # Between two readings the servo is at most as fast as at the faster one (both are rounded to ticks).
    assert side * fastest == pytest.approx(np.abs(np.diff(position)).max() / 0.02, rel=0.4)
    assert (side * velocity > -1e-9).all()


@pytest.mark.parametrize("sign", [0, 1])
def test_current_is_shown_in_amperes_without_its_sign(rehearsal, sign):
    register = REGISTERS["present_current"]
    rehearsal.bank.set_register("jaw", "present_current", 100 | sign << register.sign_bit)  # counts of 6.5 mA
    rehearsal.live(2.1, jaw=0.1)
    assert rehearsal.values("jaw")["current_a"] == "0.650" and rehearsal.values("pucker")["current_a"] == "0.000"
    assert rehearsal.status("jaw").level == WARN and "0.65 A" in rehearsal.status("jaw").message


@pytest.mark.parametrize("fault", [None, "encoder", "dead", "corrupt"])
def test_joint_states_name_all_servos_in_the_files_order_with_nan_where_a_servo_is_not_fresh(rehearsal, fault):
    if fault:
        rehearsal.bank.inject(fault, "jaw", "neck_yaw")
    states, reads = published(rehearsal.node, "/joint_states"), reads_of(rehearsal)
    rehearsal.live(0.5, jaw=0.1)
    assert len(states) == len(reads) >= 20
    for state, read in zip(states, reads, strict=True):
        assert tuple(state.name) == NAMES and len(state.position) == len(state.velocity) == len(NAMES)
        assert list(state.effort) == []  # documented as N m, which servos do not measure
        known = read.fresh & ~np.isin(NAMES, ["jaw", "neck_yaw"] if fault == "encoder" else [])
        assert (np.isfinite(state.position) == known).all() and (np.isfinite(state.velocity) == known).all()
    jaw = [state.position[NAMES.index("jaw")] for state in states[1:]]
    assert np.isnan(jaw).all() if fault else np.isfinite(jaw).all()


def test_a_servo_with_an_encoder_fault_has_no_joint_state_and_gets_no_goals(rehearsal):
    rehearsal.bank.inject("encoder", "jaw")
    states = published(rehearsal.node, "/joint_states")
    rehearsal.live(2.1, jaw=0.1)
    unknown = {name for state in states[1:] for name, p in zip(NAMES, state.position, strict=True) if np.isnan(p)}
    assert len(states) > 90 and unknown == {"jaw"}
    jaw = rehearsal.status("jaw")
    assert jaw.level == ERROR and "gets no goals: it was silent" in jaw.message and "reports encoder" in jaw.message
    assert rehearsal.values("jaw")["driven"] == "false" and rehearsal.values("bus")["driven"] == "24"


def test_the_reason_why_a_servo_gets_no_goals_is_shown(rehearse):
    rehearsal = rehearse()
    rehearsal.live(0.1)
    plain = rehearsal.gate.bus.set_torque

    def set_torque_then_break_an_encoder(on, names):
        failures = plain(on, names)
        rehearsal.bank.inject("encoder", "jaw", for_s=0.1)
        return failures

    rehearsal.gate.bus.set_torque = set_torque_then_break_an_encoder
    response = rehearsal.set_torque(True)
    assert "torque is on; not driven: jaw: its position could not be read" in response.message and not response.success
    rehearsal.live(2.1, pucker=0.1)
    jaw = rehearsal.status("jaw")
    assert jaw.level == ERROR
    assert jaw.message == "gets no goals: its position could not be read after its torque went on"


class LoggedStatuses:
    """A log of statuses, and the lines that it wrote."""

    def __init__(self):
        self.lines = []
        self._log = StatusLog(lambda level, text: self.lines.append((level, text)))

    def update(self, now_s, level, message, *names):
        names = names or ("jaw",)
        statuses = [DiagnosticStatus(name=f"servos: {n}", level=bytes((level,)), message=message) for n in names]
        self._log.update(statuses, now_s)


@pytest.mark.parametrize("count", [2, 8, 9])
def test_servos_with_the_same_finding_share_a_line_which_names_at_most_eight(count):
    log = LoggedStatuses()
    log.update(0.0, 2, "dead", *NAMES[:count])
    names = f"{NAMES[0]} and 8 more" if count == 9 else ", ".join(NAMES[:count])
    assert log.lines == [(2, f"{names}: dead")]


def test_the_log_tells_that_a_servo_is_good_again_only_after_a_finding():
    log = LoggedStatuses()
    for k, (level, message) in enumerate([(0, "limp"), (1, "55 C"), (0, "torque on"), (0, "limp"), (0, "torque on")]):
        log.update(2 * REPEAT_S * k, level, message)
    assert log.lines == [(1, "jaw: 55 C"), (0, "jaw: good again")]


def test_the_log_contains_changes_only():
    log = LoggedStatuses()
    findings = [(0, "torque on"), (0, "limp"), (1, "55 C"), (1, "56 C"), (2, "66 C"), (1, "56 C"), (2, "66.5 C")]
    for second, (level, message) in enumerate(findings):
        log.update(second, level, message)
    assert log.lines == [(1, "jaw: 55 C"), (2, "jaw: 66 C")]
    log.update(4 + REPEAT_S, 0, "torque on")
    assert log.lines[2:] == [(0, "jaw: good again")]
