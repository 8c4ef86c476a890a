"""The learning rate of each kind, tuned alike on the validation part: optuna, one study a kind.

The first half of the trials lies evenly over the range, so that every kind sees all of it; optuna's Gaussian process
places the rest: between few points it finds the least of a smooth curve, which the tree-structured Parzen estimator
does not. The study is a journal file beside the results, or in a database such as PostgreSQL.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from rena_ros.base.errors import RenaError
from rena_ros.report.plan import Protocol, TuningTrial

RATE = "learning_rate"
DIVERGED = 0.35  # what the search takes a diverged training for: more than a random training sample misses
optuna.logging.set_verbosity(optuna.logging.ERROR)  # it warns of a package that would make it faster


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Open the database at ``url``, or ``study.log`` in the folder. Raises RenaError when it cannot be reached."""
    if url is None:
        return JournalStorage(JournalFileBackend(str(folder / "study.log")))
    try:
        return RDBStorage(url)
    except (ImportError, ValueError) as error:
        remedy = "give a URL as SQLAlchemy takes them (postgresql://user@host/name), and install its driver"
        raise RenaError(f"--storage {url} cannot be opened: {str(error).splitlines()[0]}; {remedy}") from error
    except Exception as error:  # each database's driver raises its own
        raise RenaError(f"--storage {url} does not answer: {str(error).splitlines()[0]}") from error


def fixed_rates(protocol: Protocol) -> tuple[float, ...]:
    """Return the learning rates of the first trials: half of all, evenly spaced in the logarithm, the ends left out."""
    count = (protocol.trials + 1) // 2
    ratio = protocol.greatest_rate / protocol.least_rate
    return tuple(protocol.least_rate * ratio ** ((i + 0.5) / count) for i in range(count))


def carry_out_trial(
    trial: TuningTrial, protocol: Protocol, storage: BaseStorage, study: str, error_at: Callable[[float], float | None]
) -> dict[str, Any]:
    """Try one learning rate; return it and its error as JSON data.

    ``error_at(rate)``: RMSE of the validation goals, None where the training diverged. ``study``: name of the report's
    studies in the storage.
    """
    sampler = optuna.samplers.GPSampler(seed=trial.number, n_startup_trials=1)
    study_ = optuna.create_study(
        storage=storage, study_name=f"{study}/{trial.kind}", sampler=sampler, load_if_exists=True
    )
    range_ = optuna.distributions.FloatDistribution(protocol.least_rate, protocol.greatest_rate, log=True)
    fixed = fixed_rates(protocol)
    if trial.number < len(fixed):
        rate = fixed[trial.number]
        error = error_at(rate)
        found = optuna.trial.create_trial(
            params={RATE: rate}, distributions={RATE: range_}, **_outcome(error, optuna.trial.TrialState)
        )
        study_.add_trial(found)
        return {RATE: rate, "validation_rmse": error}
    asked = study_.ask({RATE: range_})
    rate = float(asked.params[RATE])
    try:
        error = error_at(rate)
    except BaseException:
        study_.tell(asked, state=optuna.trial.TrialState.FAIL)  # interrupted: it will be another trial of the study
        raise
    study_.tell(asked, **_outcome(error, optuna.trial.TrialState, "values"))
    return {RATE: rate, "validation_rmse": error}


def best_rate(results: Sequence[dict[str, Any]]) -> float:
    """Return the learning rate of least validation error. Raises RenaError when every trial diverged."""
    finite = [one for one in results if one["validation_rmse"] is not None and math.isfinite(one["validation_rmse"])]
    if not finite:
        raise RenaError("the training diverged with every learning rate that was tried")
    return float(min(finite, key=lambda one: one["validation_rmse"])[RATE])


def _outcome(error: float | None, states: Any, value: str = "value") -> dict[str, Any]:
    return {"state": states.COMPLETE, value: DIVERGED if error is None else error}
