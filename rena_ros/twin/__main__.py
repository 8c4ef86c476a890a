"""Compile the drawn face's kernels ahead of time, and say how fast it draws here: ``python -m rena_ros.twin``."""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from rena_ros.twin.face import TwinFace

FRAMES = 200


def main(argv: list[str] | None = None) -> int:
    """Print, and with --json also write, the milliseconds a frame takes; returns the exit code."""
    parser = argparse.ArgumentParser(description="compile the drawn face's kernels and measure a frame")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    args = parser.parse_args(argv)
    started = time.perf_counter()
    with TwinFace() as face:
        face.render(face.robot.neutral_goals)
        ready_s = time.perf_counter() - started
        rng = np.random.default_rng(0)
        frame_ms = []
        for _ in range(FRAMES):
            goals = np.clip(face.robot.neutral_goals + rng.normal(0, 0.15, len(face.robot.names)), 0, 1)
            before = time.perf_counter()
            face.render(goals)
            frame_ms.append(1e3 * (time.perf_counter() - before))
    figures = {
        "ready_s": round(ready_s, 2),
        "frame_ms_p50": round(float(np.median(frame_ms)), 2),
        "frame_ms_p95": round(float(np.percentile(frame_ms, 95)), 2),
        "frames": FRAMES,
    }
    print("drawn face: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
