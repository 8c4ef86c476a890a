"""Take what has arrived without an executor, which builds a wait set of all topics and services for each callback.

That takes 0.1 ms or more, these functions a few microseconds; rclpy.wait_for_message does the same. For a callback that
lets others in before its end. The executor finds nothing later and goes on.
"""

from typing import Any

from rclpy.service import Service
from rclpy.subscription import Subscription


def take_message(subscription: Subscription) -> None:
    """Call a subscription's callback, which takes a message and its info, with the oldest message, if there is one."""
    with subscription.handle:
        taken = subscription.handle.take_message(subscription.msg_type, False)
    if taken is not None:
        subscription.callback(*taken)


def answer_request(service: Service) -> None:
    """Answer the oldest request to a service, if there is one."""
    kind: Any = service.srv_type
    with service.handle:
        request, header = service.handle.service_take_request(kind.Request)
    if header is not None:
        service.send_response(service.callback(request, kind.Response()), header)
