"""Reads in slices: what may happen between two of them, and reads that are dropped."""

import numpy as np
import pytest
from servo_stand import COUNT, ROBOT, ServoStand, neutral_but, ticks_of

from rena_ros.bus.port import PortLost
from rena_ros.bus.protocol import Instruction

JAW = ROBOT.index["jaw"]
READ, WRITE = Instruction.SYNC_READ, Instruction.SYNC_WRITE
READS = {"states": (lambda stand, let_in: stand.gate.read(let_in), 3)}
READS["torque"] = (lambda stand, let_in: stand.gate.check_torque(stand.now_s, let_in), 6)


def in_pause(number, action):
    """Return what a read is to let in: ``action`` in its pause of this number, from 1."""
    pauses = []

    def let_in():
        pauses.append(1)
        if len(pauses) == number:
            action()

    return let_in


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize("pause", [1, 2])
def test_goals_of_a_command_that_comes_during_a_read_are_on_the_wire_before_the_remaining_requests(stand, kind, pause):
    read, requests = READS[kind]
    stand.gate.check_torque(stand.now_s)  # restores the speed limits
    stand.sent.clear()
    arrived_s = []

    def command():
        arrived_s.append(stand.now_s)
        assert stand.command(jaw=0.4).last_byte_s is not None

    assert read(stand, in_pause(pause, command)).fresh.all()
    assert [packet.code for packet in stand.sent] == [READ] * pause + [WRITE] + [READ] * (requests - pause)
    assert stand.bank.goals.frames[-1].time_s - arrived_s[0] == pytest.approx(83 * 10e-6)


def test_no_command_waits_for_more_than_a_slice(stand):
    stand.gate.check_torque(stand.now_s)  # restores the speed limits
    pauses = [stand.now_s]
    for read, _ in READS.values():
        read(stand, lambda: pauses.append(stand.now_s))
        pauses.append(stand.now_s)
    # A request of 17 bytes and nine replies of 14, 10 us each.
    assert np.diff(pauses).max() == pytest.approx((17 + 9 * 14) * 10e-6, abs=1e-4)


def test_goals_keep_their_limits_when_commands_come_in_every_pause_of_every_read(stand):
    rng = np.random.default_rng(4)

    def command():
        positions = ROBOT.positions(rng.random(COUNT))
        assert stand.gate.command(ROBOT.names, positions.tolist(), stand.now_s).refusal is None

    for k in range(150):
        stand.bank.advance(0.008)
        stand.gate.tick(stand.now_s)
        assert stand.gate.read(command).fresh.all()
        if k % 50 == 49:
            assert stand.gate.check_torque(stand.now_s, command).fresh.all()
    assert stand.check_goals().violations == 0


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize("call", ["stop", "torque off", "torque on", "release"])
def test_a_read_during_which_torque_is_switched_is_dropped_and_torque_is_switched_at_once(stand, kind, call):
    calls = {"stop": stand.gate.stop, "release": stand.gate.release}
    calls |= {"torque off": lambda: stand.gate.set_torque(False), "torque on": lambda: stand.gate.set_torque(True)}
    stand.live(0.2, jaw=0.4)
    stand.sent.clear()

    def switch():
        calls[call]()
        assert stand.bank.torque.all() == (call == "torque on")
        stand.sent.clear()

    assert READS[kind][0](stand, in_pause(1, switch)) is None
    assert stand.sent == []
    if call != "release":
        assert stand.gate.read().fresh.all()


@pytest.mark.parametrize("kind", READS)
def test_a_port_that_vanishes_between_two_slices_ends_the_read(stand, kind):
    stand.live(0.2, jaw=0.4)
    goals = stand.bank.goals.count
    with pytest.raises(PortLost):
        READS[kind][0](stand, in_pause(1, lambda: stand.bank.inject("unplugged")))
    stand.gate.drop_port()
    stand.bank.clear()
    stand.gate.connect()
    assert stand.gate.read().fresh.all() and stand.bank.goals.count == goals
    stand.torque_on()
    stand.live(0.5, jaw=0.3)
    assert stand.bank.positions[JAW] == ticks_of("jaw", 0.3)


def test_a_port_that_is_dropped_in_a_pause_ends_the_read_without_a_further_request(stand):
    requests = []

    def lose():
        stand.gate.drop_port()
        requests.append(stand.requests)

    assert stand.gate.read(in_pause(1, lose)) is None
    assert requests == [stand.requests] and stand.gate.bus is None


def test_a_dropped_read_leaves_no_trace():
    stand = ServoStand(neutral_but(jaw=2148)).with_gate()
    before = stand.gate.read()
    stand.bank.inject("dead", "jaw")
    errors, silent = stand.gate.bus.errors, stand.gate.bus.silent
    for _ in range(5):
        assert stand.gate.read(in_pause(2, stand.gate.stop)) is None
    assert not errors.missed.any() and stand.gate.bus.silent == silent == ()
    stand.bank.clear()
    stand.bank.advance(1.1)
    state = stand.gate.read()
    assert state.fresh.all() and state.ticks.tolist() == before.ticks.tolist()
