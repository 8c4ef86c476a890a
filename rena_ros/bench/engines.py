"""The engines that `rena bench model` compares: which can run here, and a process for each."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.base.missing import missing_package
from rena_ros.behaviour.policy import Policy
from rena_ros.bench.processes import child_process
from rena_ros.robot.file import load_robot

NEEDED = ("torch", "onnx", "safetensors")  # by the engines beside onnxruntime
NO_PEER = """\
without efficient-kan: it is not installed, and PyPI does not carry it; clone Blealtan/efficient-kan from GitHub and \
pip install --no-deps the clone"""


@dataclass(frozen=True)
class Engine:
    """A way to run one network. ``kind``: of ``forward_pass.KINDS``; ``counted``: its name in peers.json."""

    key: str
    title: str
    kind: str
    file: Path
    counted: str


@dataclass(frozen=True)
class Started:
    """A process that is ready: seconds of importing and of loading, and the goals (25,) that it gives, not clamped."""

    import_s: float
    load_s: float
    goals: tuple[float, ...]


@dataclass(frozen=True)
class Block:
    """Some passes of one engine, one after the other: the time of each, the processor time of all; ns."""

    times_ns: tuple[int, ...]
    cpu_ns: int
    peak_mib: float


class EngineProcess:
    """One engine in its own process. Use ``running``."""

    def __init__(self, engine: Engine, process: subprocess.Popen):
        assert process.stdin is not None  # these are pipes: see ``running``
        assert process.stdout is not None
        self._engine, self._process, self._to, self._from = engine, process, process.stdin, process.stdout
        answer = self._answer()
        self.started = Started(answer["import_s"], answer["load_s"], tuple(answer["goals"]))

    def run(self, passes: int) -> Block:
        """Run so many passes. Raises RenaError when the process has ended."""
        with contextlib.suppress(BrokenPipeError):
            self._to.write(f"{passes}\n")
            self._to.flush()
        answer = self._answer()
        return Block(tuple(answer["times_ns"]), answer["cpu_ns"], answer["peak_mib"])

    def _answer(self) -> dict[str, Any]:
        line = self._from.readline()
        if not line:
            said = self._process.communicate()[1].strip().splitlines()
            raise RenaError(f"{self._engine.title} could not be measured: {said[-1] if said else 'its process ended'}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def running(engine: Engine, robot_file: str | None = None) -> Iterator[EngineProcess]:
    """Run an engine's process, ready for passes. Raises RenaError, with its message, when it does not become ready."""
    command = [sys.executable, "-W", "ignore", "-m", "rena_ros.bench.forward_pass", engine.kind, str(engine.file)]
    command += ["--robot-file", robot_file] if robot_file else []
    with child_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        yield EngineProcess(engine, process)


def hindrance() -> str | None:
    """Return why torch's engines cannot run here; None when they can."""
    absent = next((name for name in NEEDED if find_spec(name) is None), None)
    if absent is None:
        return None
    return f"without eager torch, MLP and efficient-kan: {missing_package(ModuleNotFoundError(name=absent))}"


@contextlib.contextmanager
def engines_of(model: Path, robot_file: str | None) -> Iterator[tuple[list[Engine], dict[str, int]]]:
    """Give the engines for a model, the shipped way first, and the parameters of each kind that is known.

    The files of the peers are made first, in a process of its own, and live as long as the block. Raises RenaError
    when the file holds no model of this robot.
    """
    provenance = Policy(model, load_robot(robot_file)).provenance
    trained = provenance.get("training", {}).get("parameters")
    counts: dict[str, int] = {} if trained is None else {"eager": trained}
    engines = [
        Engine("graph", "ONNX Runtime", "graph", model, "eager"),
        Engine("policy", "Policy (with its checks)", "policy", model, "eager"),
    ]
    with tempfile.TemporaryDirectory(prefix="rena-bench-") as name:
        folder = Path(name)
        if hindrance() is None:
            counts |= _write_peers(model, robot_file, folder)
            peers = [
                Engine("eager", "torch, eager", "eager", folder / "eager.safetensors", "eager"),
                Engine("mlp", "MLP of equal size, ONNX Runtime", "graph", folder / "mlp.onnx", "mlp"),
                Engine("peer", "efficient-kan, torch, eager", "eager", folder / "peer.safetensors", "peer"),
                Engine("peer-graph", "efficient-kan, ONNX Runtime", "graph", folder / "peer.onnx", "peer"),
            ]
            engines += [engine for engine in peers if engine.counted in counts]
        yield engines, counts


def _write_peers(model: Path, robot_file: str | None, folder: Path) -> dict[str, int]:
    command = [sys.executable, "-W", "ignore", "-m", "rena_ros.learning.peers"]
    command += ["--model", str(model), "--out", str(folder)]
    command += ["--robot-file", robot_file] if robot_file else []
    with child_process(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        message = process.communicate()[1].strip()
    if process.returncode:
        raise RenaError(message.splitlines()[-1] if message else "the engines beside onnxruntime could not be made")
    counts: dict[str, int] = json.loads((folder / "peers.json").read_text(encoding="utf-8"))
    return counts
