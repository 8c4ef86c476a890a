"""Judging readings: levels by thresholds, the worst first; without a threshold a reading is not judged."""

import dataclasses

import pytest

from rena_ros.control.health import BusHealth, Level, ServoHealth, judge_bus, judge_servo
from rena_ros.robot.model import Band, Thresholds

OK, WARN, ERROR, STALE = Level
THRESHOLDS = Thresholds(
    temperature_c=Band(55, 65),
    voltage_low_v=Band(5.0, 4.6),
    voltage_high_v=Band(7.2, None),
    load=Band(0.5, 0.75),
    current_a=Band(None, 0.8),
    age_s=Band(0.25, 1.0),
)
WELL = ServoHealth(
    age_s=0.01, fresh=1.0, temperature_c=30, voltage_v=6.0, load=0.1, current_a=0.1, torque=True, commanded=True
)
CONNECTED = BusHealth("/dev/ttyUSB0", connected=True, torque=True)


@pytest.mark.parametrize(
    ("changes", "level", "says"),
    [
        ({}, OK, "torque on"),
        ({"torque": False, "commanded": False}, OK, "limp"),
        ({"temperature_c": 54.9}, OK, ""),
        ({"temperature_c": 55}, WARN, "55 C"),
        ({"temperature_c": 65}, ERROR, "65 C"),
        ({"voltage_v": 5.0}, WARN, "only 5.0 V"),
        ({"voltage_v": 4.6}, ERROR, "only 4.6 V"),
        ({"voltage_v": 12.0}, WARN, "12.0 V"),
        ({"load": 0.8}, ERROR, "load 80%"),
        ({"current_a": 0.79}, OK, ""),
        ({"current_a": 0.8}, ERROR, "0.80 A"),
        ({"age_s": 0.3}, WARN, "silent for 0.3 s"),
        ({"age_s": 2.0}, STALE, "silent for 2.0 s"),
        ({"age_s": None}, STALE, "never replied"),
        ({"fresh": 0.5}, WARN, "50% of the last second"),
        ({"conditions": ("overload", "temperature")}, ERROR, "reports overload; reports temperature"),
        ({"torque": False}, ERROR, "torque is off though it was switched on"),
        ({"commanded": False}, ERROR, "torque is still on though it was switched off"),
        ({"commanded": None}, WARN, "earlier program"),
        ({"torque": None}, ERROR, "cannot be read"),
        ({"torque": None, "commanded": False}, OK, "limp"),
        ({"torque": None, "commanded": None}, OK, "limp"),
        ({"held_back": "gets no goals: does not reply"}, ERROR, "gets no goals"),
    ],
)
def test_a_servo_is_judged_by_the_thresholds_of_its_robot(changes, level, says):
    verdict = judge_servo(THRESHOLDS, dataclasses.replace(WELL, **changes))
    assert verdict.level == level and says in verdict.message


def test_the_worst_finding_gives_the_level_and_comes_first():
    health = dataclasses.replace(WELL, temperature_c=60, torque=False, load=0.6)
    verdict = judge_servo(THRESHOLDS, health)
    assert verdict.level == ERROR
    assert verdict.message == "torque is off though it was switched on; 60 C; load 60%"


def test_without_thresholds_only_age_conditions_and_torque_are_judged():
    extreme = dataclasses.replace(WELL, temperature_c=200, voltage_v=0.1, load=1.0, current_a=99)
    assert judge_servo(Thresholds(), extreme).level == OK
    assert judge_servo(Thresholds(), dataclasses.replace(extreme, age_s=5.0)).level == STALE


@pytest.mark.parametrize(
    ("changes", "level", "says"),
    [
        ({}, OK, "torque on"),
        ({"torque": False}, OK, "limp"),
        ({"connected": False}, ERROR, "disconnected from /dev/ttyUSB0"),
        ({"connected": False, "stopped": True}, ERROR, "stopped"),
        ({"silent": ("jaw", "pucker")}, ERROR, "silent: jaw, pucker"),
        ({"torque_lost": ("jaw",)}, ERROR, "set_torque switches it on again: jaw"),
        ({"refusing": ("jaw",)}, ERROR, "refuses to switch its torque off: jaw"),
        ({"still_on": ("jaw",)}, WARN, "earlier program: jaw"),
        ({"stopped": True, "torque": False}, WARN, "reset"),
        ({"lost_share": 0.04}, OK, ""),
        ({"lost_share": 0.1}, WARN, "10% of the last second"),
        ({"return_delay_us": 2000}, OK, ""),
        ({"return_delay_us": 12500}, WARN, "12.5 ms to each read; `rena servo set-return-delay`"),
        ({"stopped": True, "refusing": ("jaw",)}, ERROR, "jaw; stopped"),
    ],
)
def test_the_bus_is_judged(changes, level, says):
    verdict = judge_bus(dataclasses.replace(CONNECTED, **changes))
    assert verdict.level == level and says in verdict.message
