"""Carry out the units of a report: try a learning rate, or train one model and measure it once on every part."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.storages import BaseStorage

from rena_ros.base.arrays import FloatArray
from rena_ros.base.commit import source_commit
from rena_ros.behaviour.policy import Policy
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.baselines import Baseline, make_baseline
from rena_ros.learning.cost import answer_cost
from rena_ros.learning.fit import FittedModel, export_fitted, fit, model_goals
from rena_ros.learning.metrics import left_right_gap
from rena_ros.learning.samples import Samples, samples_of
from rena_ros.learning.settings import Settings, settings_with
from rena_ros.learning.trainer import Diverged
from rena_ros.measures.errors import mae, rmse, rmse_by_region, rmse_over
from rena_ros.mimic.film_round_trip import FilmReadings, film_goals
from rena_ros.report.drawn import FaceTrack, Mirror
from rena_ros.report.kinds import ALIKE, ModelKind
from rena_ros.report.parts import TEST, ReportData, joined, training_samples, with_adapted
from rena_ros.report.plan import (
    OWN,
    PEOPLE,
    SEQUENCES,
    TUNING_SEED,
    FloorOfOracle,
    Protocol,
    ReportRun,
    ShownModel,
    TuningTrial,
    Unit,
    first_run,
    teachers_of,
    trials_of,
)
from rena_ros.report.sharing import SharedWork
from rena_ros.report.shown import FACES, PEAK_FRAMES, PEAKS, averaged, held, on_film, table_two
from rena_ros.report.tuning import best_rate, carry_out_trial
from rena_ros.report.visibility import visibility
from rena_ros.robot.model import Robot

QUANTILES = 101  # of the errors of single samples: what the curve of cumulative errors is drawn from


@dataclass(frozen=True)
class Experiments:
    """Everything that the units of a report need; ``tell(unit, epochs, of)`` is called while one trains."""

    protocol: Protocol
    kinds: Mapping[str, ModelKind]
    units: tuple[Unit, ...]
    data: ReportData
    robot: Robot
    mirror: Mirror
    shared: SharedWork
    storage: BaseStorage
    study: str
    tell: Callable[[str, int, int], None] = lambda unit, epochs, of: None

    def carry_out(self, name: str) -> dict[str, Any]:
        """Carry out one unit; return its result as JSON data. Raises RenaError; KeyboardInterrupt passes through."""
        unit = next(one for one in self.units if one.name == name)
        if isinstance(unit, TuningTrial):
            return carry_out_trial(
                unit, self.protocol, self.storage, self.study, lambda rate: self._validation_error(unit, rate)
            )
        if isinstance(unit, FloorOfOracle):
            return visibility(self.data.own, self.data.measured[TEST], self.mirror, self.protocol.quick)
        if isinstance(unit, ShownModel):
            return {"kind": unit.kind, **(self._on_film(unit) if unit.film else self._shown(unit))}
        start_s = time.monotonic()
        measured = self._trained(unit) if self.kinds[unit.kind].trained else self._baseline(unit)
        seconds = round(time.monotonic() - start_s, 2)
        return {"run": asdict(unit), **measured, "seconds": seconds, "commit": source_commit()}

    def _validation_error(self, trial: TuningTrial, rate: float) -> float | None:
        kind, protocol = self.kinds[trial.kind], self.protocol
        run = ReportRun(trial.kind, OWN, protocol.pool, kind.consistency, TUNING_SEED)
        name = f"{trial.name}-{rate:.6g}"  # interrupted, it may be tried with another rate
        try:
            error = self._fitted(run, rate, name).validation_rmse
        except Diverged:
            error = None
        self._forget(name)
        return error

    def _trained(self, run: ReportRun) -> dict[str, Any]:
        kind = self.kinds[run.kind]
        rate = kind.rate or best_rate([self._result(one.name) for one in trials_of(run.kind, self.units, self.kinds)])
        try:
            fitted = self._fitted(run, rate, run.name)
        except Diverged as error:
            self._forget(run.name)
            return {"learning_rate": rate, "diverged": str(error), "parts": {}}
        path = self._model(run)
        export_fitted(fitted, self.data.own, path, {"run": asdict(run), "commit": source_commit()})
        measured = self.data.measured
        if not fitted.network.config.rest:
            measured = measured | with_adapted(measured, fitted.rest.features)
        parts = {name: self._figures(model_goals(path, one), one) for name, one in measured.items()}
        self._forget(run.name)
        return {
            "learning_rate": rate,
            "parameters": fitted.parameters,
            "best_epoch": fitted.best_epoch + 1,
            "validation_rmse": fitted.validation_rmse,
            "loss": [round(epoch.loss, 7) for epoch in fitted.history],
            "validation": [epoch.rmse for epoch in fitted.history],
            "parts": parts,
            **(self._cost(fitted, path) if self._in_the_comparison(run) else {}),
        }

    def _in_the_comparison(self, run: ReportRun) -> bool:
        ours = (OWN, self.protocol.pool, self.kinds[run.kind].consistency)
        return (run.data, run.size, run.consistency) == ours

    def _cost(self, fitted: FittedModel, path: Path) -> dict[str, float]:
        cost = answer_cost(fitted.network, path)
        return {"exported_us": round(cost.exported_us, 1), "eager_us": round(cost.eager_us, 1)}

    def _baseline(self, run: ReportRun) -> dict[str, Any]:
        fitted, measured = self._fitted_baseline(run), self.data.measured.items()
        return {"parts": {name: self._figures(fitted.predict(samples_of(one)), one) for name, one in measured}}

    def _fitted_baseline(self, run: ReportRun) -> Baseline:
        train = joined(training_samples(self.data, self.protocol, run.data, run.size)[0])
        return make_baseline(run.kind, run.seed).fit(samples_of(train))

    def _fitted(self, run: ReportRun, rate: float, name: str) -> FittedModel:
        """Train a run, from its checkpoint where it was interrupted."""
        training, validation = training_samples(self.data, self.protocol, run.data, run.size)
        settings = self._settings(run, rate, sum(map(len, validation)))
        path = self.shared.work / f"{name}.safetensors"
        able = [one.name for one in teachers_of(run, self.units, self.kinds) if self._result(one.name)["parts"]]
        teachers = [self.shared.work / f"{one}.onnx" for one in able]
        return fit(settings, training, validation, path, lambda done: self.tell(name, done, settings.epochs), teachers)

    def _settings(self, run: ReportRun, rate: float, validation: int) -> Settings:
        kind = self.kinds[run.kind]
        given = {"epochs": self.protocol.epochs_of(run.size), **ALIKE, **kind.settings}
        if self.protocol.quick:
            given["epochs"] = self.protocol.epochs
        given |= {"architecture": kind.architecture, "seed": run.seed, "learning_rate": rate, "validation": validation}
        rests = run.data == PEOPLE and self.data.people is not None and self.data.people.rest_features is not None
        return settings_with({**given, "consistency": run.consistency}, rests=rests)

    def _figures(self, predicted: FloatArray, part: Dataset) -> dict[str, Any]:
        """Return the figures of predicted goals (n, 25) on a part, JSON data in units of the goal range."""
        goals = part.goals
        regions = [servo.region for servo in self.robot.servos]
        quantiles = np.quantile(rmse_over(1, predicted, goals), np.linspace(0, 1, QUANTILES))
        return {
            "samples": len(part),
            "rmse": rmse(predicted, goals),
            "mae": mae(predicted, goals),
            "per_servo": rmse_over(0, predicted, goals).round(6).tolist(),
            "per_region": rmse_by_region(predicted, goals, regions),
            "left_right_gap": left_right_gap(predicted, part.names),
            "quantiles_of_samples": quantiles.round(6).tolist(),
        }

    def _shown(self, unit: ShownModel) -> dict[str, Any]:
        """Return the figures of Table II on faces spread over the test part; none of a model that diverged."""
        test, faces = self.data.measured[TEST], 2 if self.protocol.quick else FACES
        run = first_run(unit.kind, self.units)
        if not self._result(run.name)["parts"]:
            return {}
        part = test.part(np.unique(np.linspace(0, len(test) - 1, min(faces, len(test))).round().astype(int)))
        if self.kinds[unit.kind].trained:
            return table_two(part.goals, model_goals(self._model(run), part), self.mirror)
        return table_two(part.goals, self._fitted_baseline(run).predict(samples_of(part)), self.mirror)

    def _on_film(self, unit: ShownModel) -> dict[str, Any]:
        """Return the figures of Table III and of the round trip on films; none of a model that diverged."""
        run = first_run(unit.kind, self.units, unit.data)
        if not self._result(run.name)["parts"]:
            return {}
        return averaged([on_film(one, self._goals_of_film(run, one), self.mirror) for one in self._films(unit)])

    def _films(self, unit: ShownModel) -> tuple[FaceTrack, ...]:
        if unit.film != SEQUENCES:
            return () if self.data.film is None else (self.data.film,)
        test, (count, frames) = self.data.measured[TEST], (1, 12) if self.protocol.quick else (PEAKS, PEAK_FRAMES)
        peaks = test.goals[np.linspace(0, len(test) - 1, count).round().astype(int)]
        return self.mirror.acted(peaks, frames)

    def _goals_of_film(self, run: ReportRun, person: FaceTrack) -> FloatArray:
        """Return the goals (t, 25) that a run's model gives for each frame of a film."""
        seen = np.isfinite(person.features).all(axis=1)
        features, landmarks = person.features[seen], person.landmarks[seen]
        if self.kinds[run.kind].trained:
            policy = Policy(self._model(run), self.robot)
            film = FilmReadings(person.times_s[seen], features, landmarks)
            goals = film_goals(film, policy, "person" if policy.reads_rest else "resting")
        else:
            goals = self._fitted_baseline(run).predict(Samples(features, np.zeros((len(features), 0), np.float32)))
        return held(goals, seen, self.robot.neutral_goals)

    def _model(self, run: ReportRun) -> Path:
        return self.shared.work / f"{run.name}.onnx"

    def _result(self, name: str) -> dict[str, Any]:
        result = self.shared.result(name)
        if result is None:
            raise RuntimeError(f"{name} was to be done before")
        return result

    def _forget(self, name: str) -> None:
        """Remove the checkpoint of a unit that is over."""
        (self.shared.work / f"{name}.safetensors").unlink(missing_ok=True)
