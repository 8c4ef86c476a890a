"""Keeps the lines that MediaPipe and LiteRT write at every start out of the user's terminal."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# No environment variable stops these.
_STARTUP_LOG = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|INFO: Created TensorFlow Lite XNNPACK delegate"
    rb"|[IW]\d{4} .*(face_landmarker_graph|inference_feedback_manager)\.cc"
)


@contextlib.contextmanager
def without_startup_log() -> Iterator[None]:
    """Drop the known lines that C++ code writes to stderr at every start; pass on all other lines."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            for line in caught:
                if not _STARTUP_LOG.match(line):
                    os.write(2, line)
