"""ROS parameter files, read without ROS: which parameters one gives to a node."""

import re
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text
from rena_ros.base.yaml_lines import YamlText

_PARAMETERS = "ros__parameters"


def parameters_in(path: Path, node: str) -> dict[str, Any]:
    """Return what a parameter file gives to the node of a full name such as "/lab/servos": value by parameter.

    As in rcl, a later block overrides an earlier one, ``*`` stands for one part of a name and ``**`` for any number of
    parts, and a block may lie inside that of its namespace. Raises RenaError when it is no parameter file.
    """
    what = f"the parameter file {path}"
    given: dict[str, Any] = {}
    for pattern, parameters in _blocks(YamlText(read_text(path, "parameter file"), what).value, "", what):
        if _matches(pattern, node):
            given |= parameters
    return given


def _blocks(content: object, around: str, what: str) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(content, dict):
        raise RenaError(f"{what} has no `{_PARAMETERS}:` under {around or 'any node'}; see config/nodes.yaml")
    blocks = []
    for key, inner in content.items():
        if key == _PARAMETERS:
            if not around or not isinstance(inner, dict | None):
                raise RenaError(f"{what}: `{_PARAMETERS}:` must stand under a node's name and hold names and values")
            blocks.append((around, inner or {}))
        else:
            blocks += _blocks(inner, f"{around}/{str(key).strip('/')}", what)
    return blocks


def _matches(pattern: str, node: str) -> bool:
    parts = {"/**": "(?:/[^/]+)*", "/*": "/[^/]+"}
    expression = "".join(parts.get(part) or re.escape(part) for part in re.findall("/[^/]+", pattern))
    return re.fullmatch(expression, node) is not None
