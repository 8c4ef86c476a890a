"""The benchmarks' own figures: counted by hand, and on servos whose positions are known."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from rena_ros import cli
from rena_ros.base.errors import RenaError
from rena_ros.bench import drivers, fault_table, soak_report
from rena_ros.bench.cycle import figures, wire_ms
from rena_ros.bench.drivers import CycleResult, vendor_sdk
from rena_ros.bench.fault_table import INSTANT, summarise
from rena_ros.bench.fuzz import FuzzResult
from rena_ros.bench.fuzz_command import merge
from rena_ros.bench.growth import measure_growth
from rena_ros.bench.machine import ProcessState
from rena_ros.bench.measure import Record, goals_of_cycle, measure
from rena_ros.bench.processes import busy_process, child_process, emulated_bus
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
COUNT = len(ROBOT.names)


def record(offered, true, success=None, cycle_s=None) -> Record:
    """Make a record of m cycles from tables (m, n)."""
    offered, true = np.array(offered, bool), np.array(true, bool)
    cycles = len(offered)
    return Record(
        cycle_s=np.full(cycles, 0.006) if cycle_s is None else np.array(cycle_s),
        offered=offered,
        true=true,
        success=np.ones(cycles, bool) if success is None else np.array(success, bool),
        raised=np.zeros(cycles, bool),
        cpu_s=0.001 * cycles,
        others_cores=0.0,
    )


class LaggingDriver:
    """A driver that offers the goals of an earlier cycle as new, and raises in every so many cycles."""

    def __init__(self, lag: int, raises_every: int = 0):
        self._lag, self._raises_every, self._seen = lag, raises_every, []

    def cycle(self, ticks):
        self._seen.append(ticks)
        if self._raises_every and len(self._seen) % self._raises_every == 0:
            raise IndexError("a reply was short")
        return CycleResult(self._seen[max(0, len(self._seen) - 1 - self._lag)], np.ones(COUNT, bool), True)


def test_the_wires_time_is_that_of_its_frames():
    # goals 8 + 25 x 7, request 8 + 25, replies 25 x 14: 566 bytes of 10 us
    assert wire_ms(25, 6) == pytest.approx(5.66)
    assert wire_ms(25, 2) == pytest.approx(4.66)


def test_goals_stay_within_the_limits_and_differ_in_every_cycle():
    goals = np.array([goals_of_cycle(ROBOT, k) for k in range(300)])
    assert (goals >= ROBOT.min_ticks).all() and (goals <= ROBOT.max_ticks).all()
    assert all(len(set(column)) == 300 for column in goals.T)


@pytest.mark.parametrize(("lag", "true"), [(0, 1.0), (1, 0.0)])
def test_a_reading_of_an_earlier_cycle_is_not_true(lag, true):
    measured = measure(LaggingDriver(lag), ROBOT, cycles=20, warm_up=5, emulator_pid=os.getpid())
    assert measured.offered.all() and measured.success.all() and measured.true.mean() == true
    assert measured.cycle_s.shape == (20,) and (measured.cycle_s > 0).all()


def test_a_driver_that_raises_offers_nothing_and_the_run_continues():
    measured = measure(LaggingDriver(0, raises_every=4), ROBOT, cycles=20, warm_up=0, emulator_pid=os.getpid())
    assert measured.raised.sum() == 5
    assert not measured.offered[measured.raised].any() and not measured.success[measured.raised].any()
    assert measured.true[~measured.raised].all()


def test_the_rounds_of_a_driver_are_summarised():
    rounds = [record([[1, 1]] * 4, [[1, 1]] * 4, cycle_s=times) for times in ([1, 2, 3, 4], [5, 6, 7, 100])]
    row = figures("rena", rounds, np.array([True, True]))
    assert row.p50_ms == pytest.approx(4500) and row.worst_ms == 100_000 and row.cycles == 8
    assert row.cpu_ms == pytest.approx(1.0) and row.fresh == 1.0
    assert row.ratio == pytest.approx(4500 / wire_ms(2, 6))


def test_a_cycle_without_a_request_does_not_shorten_the_cycle_time():
    half_asked = record([[1, 1]] * 2 + [[0, 0]] * 2, np.ones((4, 2)), cycle_s=[0.006, 0.006, 0.00007, 0.00007])
    row = figures("rena", [half_asked], np.array([True, True]))
    assert row.p50_ms == pytest.approx(6.0) and row.cycles == 2 and row.fresh == 0.5


def test_a_dead_servo_does_not_count_in_the_share_of_fresh_readings():
    half = record([[1, 0, 1]] * 3 + [[1, 0, 0]], np.ones((4, 3)))
    assert figures("rena", [half], np.array([True, False, True])).fresh == pytest.approx(7 / 8)


def test_stale_readings_lost_servos_and_true_ones_are_counted():
    # three servos, the second faulty: the third is lost from the third of eight cycles on
    offered = [[1, 1, 1]] * 2 + [[1, 1, 0]] * 5 + [[1, 0, 0]]
    true = [[1, 0, 1]] * 2 + [[1, 1, 1]] * 5 + [[0, 1, 1]]
    row = summarise("vendor", "dead", record(offered, true, success=[1, 0, 0, 0, 0, 0, 0, 0]), faulty=1)
    assert (row.offered, row.stale, row.stale_in_success, row.success) == (6 + 10 + 1, 3, 1, 1)
    assert row.lost == 1 and row.healthy == pytest.approx((7 + 2) / 16, abs=1e-4) and row.raised == 0


@pytest.mark.parametrize("driver", ["rena", "rena-position", "vendor"])
def test_without_a_fault_every_reading_of_every_driver_is_new_and_true(driver, until):
    def nearly_all_replied():
        measured = bus.measure(driver, 10, 5)
        assert measured.true[measured.offered].all()
        return measured.offered.mean() > 0.9

    with emulated_bus(INSTANT) as bus:
        until(nearly_all_replied)  # a busy machine may lose some readings, but not for ever


def test_a_dead_servo_is_never_offered_and_the_others_are(until):
    def the_others_replied():
        row = summarise("rena-position", "dead", bus.measure("rena-position", 30, 0), fault_table.FAULTY)
        assert row.stale == 0 and row.offered <= 30 * (COUNT - 1)
        return row.lost == 0 and row.healthy > 0.9

    with emulated_bus(INSTANT, [{"kind": "dead", "servo": ROBOT.names[fault_table.FAULTY]}]) as bus:
        until(the_others_replied)


def test_a_wrong_fault_file_ends_with_the_emulators_own_message():
    with pytest.raises(RenaError, match="lion"), emulated_bus(faults=[{"kind": "lion"}]):
        pass


def test_no_process_stays_behind():
    with pytest.raises(KeyboardInterrupt), busy_process() as busy, child_process(["sleep", "60"]) as sleeper:
        raise KeyboardInterrupt
    assert busy.returncode == sleeper.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("values", "grew"),
    [
        (np.full(60, 40.0), False),
        (40 + 0.1 * np.arange(60), True),  # a leak
        (np.r_[np.linspace(20, 40, 10), np.full(50, 40.0)], False),  # settling in the first sixth
        (np.where(np.arange(60) % 7, 40.0, 90.0), False),  # single spikes
        (np.where(np.arange(60) > 50, np.nan, 40.0), False),  # nothing to measure at the end
    ],
)
def test_only_lasting_growth_after_settling_counts(values, grew):
    assert measure_growth("memory", values, absolute=1.0).grew is grew


def test_too_few_values_are_refused():
    with pytest.raises(ValueError, match="too few"):
        measure_growth("memory", np.array([1.0, np.nan, 3.0, 4.0, 5.0, 6.0]), absolute=1.0)


def soak(leak: float):
    """Make 130 seconds of a run in which the servos node's memory grows by ``leak`` MiB a second."""
    run = soak_report.Soak(began_s=1000.0)
    for k in range(130):
        servos = ProcessState(60 + leak * k, 20, 5)
        run.processes.append({"time_s": 1000.0 + k, "emulator": ProcessState(50, 9, 1), "servos": servos})
        out = k == 70
        status = {"connected": "false" if out else "true", "torque": "true", "read_ms": "" if out else "5.0"}
        status |= {"read_max_ms": "6.5", "bus_rate_hz": "50"}
        run.bus.append({"time_s": 1000.0 + k, "level": 2 if out else 0, **status})
    return run


