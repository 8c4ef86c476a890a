"""Parameters of every node: what ROS says about them, config/nodes.yaml, and what happens when one is set."""

import importlib
import math
import re

import numpy as np
import pytest
import rclpy
import yaml
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from rena_ros.base.resources import share_path
from rena_ros.graph import mimic_graph
from rena_ros.nodes.parameters import declare, on_change
from rena_ros.nodes.policy import PolicyNode
from rena_ros.nodes.twin import TwinNode

NODES = (*(process.name for process in mimic_graph(composed=False)), "babble", "recorder", "play")
TABLES = {name: importlib.import_module(f"rena_ros.nodes.{name}").PARAMETERS for name in NODES}
LIVE = {
    "policy": {"rate_hz", "lost_after_s", "new_person_after_s", "rest_seconds", "horizon_s", "idle", "whole_blinks"},
    "servos": {"rate_hz", "command_timeout_s", "release_after_s"},
    "camera": {"loop", "mirror"},
    "blendshapes": {"mirror"},
    "twin": {"rate_hz"},
    "emulator": {"faults", "attached"},
    "babble": set(),
    "recorder": set(),
    "play": set(),
}


@pytest.fixture
def domain(ros_domain, monkeypatch):
    """A ROS context in a domain of its own."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    yield context
    context.try_shutdown()


@pytest.fixture
def blank(domain):
    """Make a node that has a name and the parameters of that node, and does nothing."""

    def make(name):
        node = rclpy.create_node(name, context=domain)
        declare(node, TABLES[name])
        return node

    return make


def set_parameters(node, **values):
    """Set parameters as one request; return the result (successful, reason)."""
    return node.set_parameters_atomically([Parameter(name, value=value) for name, value in values.items()])


@pytest.mark.parametrize("name", NODES)
def test_ros_tells_description_range_and_whether_it_may_be_set(name, blank):
    node = blank(name)
    names = set(node.list_parameters([], 0).names) - {"use_sim_time", "start_type_description_service"}
    assert names == {spec.name for spec in TABLES[name]}
    for descriptor in node.describe_parameters(list(names)):
        value = node.get_parameter(descriptor.name).get_parameter_value()
        what = f"{name}.{descriptor.name}"
        assert len(descriptor.description) > 8, what
        assert descriptor.read_only == (descriptor.name not in LIVE[name]), what
        assert descriptor.type == value.type != ParameterType.PARAMETER_NOT_SET, what
        unit = {"_hz": ", Hz", "_s": ", s"}.get(re.search(r"(_hz|_s|)$", descriptor.name).group(), "")
        assert unit in descriptor.description, what
        if descriptor.type == ParameterType.PARAMETER_DOUBLE:
            (allowed,) = descriptor.floating_point_range
            assert -math.inf < allowed.from_value <= value.double_value <= allowed.to_value < math.inf, what
        elif descriptor.type == ParameterType.PARAMETER_INTEGER:
            (allowed,) = descriptor.integer_range
            assert allowed.from_value <= value.integer_value <= allowed.to_value, what


@pytest.mark.parametrize("name", NODES)
def test_nodes_yaml_has_every_default_and_every_description(name):
    text = share_path("config/nodes.yaml").read_text()
    written = yaml.safe_load(text)[f"/**/{name}"]["ros__parameters"]
    defaults = {spec.name: spec.default for spec in TABLES[name]}
    assert written == defaults
    assert {key: type(value) for key, value in written.items()} == {key: type(v) for key, v in defaults.items()}
    block = text.split(f"/**/{name}:\n")[1].split("/**/")[0]
    described = dict(re.findall(r"^    (\w+): .*?  # (.*)$", block, re.MULTILINE))
    assert described == {spec.name: spec.description for spec in TABLES[name]}


def test_nodes_yaml_has_no_other_node():
    assert set(yaml.safe_load(share_path("config/nodes.yaml").read_text())) == {f"/**/{name}" for name in NODES}


def test_a_value_that_the_descriptor_refuses_takes_no_effect_nor_does_any_other_of_the_request(blank):
    node, seen = blank("policy"), []
    on_change(node, rate_hz=seen.append, lost_after_s=seen.append)
    for wrong in (math.nan, math.inf, -1.0, 0.0, 1e9, 20, "20", True):
        refused = set_parameters(node, lost_after_s=0.3, rate_hz=wrong)
        assert not refused.successful, wrong
        assert "rate_hz" in refused.reason or "type" in refused.reason
    refused = set_parameters(node, lost_after_s=0.3, model_path="another.onnx")
    assert not refused.successful and "read-only" in refused.reason
    assert seen == [] and node.get_parameter("lost_after_s").value == 0.5
    assert set_parameters(node, lost_after_s=0.3, rate_hz=20.0).successful
    assert seen == [0.3, 20.0]


def test_the_policy_node_follows_new_rates_and_times(domain):
    node = PolicyNode(context=domain)
    assert set_parameters(node, rate_hz=200.0, lost_after_s=0.0, rest_seconds=0.7).successful
    assert {timer.timer_period_ns for timer in node.timers} >= {5_000_000}
    assert (node.presence.lost_after_s, node.resting.rest_seconds) == (0.0, 0.7)
    for wanted_s, used_s in ((0.0, 0.0), (0.1, 0.1), (0.001, node.predictor.horizon_range_s[0])):
        assert set_parameters(node, horizon_s=wanted_s).successful
        assert node.predictor.horizon_s == used_s
    goals = np.full(len(node.robot.names), 0.5, np.float32)
    node.presence.seen(goals, 100.0)
    assert node.presence.absent(100.001) is not None
    assert set_parameters(node, lost_after_s=5.0).successful
    node.presence.seen(goals, 100.0)
    assert node.presence.absent(104.9) is None


def test_the_twin_draws_at_a_new_rate(domain):
    node = TwinNode(context=domain, parameter_overrides=[Parameter("width", value=64), Parameter("height", value=48)])
    assert set_parameters(node, rate_hz=125.0).successful
    assert 8_000_000 in {timer.timer_period_ns for timer in node.timers}
