"""The sentences and tables of a report, from results that are given."""

from dataclasses import replace

import numpy as np
import pytest

from rena_ros.report.cells import Cell, Results, cell_of, compared
from rena_ros.report.findings import findings
from rena_ros.report.kinds import ModelKind
from rena_ros.report.page import page
from rena_ros.report.plan import (
    LAMBDAS,
    Protocol,
    ReportRun,
    TuningTrial,
    curve_sizes,
    needs,
    planned_units,
    teachers_of,
)

KINDS = {
    "ridge": ModelKind("ridge regression"),
    "kan": ModelKind("KAN", "kan", attention=False, curve=True),
    "attention_kan": ModelKind("attention + KAN", "attention_kan", consistency=0.01, attention=True, people=True),
}
PROTOCOL = Protocol(pool=1000, test=100, sizes=(250, 500, 1000), trials=2)
SERVOS = (("brow", "brows"), ("jaw", "mouth"))


def result(unit, rmse, **parts):
    figures = {"samples": 100, "mae": rmse / 2, "per_servo": [rmse, 2 * rmse], "left_right_gap": 0.1}
    figures |= {"per_region": {"brows": rmse, "mouth": 2 * rmse}, "quantiles_of_samples": [0.0, rmse]}
    measured = {"test": {**figures, "rmse": rmse}} | {name: {**figures, "rmse": value} for name, value in parts.items()}
    trained = (
        {"learning_rate": 0.002, "exported_us": 30.0, "eager_us": 120.0, "parameters": 9}
        if KINDS[unit.kind].trained
        else {}
    )
    return {"run": vars(unit), "parts": measured, "seconds": 1.0, **trained}


def results_of(error):
    """Results of the whole plan; ``error(unit)``: its test error before the spread of the seeds."""
    units = planned_units(PROTOCOL, KINDS, 1000, 300)
    runs = []
    for unit in units:
        if isinstance(unit, ReportRun):
            value = error(unit) + 0.001 * (unit.seed - 1)
            others = {"known identities": 2 * value, "unknown identities": 3 * value} if unit.data == "people" else {}
            runs.append(result(unit, value, **others))
    return Results(tuple(runs))


def sentences(error):
    return findings(results_of(error), PROTOCOL, KINDS, ("brow", "jaw"), 1000)


def test_mean_and_spread_are_those_of_numpy():
    values = [0.052, 0.049, 0.05]
    cell = cell_of(values)
    assert (cell.mean, cell.spread) == (pytest.approx(np.mean(values)), pytest.approx(np.sqrt(np.var(values, ddof=1))))
    assert cell.percent() == "5.03 ± 0.15"
    assert cell_of([]) is None and cell_of([0.05]).percent() == "5.00"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (Cell(0.050, 0.001, 3), Cell(0.052, 0.0011, 3), "the difference of 0.20 lies within the spread"),
        (Cell(0.050, 0.001, 3), Cell(0.053, 0.0011, 3), "A is lower by 0.30, more than the spread"),
        (Cell(0.053, 0.001, 3), Cell(0.050, 0.0, 1), "B is lower by 0.30, more than the spread"),
        (Cell(0.050, 0.0, 1), Cell(0.053, 0.0, 1), "one seed each"),
    ],
)
def test_a_difference_is_weighed_against_the_spread(a, b, said):
    assert said in compared("A", a, "B", b)


def test_attention_that_harms_is_said_so():
    found = sentences(lambda unit: 0.07 if unit.kind == "ridge" else 0.05 if unit.kind == "kan" else 0.06)
    assert any("Attention: it harms." in one for one in found)
    assert any(one.startswith("KAN has the least error on the robot's own face, 5.00 ± 0.10 %") for one in found)
    assert any("below every baseline by more than the spread" in one and "6.90 %" in one for one in found)
    assert "Its worst servos are `jaw` 10.0 %, `brow` 5.0 %." in found
    assert any("9.00" not in one and "1.50 times its" in one for one in found)


def test_what_lies_within_the_spread_is_no_finding():
    found = sentences(lambda unit: 0.0505 if unit.kind == "kan" else 0.05)
    assert any("it makes no difference that shows" in one for one in found)
    assert any(one.startswith("It is not below every baseline by more than the spread: ridge") for one in found)


def test_one_seed_decides_nothing():
    of_all = results_of(lambda unit: 0.07 if unit.kind == "ridge" else 0.05)
    results = Results(tuple(one for one in of_all.runs if one["run"]["seed"] == 0))
    found = findings(results, PROTOCOL, KINDS, ("brow", "jaw"), 1000)
    assert any(one.startswith("It is below every baseline, by one seed; the best") for one in found)
    assert any(one.startswith("Attention: undecided.") and "one seed each" in one for one in found)


