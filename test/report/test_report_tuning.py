"""The search for learning rates: the same range for all, and a study that others can read."""

import math

import numpy as np
import optuna
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.report.plan import Protocol, TuningTrial
from rena_ros.report.tuning import best_rate, carry_out_trial, fixed_rates, open_storage

PROTOCOL = Protocol(trials=10)


def error_at(rate):
    """A valley at 4e-3; diverges above 1.5e-2, as networks do."""
    return None if rate > 1.5e-2 else 0.05 + 0.01 * math.log10(rate / 4e-3) ** 2


@pytest.fixture(params=["journal", "sqlite"])
def storage(request, tmp_path):
    return open_storage(None if request.param == "journal" else f"sqlite:///{tmp_path}/study.db", tmp_path)


def test_the_search_finds_the_valley_and_passes_over_what_diverges(storage):
    results = [carry_out_trial(TuningTrial("kan", i), PROTOCOL, storage, "r", error_at) for i in range(10)]
    rates = [one["learning_rate"] for one in results]
    assert rates[:5] == pytest.approx(np.geomspace(3e-4, 3e-2, 11)[1::2], rel=1e-12)  # middles of five equal parts
    assert all(3e-4 <= rate <= 3e-2 for rate in rates) and len(set(rates)) == 10
    assert any(one["validation_rmse"] is None for one in results)
    assert abs(math.log10(best_rate(results) / 4e-3)) < 0.15
    study = optuna.load_study(study_name="r/kan", storage=storage)
    assert [trial.params["learning_rate"] for trial in study.trials] == pytest.approx(rates)
    assert study.best_value == min(one["validation_rmse"] for one in results if one["validation_rmse"])


def test_an_interrupted_trial_is_not_taken_for_a_result(storage):
    def interrupted(rate):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out_trial(TuningTrial("kan", 9), PROTOCOL, storage, "r", interrupted)
    (trial,) = optuna.load_study(study_name="r/kan", storage=storage).trials
    assert trial.state == optuna.trial.TrialState.FAIL


def test_one_trial_is_the_middle_of_the_range():
    assert fixed_rates(Protocol(trials=1)) == pytest.approx([math.sqrt(3e-4 * 3e-2)])


def test_when_all_diverge_it_is_said():
    with pytest.raises(RenaError, match="diverged with every"):
        best_rate([{"learning_rate": 0.1, "validation_rmse": None}])
