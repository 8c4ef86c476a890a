"""A model file, ready to run. Loads onnxruntime and nothing else of weight, so its memory can be measured alone."""

from pathlib import Path

import onnxruntime

from rena_ros.base.errors import RenaError


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Return a model file ready to run on one thread. Raises RenaError when there is none, or it cannot be loaded."""
    if not path.is_file():
        raise RenaError(f"there is no model {path}; `rena train` writes a model to RUN/model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a second thread is no faster at batch 1, and at times 20 to 50 ms slower
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise RenaError(f"cannot read the model {path}: {error.strerror}") from error
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise RenaError(f"{path} is not a model that onnxruntime can load: {str(error).splitlines()[0]}") from error
