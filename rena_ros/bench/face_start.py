"""Start-up and memory of one engine that reads faces, in a process of its own: `python -m rena_ros.bench.face_start`.

Prints one JSON object: seconds from the import to the end of the first reading, processor seconds and resident memory
after 21 readings, MiB beyond that of NumPy and OpenCV, and the number of threads.
"""

import argparse
import json
import os
import time

import cv2
import numpy as np

from rena_ros.bench.machine import ProcessState

READS = 21


def main() -> None:
    """Read one still frame READS times."""
    parser = argparse.ArgumentParser(prog="face_start", description=__doc__.splitlines()[0])
    parser.add_argument("--engine", required=True)
    parser.add_argument("--frame", required=True, help="a picture file with a face")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    frame = np.ascontiguousarray(cv2.imread(args.frame)[:, :, ::-1])
    before, cpu_s, start_s = ProcessState.of(os.getpid()), time.process_time(), time.perf_counter()
    from rena_ros.perception.face_reader import FaceReader  # its import counts

    with FaceReader(engine=args.engine) as reader:
        reader.read(frame)
        first_s = time.perf_counter() - start_s
        for k in range(1, READS):
            reader.read(frame, 33 * k)
        after = ProcessState.of(os.getpid())
        figures = {
            "first_reading_s": first_s,
            "cpu_s": time.process_time() - cpu_s,
            "memory_mib": after.rss_mib - before.rss_mib,
            "threads": after.threads,
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
