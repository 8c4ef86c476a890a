"""A collection session in virtual time: what is accepted, what a rejection leads to, pauses, rests and the end."""

from collections import Counter

import numpy as np
import pytest
from babble_world import NAMES, ROBOT, World

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.babbling import Course, Phase
from rena_ros.behaviour.protection import StatusReport
from rena_ros.behaviour.worklist import Worklist, parse_todo

GOAL_RAD = 0.01  # of a position from its goal, at a capture


def truth(world, marker):
    """The true positions of the servos at the capture of a marker's picture, rad (25,)."""
    return world.captured[marker.image_ns]


def assert_right(world, markers):
    """Each marker has the planned goals, and its picture shows them."""
    for marker in markers:
        attempt = marker.attempt
        planned = world.replacement(marker.index, attempt) if attempt else world.plan[marker.index]
        assert marker.goals_of(NAMES).tobytes() == planned.goals.tobytes()
        assert (marker.group, marker.seed) == (planned.group, world.seed)
        np.testing.assert_allclose(truth(world, marker), ROBOT.positions(planned.goals), atol=GOAL_RAD)
        assert marker.command_ns < marker.settled_ns <= marker.image_ns - round(marker.capture_delay_s * 1e9)
        assert marker.image_ns < marker.reading_ns


def test_every_sample_is_shown_settled_and_seen_in_its_order():
    world = World(20)
    markers = world.finish()
    assert [marker.index for marker in markers] == list(range(20)) and len(world.markers) == 20
    assert_right(world, markers)
    assert world.phases == [Phase.PAUSED, Phase.BABBLING, Phase.LEAVING, Phase.FINISHED]
    np.testing.assert_allclose(world.positions, 0, atol=GOAL_RAD)
    progress = world.babbling.progress
    assert set(progress.phases()) == {"settle_s", "picture_s", "reading_s", "check_s"}
    seconds = (markers[-1].reading_ns - markers[0].reading_ns) * 1e-9
    assert progress.rate_per_min == pytest.approx(60 * 19 / seconds, rel=0.05)


def test_only_the_samples_that_are_still_to_do_are_shown():
    world = World(20, todo=[3, 17])
    assert [marker.index for marker in world.finish()] == [3, 17]
    assert world.worklist.samples == world.worklist.done == 2


def test_the_same_session_gives_the_same_goals_whatever_happens_to_its_tries():
    calm, disturbed = World(12), World(12)
    calm_goals = [marker.goals for marker in calm.finish()]
    disturbed.run(lambda: len(disturbed.markers) == 3)
    disturbed.bus["connected"] = "false"
    disturbed.live(5)
    disturbed.bus["connected"] = "true"
    disturbed.nudges["jaw"] = (disturbed.now_s + 4.0, 0.05)
    disturbed.babbling.pause()
    disturbed.live(1)
    disturbed.babbling.resume()
    assert [marker.goals for marker in disturbed.finish()] == calm_goals
    assert len(disturbed.markers) > 12


def test_an_expression_without_a_face_is_replaced():
    world = World(4)
    hidden = []

    def face():
        index = len([marker for marker in world.markers if marker.accepted])
        return index != 2 or len(hidden) == 2

    world.face = face
    world.run(lambda: hidden.extend(m for m in world.markers[len(hidden) + 2 :] if not m.accepted) or len(hidden) == 2)
    markers = world.finish()
    assert [(m.index, m.attempt, m.verdict) for m in world.markers if not m.accepted] == [
        (2, 0, "no face"),
        (2, 1, "no face"),
    ]
    assert [(marker.index, marker.attempt) for marker in markers] == [(0, 0), (1, 0), (2, 2), (3, 0)]
    assert_right(world, markers)
    assert world.babbling.progress.rejected == {"no face": 2}


