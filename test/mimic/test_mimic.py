"""The whole chain, for real: a short clip of the performer in, servos moving behind the emulator, a film out."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from rena_ros.mimic.film import encode
from rena_ros.mimic.measurements import HOPS
from rena_ros.mimic.round_trip import HEADLINES
from rena_ros.twin.face import TwinFace

SECONDS, RATE_HZ = 4, 20
DEADLINE_S = 120.0
KEYS = {
    "frames", "frames_with_face", "commands_written", "dropped_frames", "latency_ms", "stage_ms", "rate_hz",
    "hops_ms", "cpu_percent", "memory_mib", "minutes", "limit_violations", "round_trip", "provenance",
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """The performer's face, smiling, opening its mouth and turning its head, each at its own pace."""
    path = tmp_path_factory.mktemp("clip") / "performer.mp4"
    face = TwinFace(look="performer")
    index, goals = face.robot.index, face.robot.neutral_goals.copy()

    def picture(t_s: float) -> np.ndarray:
        smile, jaw, turn = (0.5 - 0.5 * np.cos(2 * np.pi * t_s / period_s) for period_s in (2.0, 1.3, 3.1))
        for name in ("corner_left_up", "corner_right_up"):
            goals[index[name]] = smile
        goals[index["jaw"]] = 0.7 * jaw
        goals[index["neck_yaw"]] = 0.3 + 0.4 * turn
        return face.render(goals)

    count = encode(path, (picture(i / RATE_HZ) for i in range(SECONDS * RATE_HZ)), (640, 480), RATE_HZ)
    assert count == SECONDS * RATE_HZ
    return path


@pytest.fixture
def start(ros_domain):
    """Start `rena mimic`, in a ROS domain of its own and with ROS's logs where it puts them itself."""

    def start(*arguments: object, **environment: str) -> subprocess.Popen:
        ours = {"ROS_DOMAIN_ID": str(ros_domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", **environment}
        env = {name: value for name, value in os.environ.items() if name != "ROS_LOG_DIR"} | ours
        command = [sys.executable, "-m", "rena_ros.cli", "mimic", *map(str, arguments)]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def finish(run: subprocess.Popen, code: int) -> str:
    """Wait until a run ends with this code and return what it wrote to standard error; kill it at the deadline."""
    try:
        said, complained = run.communicate(timeout=DEADLINE_S)
    finally:
        run.kill()
    assert run.returncode == code, said + complained
    return complained


def until_it_moves(run: subprocess.Popen, nodes_of, last: str = "chain") -> dict[str, int]:
    """Wait until the process of the camera runs, which is started last; returns the processes."""
    deadline = time.monotonic() + DEADLINE_S
    while last not in (found := nodes_of(run.pid)):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_a_clip_becomes_commands_a_film_and_figures(tmp_path, clip, start):
    (nothing_fits := tmp_path / "home").touch()
    files = ("--out", tmp_path / "out", "--json", tmp_path / "figures.json")
    finish(start("--source", clip, *files, HOME=str(nothing_fits)), 0)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert json.loads((tmp_path / "figures.json").read_text()) == summary
    assert set(summary) == KEYS

    frames = summary["frames"]
    assert frames == SECONDS * RATE_HZ
    assert 0 < summary["commands_written"] <= summary["frames_with_face"] <= frames - summary["dropped_frames"]
    assert summary["frames_with_face"] > 0.5 * (frames - summary["dropped_frames"])
    assert summary["limit_violations"] == 0
    assert summary["provenance"]["emulator"]["sync_writes"] >= summary["commands_written"]
    assert summary["provenance"]["ended"] == "complete"
    latency = summary["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]
    assert summary["hops_ms"] == {} and sum(minute["frames"] for minute in summary["minutes"]) == frames
    assert set(summary["cpu_percent"]) == {"emulator", "servos", "twin", "chain", "monitor"}
    assert set(summary["stage_ms"]) == {"camera", "blendshapes", "policy", "servos"}
    recorded_s = summary["provenance"]["duration_s"]
    assert summary["rate_hz"]["camera"] == pytest.approx((frames - 1) / recorded_s, rel=1e-3)
    if summary["round_trip"] is None:  # a busy machine draws too few pictures of the twin
        assert any(note.startswith("no round trip: ") for note in summary["provenance"]["notes"])
    else:
        assert set(HEADLINES) < set(summary["round_trip"])
        assert len(summary["round_trip"]["channels"]) == 55
    with av.open(str(tmp_path / "out/mimic.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        pictures = list(film.decode(stream))
    assert len(pictures) / 30 == pytest.approx(recorded_s, abs=1.0)
    assert {path.stem for path in (tmp_path / "out/log").glob("*.log")} >= {"emulator", "servos", "twin", "chain"}
    assert not (tmp_path / "out/.spool").exists()


def test_ctrl_c_ends_all_processes_and_keeps_what_was_recorded(tmp_path, clip, start, nodes_of, until):
    run = start("--source", clip, "--duration", 60, "--namespace", "lab", "--out", tmp_path)
    pids = until_it_moves(run, nodes_of)
    assert set(pids) >= {"emulator", "servos", "twin", "chain"}
    until((tmp_path / ".spool/camera.spool").read_bytes)
    run.send_signal(signal.SIGINT)
    finish(run, 0)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
    provenance = json.loads((tmp_path / "summary.json").read_text())["provenance"]
    assert provenance["ended"] == "interrupted"
    with av.open(str(tmp_path / "mimic.mp4")) as film:
        assert next(film.decode(video=0)).width == 1280


def test_a_node_that_is_killed_ends_the_run_by_name(tmp_path, clip, start, nodes_of, kill_cleanly):
    run = start("--source", clip, "--duration", 60, "--no-composed", "--out", tmp_path)
    pids = until_it_moves(run, nodes_of, "camera")
    assert set(pids) >= {"emulator", "servos", "twin", "policy", "blendshapes", "camera"}
    kill_cleanly(pids["policy"])
    assert "policy was killed by SIGKILL" in finish(run, 1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_a_node_that_refuses_its_parameters_is_quoted(tmp_path, clip, start):
    (params := tmp_path / "\U0001f600.yaml").write_text("/**/policy: {ros__parameters: {rate_hz: 5000.0}}")
    complained = finish(start("--source", clip, "--out", tmp_path / "out", "--params-file", params), 1)
    assert "chain ended with code 2" in complained and "policy: rate_hz 5000.0 is outside 1..500" in complained


def test_hops_add_up_without_a_film(tmp_path, clip, start):
    finish(start("--source", clip, "--no-film", "--hops", "--out", tmp_path), 0)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["provenance"]["film"] is None and not (tmp_path / "mimic.mp4").exists()
    assert tuple(summary["hops_ms"]) == HOPS
    total = sum(hop["p50"] for hop in summary["hops_ms"].values())
    assert total == pytest.approx(summary["latency_ms"]["p50"], rel=0.5)
    assert all(hop["p50"] >= 0 for hop in summary["hops_ms"].values())
