"""Parameters of the nodes as tables: one entry per parameter, from which its ROS descriptor is made.

`ros2 param describe` and rqt show what a table says. rclpy enforces it, at the start as well as later: it refuses a
value of another type or outside the range (NaN and infinities included), and any change of a read-only parameter.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from rena_ros.base.errors import RenaError

_TYPES = {float: "a decimal number", int: "a whole number", bool: "true or false", str: "a text"}


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a node; the type of ``default`` is its type.

    ``description`` contains the unit. ``limits``: smallest and largest value, both allowed; None for texts and
    booleans. ``live``: may be set while the node runs; any other parameter is read-only. ``any_type``: a value of
    another type is accepted, too.
    """

    name: str
    default: bool | int | float | str
    description: str
    limits: tuple[float, float] | None = None
    live: bool = False
    any_type: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """Return its ROS descriptor."""
        descriptor = ParameterDescriptor(
            description=self.description, read_only=not self.live, dynamic_typing=self.any_type
        )
        if self.limits is not None and isinstance(self.default, float):
            low, high = map(float, self.limits)
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif self.limits is not None:
            low, high = map(int, self.limits)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        return descriptor


def declare(node: Node, table: Iterable[ParameterSpec]) -> dict[str, Any]:
    """Declare every parameter of a table; returns their values by name.

    Raises RenaError, with the parameter's name, the value and what is allowed, for a value of another type or outside
    the limits.
    """
    return {spec.name: _declare(node, spec) for spec in table}


def on_change(node: Node, **actions: Callable[[Any], None]) -> None:
    """Call ``actions[name](value)`` whenever a parameter has been set; to be called after ``declare``.

    ROS calls back with accepted values only. With ``set_parameters_atomically`` none takes effect when another is
    refused; with ``set_parameters`` each stands alone.
    """

    def on_set(parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name in actions:
                actions[parameter.name](parameter.value)
                node.get_logger().info(f"the parameter {parameter.name} is now {parameter.value}")

    node.add_post_set_parameters_callback(on_set)


def _declare(node: Node, spec: ParameterSpec) -> Any:
    try:
        # rclpy's out-of-range error does not contain the value, so declare without limits first.
        node.declare_parameter(spec.name, spec.default, ParameterDescriptor(dynamic_typing=spec.any_type))
        descriptor = spec.descriptor()
        descriptor.type = node.describe_parameter(spec.name).type
        node.set_descriptor(spec.name, descriptor)
    except InvalidParameterTypeException as error:
        raise _wrong_type(node, spec) from error
    except InvalidParameterValueException as error:
        value = node.get_parameter(spec.name).value
        if spec.limits is None or value is None:
            raise _wrong_type(node, spec) from error
        low, high = spec.limits
        raise RenaError(f"{node.get_name()}: {spec.name} {value} is outside {low}..{high}") from error
    return node.get_parameter(spec.name).value


def _wrong_type(node: Node, spec: ParameterSpec) -> RenaError:
    wanted = f"{_TYPES[type(spec.default)]}, such as {json.dumps(spec.default)}"
    return RenaError(f"{node.get_name()}: the parameter {spec.name} must be {wanted}")
