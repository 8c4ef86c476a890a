"""Compile the kernels of the drawn face ahead of time, and time its frames: ``python -m rena_ros.twin``."""

import argparse
import time

import numpy as np

from rena_ros.base.files import user_path, write_json
from rena_ros.twin.face import TwinFace

FRAMES = 200


def main(argv: list[str] | None = None) -> int:
    """Print how many milliseconds a frame takes, with --json also write it; return the exit code."""
    parser = argparse.ArgumentParser(description="compile the kernels of the drawn face and time its frames")
    parser.add_argument("--json", type=user_path, help="also write the figures to this file")
    args = parser.parse_args(argv)
    started = time.perf_counter()
    face = TwinFace()
    face.render(face.robot.neutral_goals)
    ready_s = time.perf_counter() - started
    rng, frame_ms = np.random.default_rng(0), []
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
        write_json(args.json, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
