"""The round trip beside the parts: one run of `rena mimic` with the drawn performer, in processes of its own."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.bench.mimic_latency import DOMAIN
from rena_ros.bench.processes import child_process
from rena_ros.perception.video import PERFORMER


@dataclass(frozen=True)
class LiveRun:
    """``lag_ms``: robot behind person in the round trip; ``mean_r`` over channels; ``wire_…``: stamp to last byte."""

    seconds: float
    lag_ms: float
    mean_r: float
    wire_p50_ms: float
    wire_p95_ms: float


def live_run(seconds: float) -> LiveRun:
    """Run `rena mimic` for so long. Raises RenaError when it fails or sees too little for a round trip."""
    with tempfile.TemporaryDirectory(prefix="rena-bench-") as at:
        figures = Path(at) / "figures.json"
        options = ["--duration", str(seconds), "--out", str(Path(at) / "out"), "--json", str(figures)]
        command = [sys.executable, "-m", "rena_ros.cli", "mimic", "--source", PERFORMER, *options]
        environment = {"ROS_DOMAIN_ID": str(DOMAIN)} | dict(os.environ)
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        with child_process(command, stop_s=30.0, env=environment, **pipes) as process:
            message = process.communicate()[1]
        if process.returncode:
            raise RenaError(f"rena mimic failed beside the bench: {message.strip() or process.returncode}")
        run = json.loads(figures.read_text(encoding="utf-8"))
    trip = run["round_trip"]
    if trip is None:
        raise RenaError(f"rena mimic saw too little in {seconds:g} s for a round trip; give --live more seconds")
    r = [channel["r"] for channel in trip["channels"].values() if channel["r"] is not None]
    wire = run["latency_ms"]
    return LiveRun(seconds, float(trip["lag_ms"]), float(np.mean(r)), float(wire["p50"]), float(wire["p95"]))
