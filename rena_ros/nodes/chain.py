"""camera, blendshapes and policy in one process: a picture goes from hand to hand, and a command leaves first.

The nodes have the names, parameters, services and topics that they have as processes of their own, but two subscribe to
less: the blendshapes node takes pictures from the camera node alone, and the policy node readings from the blendshapes
node alone. All callbacks run in one thread; the camera's worker leaves each picture to it, and a newer picture replaces
one that still waits. A picture is published after the command that it caused: no message stands in the command's way.

``--nodes``: the nodes' own parameters as JSON, which counts before parameter files: {"camera": {"source": "0"}, ...}.
"""

import gc
import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from rclpy.node import Node
from rclpy.parameter import Parameter

from rena_ros.base.errors import RenaError
from rena_ros.graph import CHAIN
from rena_ros.nodes.blendshapes import BlendshapesNode
from rena_ros.nodes.camera import CameraNode, Picture
from rena_ros.nodes.joining import split_arguments
from rena_ros.nodes.policy import PolicyNode
from rena_ros.nodes.running import run_nodes
from rena_ros.perception.newest import Newest


class Chain:
    """The three nodes and what passes between them. ``nodes``: in the order in which they leave."""

    def __init__(self, parameters: Mapping[str, Mapping[str, Any]], **node_options) -> None:
        """``parameters``: by node, before those of parameter files. The camera begins at once."""
        self._pictures = Newest[Picture]()
        self._policy = PolicyNode(direct=True, **_options(parameters, "policy", node_options))
        self._blendshapes = BlendshapesNode(direct=True, **_options(parameters, "blendshapes", node_options))
        self._arrival = self._blendshapes.create_guard_condition(self.on_picture)
        self._camera = CameraNode(self.receive, self._policy.is_heard, **_options(parameters, "camera", node_options))
        self.nodes: tuple[Node, ...] = (self._camera, self._blendshapes, self._policy)
        gc.collect()
        gc.freeze()  # objects of the start-up live on; a full collection would delay a picture by tens of milliseconds

    def receive(self, picture: Picture) -> None:
        """Take a picture from the camera's worker thread."""
        self._pictures.put(picture)
        self._arrival.trigger()

    def on_picture(self) -> None:
        """Read the newest picture, let the policy act on it, and publish both and the picture."""
        picture, replaced = self._pictures.take()
        if picture is None:
            return
        reading = self._blendshapes.read(picture.rgb, picture.stamp, picture.number)
        height, width = picture.rgb.shape[:2]
        self._policy.follow(reading, width / height, picture.stamp)
        self._blendshapes.publish(reading, picture.header)
        for passed in (*replaced, picture):
            self._camera.send(passed)


def _options(parameters: Mapping[str, Mapping[str, Any]], name: str, node_options: dict) -> dict:
    overrides = [Parameter(key, value=value) for key, value in parameters.get(name, {}).items()]
    return {**node_options, "parameter_overrides": overrides}


def parameters_of(arguments: list[str]) -> dict[str, dict[str, Any]]:
    """Return the parameters that the process's own arguments give, by node. Raises RenaError for anything else."""
    if not arguments:
        return {}
    try:
        flag, text = arguments
        given = json.loads(text)
        tables = isinstance(given, dict) and all(isinstance(one, dict) for one in given.values())
        if flag != "--nodes" or not tables or not set(given) <= set(CHAIN):
            raise ValueError
    except ValueError as error:
        raise RenaError(f"chain takes --nodes and the parameters of {', '.join(CHAIN)} as JSON, by node") from error
    return given


def main() -> NoReturn:
    """Run the three nodes until a signal asks them to end, or the clip is over."""
    run_nodes(CHAIN, lambda: Chain(parameters_of(split_arguments(sys.argv[1:])[0])).nodes, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