@pytest.mark.parametrize(("leak", "grown"), [(0.0, []), (0.1, ["servos: memory, MiB"])])
def test_a_leak_is_found_in_a_run(leak, grown):
    assert [verdict.name for verdict in soak_report.judge_growth(soak(leak)) if verdict.grew] == grown


def test_growth_during_the_start_does_not_count_and_a_short_run_has_no_verdict():
    run = soak(0.0)
    run.processes[:20] = [{**state, "servos": ProcessState(5.0, 3, 1)} for state in run.processes[:20]]
    assert not any(verdict.grew for verdict in soak_report.judge_growth(run))
    assert soak_report.judge_growth(soak_report.Soak(1000.0, run.bus[:24], run.processes[:24])) == []


def test_a_run_is_reported_by_the_minute():
    rows = soak_report.per_minute(soak(0.0))
    assert [row["minute"] for row in rows] == [1, 2, 3]
    assert [row["seconds_disconnected"] for row in rows] == [0, 1, 0]
    assert rows[1]["read_ms"] == 5.0 and rows[0]["servos_rss_mib"] == 60.0


def test_without_the_vendors_sdk_the_error_names_the_way_to_install_it(monkeypatch):
    def missing(name):
        raise drivers.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(drivers.importlib.metadata, "version", missing)
    with pytest.raises(RenaError, match="pip install feetech-servo-sdk"):
        vendor_sdk()


