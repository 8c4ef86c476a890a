"""A Python package that is not installed: what needs it, and how to install it."""

import sys
from importlib.util import find_spec

from rena_ros.base.errors import RenaError

_LEARNING = "learning needs it: in Rena's source tree, python requirements/install_torch.py and "
_LEARNING += "pip install -r requirements/learn.txt"
_ROS = "it is part of ROS 2 Jazzy: source /opt/ros/jazzy/setup.bash, or on x86-64 pip install -r requirements/ros.txt"
_RUNNING = "in Rena's source tree, pip install -r requirements/run.txt and pip install --no-deps -r "
_RUNNING += "requirements/run-nodeps.txt"
_SHARING = "sharing data needs it: in Rena's source tree, pip install -r requirements/share.txt"
_OF_LEARNING = {"torch", "onnx", "safetensors", "sklearn", "scipy", "matplotlib", "optuna"}
_OF_ROS = {"rclpy", "rcl_interfaces", "builtin_interfaces", "launch", "launch_ros", "ament_index_python", "cv_bridge"}


def missing_package(error: ModuleNotFoundError) -> RenaError | None:
    """Return the error to show to the user; None for a module that no package brings, which is a fault of the program.

    The remedy is that of requirements/*.txt; PyPI has other packages under some of these names.
    """
    name = (error.name or "").split(".")[0]
    if not name or name == "rena_ros" or name in sys.stdlib_module_names:
        return None
    ros = name in _OF_ROS or name.endswith(("_msgs", "_srvs"))
    remedy = _LEARNING if name in _OF_LEARNING else _ROS if ros else _SHARING if name == "pyarrow" else _RUNNING
    return RenaError(f"the Python package {name} is not installed; {remedy}")


def require(package: str) -> None:
    """Raise ModuleNotFoundError unless a package is installed: for one that long work imports at its end."""
    if find_spec(package) is None:
        raise ModuleNotFoundError(name=package)
