"""`rena report` from end to end on invented data: it finishes, goes on after an interruption, and repeats nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from report_stand import write_dataset

from rena_ros import cli
from rena_ros.base.errors import RenaError
from rena_ros.datasets.dataset import load_dataset
from rena_ros.report import carry_out, command
from rena_ros.report.kinds import KINDS


def report(*words):
    return cli.main(["report", *map(str, words)])


def only(monkeypatch, *names):
    """Compare these kinds alone, without Table I."""
    few = {name: replace(KINDS[name], attention=None) for name in names}
    monkeypatch.setattr(command, "KINDS", few)


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "runs").glob("*.json")}


@pytest.fixture(scope="module")
def finished(own, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "results"
    assert report("--quick", "--data", own, "--out", out, "--seeds", 1, "--epochs", 1) == 0
    return out


def test_a_quick_report_says_what_it_is_and_shows_every_kind(finished):
    text = (finished / "results.md").read_text()
    assert "**This is a quick run" in text
    for kind in KINDS.values():
        assert f"| {kind.title} |" in text
    figures = json.loads((finished / "results.json").read_text())
    assert figures["quick"] is True and figures["protocol"]["seeds"] == [0]
    assert figures["versions"]["optuna"] and figures["data"]["data"]["samples"] == 400
    assert str(finished.parent) not in json.dumps(figures) + text
    floor, spread = np.array(figures["floor"]["with landmarks, webcam"]["per_servo"]), figures["floor"]["spread"]
    assert floor.shape == (25,) and (floor > 0).all() and (floor <= np.array(spread) + 1e-4).all()
    assert "## The floor, by servo" in text and text.count("| `jaw` |") == 1
    for name in ("cumulative_errors", "servo_errors", "loss_curves", "learning_curve"):
        assert (finished / f"{name}.png").read_bytes().startswith(b"\x89PNG") and f"({name}.png)" in text


def test_the_baselines_figures_are_those_of_a_second_computation(finished, own):
    """Fitted to the first 270 of 300: the validation part is not for training."""
    dataset = load_dataset(own)
    error = dataset.goals[-100:].astype(float) - dataset.goals[:270].astype(float).mean(axis=0)
    runs = json.loads((finished / "results.json").read_text())["runs"]
    (mean,) = [one for one in runs if one["run"]["kind"] == "mean"]
    assert mean["parts"]["test"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert mean["parts"]["test"]["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    brows = error[:, [i for i, name in enumerate(dataset.names) if name.startswith("brow_")]]
    assert mean["parts"]["test"]["per_region"]["brows"] == pytest.approx(np.sqrt((brows**2).mean()), rel=1e-5)
    assert f"{100 * mean['parts']['test']['rmse']:.2f}" in (finished / "results.md").read_text()


def test_finished_runs_are_never_repeated_nor_mixed_with_others(finished, own, capsys):
    before = stamps(finished)
    words = ("--quick", "--data", own, "--out", finished, "--epochs", 1)
    assert report(*words, "--seeds", 1) == 0
    assert report("--worker", "--out", finished) == 0
    assert stamps(finished) == before
    assert report(*words, "--trials", 2) == 2
    assert "begun otherwise (trials: 1 there, 2 now); use another --out" in capsys.readouterr().err


def test_an_interrupted_report_goes_on(own, tmp_path, monkeypatch, capsys):
    words = ("--quick", "--data", own, "--out", tmp_path / "out", "--seeds", 1, "--epochs", 1)
    only(monkeypatch, "mean", "kan", "mlp")
    done, whole = [], carry_out.Experiments.carry_out

    def interrupted(self, name):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(name)
        return whole(self, name)

    monkeypatch.setattr(carry_out.Experiments, "carry_out", interrupted)
    assert report(*words) == 130
    assert "4 of" in capsys.readouterr().out
    before = stamps(tmp_path / "out")
    assert set(before) == {f"{name}.json" for name in done}
    monkeypatch.setattr(carry_out.Experiments, "carry_out", whole)
    assert report(*words) == 0
    assert stamps(tmp_path / "out").items() >= before.items()


def test_identities_are_measured_apart(own, tmp_path, monkeypatch):
    only(monkeypatch, "ridge", "attention_kan")
    known = write_dataset(tmp_path / "known", 200, 2, (11, 12, 13))
    unknown = write_dataset(tmp_path / "unknown", 100, 3, (21, 22))
    places = ("--data", own, "--identities", known, "--strangers", unknown, "--out", tmp_path / "out")
    assert report("--quick", *places, "--seeds", 1, "--epochs", 1) == 0
    text = (tmp_path / "out" / "results.md").read_text()
    assert "## People" in text and "| many identities | 461 |" in text and "identities never trained on" in text
    runs = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    parts = {"test", "known identities", "unknown identities"}
    for one in runs:
        adapted = {f"{name}, adapted" for name in parts - {"test"}} if one["run"]["kind"] != "ridge" else set()
        assert set(one["parts"]) == parts | adapted
    assert report("--quick", *places[:4], "--strangers", known, "--out", tmp_path / "other") == 2


def test_what_cannot_be_done_is_said_in_one_line(own, tmp_path, capsys):
    assert report("--data", own, "--out", tmp_path) == 2
    assert "has 400 samples; the protocol needs 8000 to train and 1000 to test" in capsys.readouterr().err
    assert report("--out", tmp_path) == 2
    assert "--data is missing: collect" in capsys.readouterr().err
    assert report("--worker", "--out", tmp_path) == 2
    assert "holds no report" in capsys.readouterr().err
    assert report("--quick", "--data", own, "--out", tmp_path, "--trials", 0) == 2
    assert "--trials must be at least 1" in capsys.readouterr().err
    words = ("--quick", "--data", own, "--out", tmp_path, "--storage", "nosuch://here")
    assert report(*words) == 2
    assert "--storage nosuch://here" in capsys.readouterr().err


def test_a_damaged_result_is_named(finished):
    from rena_ros.report.sharing import SharedWork

    shared = SharedWork(finished)
    (shared.runs / "torn.json").write_text("{")
    with pytest.raises(RenaError, match=r"torn\.json is damaged"):
        shared.result("torn")
    (shared.runs / "torn.json").unlink()