def test_an_expression_that_does_not_settle_is_shown_once_more_and_then_replaced():
    world = World(6)
    world.stuck.add("jaw")  # the plan moves it in some of the samples
    goals = [one.goals[ROBOT.index["jaw"]] for one in world.plan]
    moved = [index for index, goal in enumerate(goals) if goal * ROBOT.upper[ROBOT.index["jaw"]] > 0.08]
    assert moved
    markers = world.finish()
    tries = Counter((marker.index, marker.attempt) for marker in world.markers if marker.verdict == "not settled")
    assert {index for index, _ in tries} == set(moved) and set(tries.values()) == {2}
    assert [marker.index for marker in markers] == list(range(6))
    assert all(marker.attempt > 0 for marker in markers if marker.index in moved)


def test_a_servo_that_rests_near_its_goal_has_settled():
    world = World(2)
    world.stuck.add("neck_pitch")
    wanted = [ROBOT.positions(one.goals)[ROBOT.index["neck_pitch"]] for one in world.plan]
    world.positions[ROBOT.index["neck_pitch"]] = wanted[0] + 0.05  # held by its load
    world.run(lambda: bool(world.markers))
    assert world.markers[0].accepted
    assert world.markers[0].settled_ns - world.markers[0].command_ns > 0.3e9


def test_a_servo_that_does_not_reply_has_not_settled():
    world = World(1)
    world.silent.add("pucker")
    world.run(lambda: bool(world.markers))
    assert world.markers[0].verdict == "not settled"


def test_a_picture_around_which_a_servo_moved_is_rejected_and_the_expression_shown_again():
    world = World(2)
    world.run(lambda: world.babbling._trial is not None and world.babbling._trial.settled_ns > 0)
    world.nudges["neck_roll"] = (world.now_s + 0.02, 0.05)
    markers = world.finish()
    assert [(m.index, m.attempt, m.verdict) for m in world.markers if not m.accepted] == [(0, 0, "moving")]
    assert_right(world, markers)


def test_a_picture_at_whose_capture_a_servo_did_not_reply_is_rejected_and_the_expression_shown_again():
    world = World(2)
    world.run(lambda: world.babbling._trial is not None and world.babbling._trial.settled_ns > 0)
    world.silent.add("jaw")
    world.live(0.1)
    world.silent.clear()
    markers = world.finish()
    assert [(m.index, m.attempt, m.verdict) for m in world.markers if not m.accepted] == [(0, 0, "no state")]
    assert_right(world, markers)


def test_pictures_of_the_past_are_late():
    world = World(1)
    world.reading_s = 0.04
    world.delay_s = -3.0  # stamped 3 s before the capture
    world.run(lambda: bool(world.markers))
    assert world.markers[0].verdict == "late"


