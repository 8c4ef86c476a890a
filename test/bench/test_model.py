"""`rena bench model`: figures counted by hand, and a few passes of every engine that is installed."""

import json
import subprocess
import sys

import pytest

from rena_ros import cli
from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.bench import engines, forward_pass
from rena_ros.bench.engines import Block, Engine, Started, running
from rena_ros.bench.model import EngineRecord, ModelRun

MODEL = "models/rena-coefficients.onnx"
FEW = ("--passes", "3", "--blocks", "2", "--rounds", "1", "--model", str(share_path(MODEL)))
# Layers with the interface of efficient-kan, for where it is not installed.
PEER = """
from torch import nn
class KAN(nn.Sequential):
    def __init__(self, widths, grid_size):
        super().__init__(*(nn.Linear(one, other) for one, other in zip(widths, widths[1:])))
"""


def bench(*options: str) -> int:
    return cli.main(["bench", "model", *FEW, *options])


def engines_in(folder) -> dict[str, dict]:
    (model,) = json.loads((folder / "model.json").read_text())["models"]
    assert model["model"] == "rena-coefficients.onnx" and len(model["others_cores"]) == 1
    return {row["engine"]: row for row in model["engines"]}


def record(*blocks: Block) -> EngineRecord:
    return EngineRecord([Started(0.5, 0.1, (0.2, 0.4)), Started(0.7, 0.3, (0.2, 0.4))], list(blocks))


def test_blocks_are_summarised_and_compared_with_the_first_engine():
    first = record(Block((10_000, 20_000, 30_000), 60_000, 50.0), Block((20_000, 20_000, 20_000), 90_000, 60.0))
    other = EngineRecord([Started(2.0, 0.1, (0.2, 0.1))], [Block((50_000,) * 3, 300_000, 200.0)])
    run = ModelRun("/some/where/model.onnx", parameters={"graph": 7}, records={"graph": first, "eager": other})
    graph, eager = run.figures()
    assert (graph.p50_us, graph.ratio, graph.passes, graph.parameters, graph.peak_mib) == (20.0, 1.0, 6, 7, 60.0)
    assert graph.cpu_us == pytest.approx(25.0) and (graph.import_s, graph.load_s) == pytest.approx((0.6, 0.2))
    assert (eager.p5_us, eager.p99_us, eager.ratio, eager.parameters) == (50.0, 50.0, 2.5, None)
    assert run.goals_apart == pytest.approx(0.3) and run.as_dict()["model"] == "model.onnx"


def test_every_engine_answers(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    (tmp_path / "efficient_kan.py").write_text(PEER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    assert bench("--out", str(tmp_path)) == 0
    rows = engines_in(tmp_path)
    assert list(rows) == ["graph", "policy", "eager", "mlp", "peer", "peer-graph"]
    assert all(row["passes"] == 6 and 0 < row["p5_us"] <= row["p50_us"] <= row["p99_us"] for row in rows.values())
    assert rows["graph"]["ratio"] == 1 and rows["graph"]["parameters"] == rows["eager"]["parameters"] == 239_897
    assert rows["mlp"]["parameters"] == pytest.approx(239_897, rel=0.005)
    assert rows["graph"]["peak_mib"] < rows["policy"]["peak_mib"] < rows["eager"]["peak_mib"]
    assert json.loads((tmp_path / "model.json").read_text())["models"][0]["goals_apart"] < 1e-5
    said = capsys.readouterr().out
    assert "One answer of rena-coefficients.onnx" in said and "not installed" not in said


def test_without_torch_the_other_engines_are_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert bench("--out", str(tmp_path)) == 0
    rows = engines_in(tmp_path)
    assert list(rows) == ["graph", "policy"] and rows["graph"]["parameters"] == 239_897
    said = capsys.readouterr().out
    assert "without eager torch, MLP and efficient-kan: the Python package torch is not installed" in said


def test_without_efficient_kan_the_output_says_how_to_get_it(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr("rena_ros.bench.engines._write_peers", lambda *_: {"eager": 239_897})
    monkeypatch.setattr("rena_ros.bench.model.measure", lambda *_: None)
    assert bench() == 0
    assert "clone Blealtan/efficient-kan" in capsys.readouterr().out


def test_a_file_that_is_no_model_is_refused_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    assert cli.main(["bench", "model", "--model", str(tmp_path / "model.onnx")]) == 2
    assert "is not a model that onnxruntime can load" in capsys.readouterr().err


def test_an_engine_that_cannot_start_is_one_error(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    engine = Engine("graph", "ONNX Runtime", "graph", tmp_path / "model.onnx", "eager")
    with pytest.raises(RenaError, match=r"ONNX Runtime could not be measured: .* is not a model"), running(engine):
        pass


def test_a_graph_is_measured_in_a_process_that_holds_nothing_else():
    code = "import sys; from rena_ros.bench import forward_pass; forward_pass.graph(); print('|'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.strip().split("|"))
    assert "onnxruntime" in loaded and not loaded & {"torch", "cv2", "pydantic", "scipy", "rclpy"}


def test_passes_are_counted_and_timed():
    calls = []
    answer = forward_pass.run_passes(lambda: calls.append(1), 5)
    assert len(calls) == len(answer["times_ns"]) == 5 and min(answer["times_ns"]) > 0
    assert answer["cpu_ns"] > 0 and answer["peak_mib"] > 1