def test_the_best_weight_of_the_consistency_term_is_named():
    found = sentences(lambda unit: 0.05 + 0.01 * abs(unit.consistency - 0.001))
    assert sum("the least error is that of λ = 0.001" in one for one in found) == 2
    found = sentences(lambda unit: 0.05 + unit.consistency)
    assert sum("that of λ = 0; the paper chose 0.01. λ = 0.01 6.00 ± 0.10 %" in one for one in found) == 2


def test_the_learning_curve_is_a_power_law():
    found = sentences(lambda unit: 2 * unit.size**-0.5)
    (curve,) = [one for one in found if one.startswith("Samples, KAN")]
    assert "doubling the samples multiplies the error by 0.71" in curve


def test_the_film_and_the_floor_are_told():
    shares = {"space": 0.8, "time": 0.9, "smoothness": 0.95, "space_still": 0.3, "time_still": 0.96}
    films = {
        "kan": {"mean_r": 0.7, "channels": {"jawOpen": 0.7}, **shares},
        "attention_kan, trained on people": {
            "mean_r": 0.8,
            "channels": {"jawOpen": 0.95, "mouthPucker": 0.55},
            **shares,
        },
    }
    floor = {"faces": 9, "coefficients, moved": {"overall": 0.04, "per_servo": [0.03, 0.05]}}
    found = findings(
        replace(results_of(lambda unit: 0.05), films=films, floor=floor), PROTOCOL, KINDS, ("brow", "jaw"), 1000
    )
    film, table, oracle = found[-3:]
    assert "attention + KAN, trained on people follows the person best: mean r 0.800; below .6 stay" in film
    assert film.endswith("`mouthPucker` 0.55.") and "96.0 and 100" in table
    assert oracle == "An oracle that reads coefficients would err by 4.00 %, most at `jaw` (5.0 %)."


def test_the_page_shows_the_numbers_and_runs_that_diverged():
    results = results_of(lambda unit: 0.05)
    (kan, *others) = [one for one in results.runs if one["run"]["kind"] == "kan" and one["run"]["size"] == 1000]
    kan["parts"], kan["diverged"] = {}, "the loss is not finite"
    text = page(results, PROTOCOL, KINDS, SERVOS, 1000, ["A sentence."], [], {"commit": "c"})
    assert "- A sentence." in text and "| KAN | 5.05 ± 0.07 (1 diverged) |" in text
    assert "| attention + KAN | yes | 5.00 ± 0.10 | 5.00 ± 0.10 | 5.00 ± 0.10 | 5.00 ± 0.10 |" in text
    assert "| KAN | 9 | 30 | 120 | 0.25 |" in text
    assert "| attention + KAN | many identities | 1,300 | 5.00 ± 0.10 | 10.00 ± 0.20 | 15.00 ± 0.30 |" in text
    assert "quick run" not in text and len(others) > 0


def test_the_plan_holds_every_run_once_and_trials_first():
    units = planned_units(PROTOCOL, KINDS, 1000, 300)
    assert len({unit.name for unit in units}) == len(units)
    trials = [unit for unit in units if isinstance(unit, TuningTrial)]
    assert list(units[: len(trials)]) == trials and len(trials) == 2 * PROTOCOL.trials
    table = {(one.kind, one.consistency) for one in units if isinstance(one, ReportRun) and one.size == 1000}
    assert {(kind, weight) for kind in ("kan", "attention_kan") for weight in LAMBDAS} <= table
    run = next(one for one in units if isinstance(one, ReportRun) and one.kind == "kan")
    assert needs(run, units, KINDS) == ("tune-kan-000", "tune-kan-001") and needs(trials[0], units, KINDS) == ()


def test_a_pupil_waits_for_its_teachers_and_has_no_trials():
    kinds = {**KINDS, "pupil": ModelKind("pupil", "kan", teachers="kan")}
    units = planned_units(PROTOCOL, kinds, 1000, 0)
    assert {unit.kind for unit in units if isinstance(unit, TuningTrial)} == {"kan", "attention_kan"}
    (first, *_) = [unit for unit in units if isinstance(unit, ReportRun) and unit.kind == "pupil"]
    taught_by = tuple(f"kan-own-1000-lambda0-seed{seed}" for seed in (0, 1, 2))
    assert needs(first, units, kinds) == taught_by == tuple(one.name for one in teachers_of(first, units, kinds))


def test_the_sizes_of_the_curve_go_as_far_as_the_data():
    sizes = Protocol().sizes
    assert curve_sizes(Protocol(), 64000) == sizes == curve_sizes(Protocol(), 70000)
    assert curve_sizes(Protocol(), 41000) == (*sizes[:6], 41000)
    assert curve_sizes(Protocol(), 33100) == sizes[:6]


def test_steps_grow_with_the_root_of_the_samples_beyond_the_pool():
    protocol = Protocol()
    assert [protocol.epochs_of(size) for size in (1000, 8000, 32000)] == [60, 60, 30]