FAULTS = {
    "neck_yaw is hot: 66 C": lambda w, on: w.servos.update(neck_yaw=(2 * on, {"temperature_c": "66" if on else "50"})),
    "jaw is overloaded: 80%": lambda w, on: w.servos.update(jaw=(2 if on else 0, {"load": "0.8" if on else "0.1"})),
    "jaw is lost": lambda w, on: w.servos.update(jaw=(3 if on else 0, {})),
    "jaw: as it is": lambda w, on: w.servos.update(jaw=(2 if on else 1, {})),
    "disconnected": lambda w, on: w.bus.update(connected="false" if on else "true"),
    "torque is off": lambda w, on: w.bus.update(torque="false" if on else "true"),
    "stopped": lambda w, on: w.bus.update(stopped="true" if on else "false"),
    "operator": lambda w, on: w.bus.update(owner="operator" if on else "take"),
    "no pictures are read": lambda w, on: setattr(w, "pictures", not on),
    "no joint states come": lambda w, on: setattr(w, "states", not on),
    "the recorder reports: disk": lambda w, on: w.statuses.append(
        StatusReport("recorder", "recorder", 2 * on, "disk full", {})
    ),
    "camera lost": lambda w, on: setattr(w.babbling, "obstacle", "camera lost" if on else ""),
    "service pause": lambda w, on: w.babbling.pause() if on else w.babbling.resume(),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_fault_makes_the_robot_ease_to_neutral_and_pause_until_it_is_gone(reason):
    world, change = World(8), FAULTS[reason]
    world.run(lambda: len(world.markers) == 3)
    change(world, True)
    world.run(lambda: world.babbling.phase is Phase.PAUSED, 6)
    assert reason in world.babbling.because
    assert not world.babbling.target.any()
    tried = world.markers[-1]
    assert tried.accepted or (tried.verdict.startswith("fault: ") and reason in tried.verdict)
    world.live(20)
    assert world.babbling.phase is Phase.PAUSED and world.markers[-1] is tried
    assert world.babbling.protection.can_command == (reason not in ("disconnected", "torque is off", "stopped"))
    change(world, False)
    markers = world.finish()
    assert [marker.index for marker in markers] == list(range(8))
    assert {marker.attempt for marker in markers} == {0}
    assert_right(world, markers)
    assert world.phases.count(Phase.PAUSED) == 2


def test_a_hot_servo_cools_to_its_warning_threshold():
    world = World(5)
    world.servos["jaw"] = (2, {"temperature_c": "65"})
    world.live(5)
    world.servos["jaw"] = (1, {"temperature_c": "56"})
    world.live(10)
    assert world.babbling.because == "jaw is hot: 56 C"
    world.servos["jaw"] = (0, {"temperature_c": "54"})
    world.live(4)
    assert world.babbling.phase is Phase.BABBLING


def test_a_servo_that_gives_cause_again_and_again_gets_longer_pauses():
    world, pauses = World(400), []
    for _ in range(5):
        world.live(4)
        world.servos["jaw"] = (2, {"load": "0.9"})
        world.run(lambda: world.babbling.phase is Phase.PAUSED)
        world.servos.clear()
        begun_s = world.now_s
        world.run(lambda: world.babbling.phase is Phase.BABBLING)
        pauses.append(world.now_s - begun_s)
    assert np.allclose(np.diff(pauses), [2, 4, 8, 16], atol=1.1)
    world.live(70)
    world.servos["jaw"] = (2, {"load": "0.9"})
    world.run(lambda: world.babbling.phase is Phase.PAUSED)
    world.servos.clear()
    world.live(4)
    assert world.babbling.phase is Phase.BABBLING


def test_torque_that_went_off_with_the_port_is_told_from_torque_that_was_switched_off():
    world = World(4)
    protection = world.babbling.protection
    world.bus["reads"] = "500"
    world.live(5)
    world.bus.update(torque="false", reads="600")
    world.live(2)
    assert not protection.has_lost_torque  # as it was asked to
    world.bus.update(torque="true", reads="700")
    world.live(2)
    world.bus.update(torque="false", reads="20")  # it was away for less than a second
    world.live(2)
    assert protection.has_lost_torque
    world.bus.update(stopped="true")
    world.live(2)
    assert not protection.has_lost_torque
    world.bus.update(stopped="false", torque="true")
    world.live(2)
    world.bus.update(connected="false", torque="false")
    world.live(2)
    assert not protection.has_lost_torque  # not yet: nothing can be switched on
    world.bus.update(connected="true")
    world.live(2)
    assert protection.has_lost_torque


def test_a_face_that_is_not_found_five_times_running_pauses_until_it_is_back():
    world = World(4)
    world.run(lambda: len(world.markers) == 2)
    world.face = lambda: False
    world.run(lambda: world.babbling.phase is Phase.PAUSED)
    assert world.babbling.because == "the face is not found in the pictures"
    assert Counter(marker.verdict for marker in world.markers) == {"accepted": 2, "no face": 5}
    world.live(30)
    assert world.babbling.phase is Phase.PAUSED
    world.face = lambda: True
    markers = world.finish()
    assert [(marker.index, marker.attempt) for marker in markers] == [(0, 0), (1, 0), (2, 5), (3, 0)]


def test_the_robot_rests_at_neutral():
    world = World(9, course=Course(3, rest_every=4, rest_s=10.0))
    world.run(lambda: world.babbling.phase is Phase.RESTING)
    assert len(world.markers) == 4
    world.live(5)
    np.testing.assert_allclose(world.positions, 0, atol=GOAL_RAD)
    markers = world.finish()
    assert world.phases.count(Phase.RESTING) == 2 and len(markers) == 9
    assert markers[4].command_ns - markers[3].reading_ns >= 10e9


def test_stop_eases_to_neutral_and_ends():
    world = World(50)
    world.run(lambda: len(world.markers) == 3)
    world.live(0.05)
    world.babbling.stop()
    markers = world.finish()
    assert len(markers) == 3 and world.markers[-1].verdict == "stopped"
    np.testing.assert_allclose(world.positions, 0, atol=GOAL_RAD)


def test_samples_count_once_they_are_stored_and_the_missing_ones_come_again():
    world = World(5, confirm=True)
    lost = {1, 3}
    world.confirms = lambda index: index not in lost or (index in shown and not shown.append(index))
    shown = []

    def note():
        shown.extend(m.index for m in world.markers if m.accepted and m.index in lost and m.index not in shown)
        return world.worklist.done == 3

    world.run(note)
    world.run(lambda: world.babbling.phase is Phase.CONFIRMING)
    markers = world.finish()
    assert Counter(marker.index for marker in markers) == {0: 1, 1: 2, 2: 1, 3: 2, 4: 1}
    assert world.worklist.done == 5


def test_without_confirmations_the_session_pauses_and_goes_on_when_they_come():
    world = World(30, confirm=True)
    world.confirms = lambda index: index < 4
    world.run(lambda: world.babbling.phase is Phase.PAUSED and world.now_s > 110)
    assert "does not confirm" in world.babbling.because
    assert world.worklist.done == 4
    world.confirms = lambda _: True
    world.finish()
    assert world.worklist.done == 30


def test_a_late_confirmation_spares_the_second_try():
    world = World(3, confirm=True)
    world.confirms = lambda index: index != 1
    world.run(lambda: world.babbling.phase is Phase.PAUSED and world.worklist.done == 2)
    world.babbling.stored(1, world.now_s)
    assert len(world.finish()) == 3


@pytest.mark.parametrize("delay_s", [0.0, 0.12, 0.4])
def test_pictures_that_are_stamped_late_are_those_of_the_settled_face(delay_s):
    world = World(6, measure=True)
    world.delay_s = delay_s
    markers = world.finish()
    assert world.phases[:4] == [Phase.PAUSED, Phase.EASING, Phase.MEASURING, Phase.BABBLING]
    assert world.babbling.delay.delay_s == pytest.approx(delay_s, abs=0.01)
    assert {marker.capture_delay_s for marker in markers} == {world.babbling.delay.delay_s}
    assert_right(world, markers)


def test_a_session_without_samples_only_measures():
    world = World(0, measure=True)
    assert world.finish() == [] and world.babbling.delay.correlation > 0.99


def test_a_measurement_begins_again_after_a_pause():
    world = World(0, measure=True)
    world.run(lambda: world.babbling.phase is Phase.MEASURING)
    world.live(10)
    world.servos["jaw"] = (3, {})
    world.live(4)
    world.servos.clear()
    world.finish()
    assert world.phases.count(Phase.MEASURING) == 2


def test_a_measurement_without_a_face_fails():
    world = World(0, measure=True)
    world.face = lambda: False
    with pytest.raises(RenaError, match="no picture shows the face"):
        world.finish()


@pytest.mark.parametrize(
    ("text", "indices"), [("", [0, 1, 2, 3, 4]), ("3", [3]), ("1-2, 4", [1, 2, 4]), ("4,0-1,1", [0, 1, 4])]
)
def test_what_is_to_do_is_numbers_and_ranges(text, indices):
    assert parse_todo(text, 5) == indices


@pytest.mark.parametrize("text", ["5", "1-5", "2-1", "a", "1-", "-1", "1,,2", "0x1"])
def test_what_names_no_samples_is_refused(text):
    with pytest.raises(RenaError, match="todo"):
        parse_todo(text, 5)


def test_a_foreign_confirmation_is_ignored():
    worklist = Worklist(World(3).plan, lambda *_: None, range(3), confirm=True)
    worklist.confirm(2, 0.0)
    worklist.confirm(77, 0.0)
    assert worklist.done == 0 and worklist.next().index == 0
