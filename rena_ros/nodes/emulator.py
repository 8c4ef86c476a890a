"""emulator node: the emulated servos with a ROS interface, through which a running session can be made to fail.

The servos are those of `rena_ros.emulator.emulator`, with the same options. In addition: the parameter ``faults`` (YAML
as in a fault file; a new value replaces every fault that was active), the parameter ``attached`` (names of the servos
on the bus), and the services ``emulator/unplug``, ``emulator/plug``, ``emulator/clear_faults`` and
``emulator/power_cycle``; once a second, ``/diagnostics``. ROS runs in a thread of its own, so that no middleware delays
the servos' replies.
"""

import argparse
import contextlib
import sys
import threading
import time
import traceback
from functools import partial
from typing import NoReturn

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable
from rena_ros.base.signals import ignore_end, on_end
from rena_ros.base.terminal import print_anything
from rena_ros.control.health import Level
from rena_ros.emulator import emulator as emulated
from rena_ros.emulator.console import carry_out, status
from rena_ros.emulator.fault_file import read_faults
from rena_ros.nodes.joining import join_ros, split_arguments
from rena_ros.nodes.leaving import end_process
from rena_ros.nodes.messages import diagnostics_msg, status_msg
from rena_ros.nodes.parameters import ParameterSpec, declare
from rena_ros.nodes.running import STEADY

JOIN_S = 5.0
PARAMETERS = (
    ParameterSpec("faults", "", "faults of the emulated servos, YAML as in a fault file; empty: none", live=True),
    ParameterSpec("attached", "", "names of the servos on the bus, or all; empty: as at the start", live=True),
)


class EmulatorNode(Node):
    """The ROS interface of an emulator. A change is made between two bus requests, in the emulator's thread."""

    def __init__(self, emulator: emulated.Emulator) -> None:
        """To be made before the emulator runs. Raises RenaError for parameters that are not valid."""
        super().__init__("emulator")
        self._emulator = emulator
        bank = emulator.bank
        given = declare(self, PARAMETERS)
        script = read_faults(given["faults"], bank.robot, "the parameter faults")
        if given["attached"]:
            carry_out(bank, f"attach {given['attached']}")
        bank.script(script.faults, script.random)
        self._packets, self._since_s = 0, time.monotonic()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_timer(1.0, self.on_second, clock=STEADY)
        self.add_on_set_parameters_callback(self.on_parameters)
        for name, command in (("clear_faults", "clear"), *((word, word) for word in ("unplug", "plug", "power_cycle"))):
            self.create_service(Trigger, f"~/{name}", partial(self._on_trigger, command))

    def on_second(self) -> None:
        """Publish the diagnostics of the last second: WARN while faults are active."""
        bank = self._emulator.bank
        try:
            attached, torque, faults, packets = self._emulator.call(
                lambda: (len(bank.attached), int(bank.torque.sum()), bank.active_faults(), bank.report()["packets"])
            )
        except TimeoutError:
            return  # it is leaving
        now_s, link = time.monotonic(), printable(self._emulator.link)
        status = status_msg(
            f"{self.get_fully_qualified_name().lstrip('/')}: emulator",
            Level.WARN if faults else Level.OK,
            f"on purpose: {', '.join(faults)}" if faults else "no faults",
            {
                "attached": attached,
                "torque_on": torque,
                "faults": ", ".join(faults) or "none",
                "requests_per_s": f"{(packets - self._packets) / (now_s - self._since_s):.1f}",
                "link": link,
            },
            hardware_id=link,
        )
        self._packets, self._since_s = packets, now_s
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))

    def on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        """Change faults and attached servos; either all new values are accepted, or none."""
        given = {one.name: one.value for one in parameters}
        bank = self._emulator.bank

        def change() -> str:
            script = read_faults(given["faults"], bank.robot, "the parameter faults") if "faults" in given else None
            if given.get("attached"):
                carry_out(bank, f"attach {given['attached']}")
            if script is not None:
                bank.clear()
                bank.script(script.faults, script.random)
            return status(bank)

        try:
            now = self._emulator.call(change)
        except (RenaError, TimeoutError) as error:
            return SetParametersResult(successful=False, reason=str(error) or "the emulator is leaving")
        self.get_logger().info(f"on purpose: {now}")
        return SetParametersResult(successful=True)

    def _on_trigger(self, command: str, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message = self._emulator.call(lambda: carry_out(self._emulator.bank, command))
            response.success = True
            self.get_logger().info(f"on purpose: {command}: {response.message}")
        except TimeoutError:
            response.message = "the emulator is leaving"
        return response


def main() -> NoReturn:
    """Run emulator and node until a signal asks them to end. The exit code is 0, or 2 after a RenaError, printed."""
    print_anything()
    parser = argparse.ArgumentParser(prog="emulator_node", description=__doc__.splitlines()[0])
    emulated.add_arguments(parser)
    args = parser.parse_args(split_arguments(sys.argv[1:])[0])
    node, code = None, 1
    try:
        emulator = emulated.make_emulator(args)
        on_end(emulator.stop)  # before ROS: an interrupt during its start may be lost
        _claim = join_ros("emulator", pictures=False)  # held as long as the node runs
        node = EmulatorNode(emulator)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spinning = threading.Thread(target=_spin, args=(executor,), daemon=True)
        spinning.start()
        try:
            emulated.serve(emulator, args.report)
        finally:
            ignore_end()
            executor.shutdown(timeout_sec=JOIN_S)
            spinning.join(JOIN_S)
        code = 0
    except RenaError as error:
        code = 2
        print(f"emulator: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        code = 0  # interrupted before it ran
    except Exception:
        traceback.print_exc()
    finally:
        end_process((node,) if node else (), code)


def _spin(executor: SingleThreadedExecutor) -> None:
    with contextlib.suppress(ExternalShutdownException, _rclpy.RCLError):
        executor.spin()


if __name__ == "__main__":
    sys.exit(main())