def test_a_short_endurance_run(tmp_path, ros_domain):
    command = [sys.executable, "-m", "rena_ros.cli", "bench", "soak", "--minutes", "0.12", "--rate", "0"]
    command += ["--domain", str(ros_domain), "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads((tmp_path / "soak.json").read_text())
    assert figures["whole"] and figures["wrong"] == [] and figures["emulator"]["limit_violations"] == 0
    assert figures["per_minute"][0]["read_ms"] > 0  # the servos node's status was received
    assert figures["emulator"]["sync_writes"] > 0 and figures["per_minute"][0]["servos_threads"] > 0
    assert not (tmp_path / "servos").is_symlink()


def test_results_of_several_processes_are_merged():
    zero = {field.name: 0 for field in dataclasses.fields(FuzzResult)}
    one = FuzzResult(**{**zero, "commands": 10, "accepted": 7, "frames": 5, "top_speed": 0.9, "examples": ()})
    two = dataclasses.replace(one, limits=2, top_speed=0.8, examples=("jaw outside its limits",) * 9)
    total = merge([one, two])
    assert (total.commands, total.accepted, total.limits, total.top_speed) == (20, 14, 2, 0.9)
    assert len(total.examples) == 5 and one.passed and not total.passed


@pytest.mark.parametrize("command", ["bus", "faults", "soak", "fuzz", "model"])
def test_every_benchmark_explains_itself(command):
    code = f"import rena_ros.cli; rena_ros.cli.main(['bench', {command!r}, '--help'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0 and f"rena bench {command}" in result.stdout, result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["soak", "--minutes", "nan"], "--minutes must be above 0"),
        (["soak", "--minutes", "inf"], "--minutes must be above 0"),
        (["soak", "--seed", "-1"], "--seed not negative"),
        (["soak", "--domain", "233"], "--domain 233 is outside 0..232"),
        (["fuzz", "--workers", "0"], "--workers must be at least 1"),
        (["model", "--blocks", "0"], "--blocks and --rounds must be at least 1"),
        (["model", "--model", "/no/model.onnx"], "there is no model /no/model.onnx"),
        *(
            ([name, "--out", "/proc/no"], "cannot write into /proc/no: ")
            for name in ("bus", "faults", "soak", "fuzz", "model")
        ),
    ],
)
def test_impossible_arguments_are_refused_before_the_run(arguments, message, capsys):
    assert cli.main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err
