"""Set parameters of node processes over ROS."""

from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter


def set_parameter(processes, node, name, value):
    """Set one parameter of a node in the processes's namespace; returns the result (successful, reason)."""
    client = processes.peer.create_client(SetParameters, f"{node}/set_parameters")
    processes.until(client.service_is_ready)
    parameters = [Parameter(name, value=value).to_parameter_msg()]
    future = client.call_async(SetParameters.Request(parameters=parameters))
    processes.until(future.done)
    return future.result().results[0]
