"""Parameter files of ROS, as rcl understands them."""

import pytest
import rclpy

from rena_ros.base.errors import RenaError
from rena_ros.base.parameter_file import parameters_in

FILES = {
    "any namespace": "/**/camera: {ros__parameters: {rate_hz: 15.0}}",
    "any node": "/**: {ros__parameters: {rate_hz: 15.0}}",
    "full name": "/lab/left/camera: {ros__parameters: {rate_hz: 15.0}}",
    "nested": "lab: {left: {camera: {ros__parameters: {rate_hz: 15.0}}}}",
    "stars": "/*/left/*: {ros__parameters: {rate_hz: 15.0}}",
    "later wins": "/**: {ros__parameters: {rate_hz: 1.0}}\n/lab/left/camera: {ros__parameters: {rate_hz: 15.0}}",
    "earlier loses": "/lab/left/camera: {ros__parameters: {rate_hz: 1.0}}\n/**: {ros__parameters: {rate_hz: 15.0}}",
    "bare name": "camera: {ros__parameters: {rate_hz: 15.0}}",
    "other node": "/**/policy: {ros__parameters: {rate_hz: 15.0}}",
    "one star": "/*: {ros__parameters: {rate_hz: 15.0}}",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("namespace", ["/", "/lab/left"])
def test_a_file_means_what_it_means_to_rcl(name, namespace, tmp_path, ros_domain, monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    path = tmp_path / "params.yaml"
    path.write_text(FILES[name], encoding="utf-8")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain, args=["--ros-args", "--params-file", str(path)])
    options = {"namespace": namespace, "start_parameter_services": False, "enable_rosout": False}
    options["automatically_declare_parameters_from_overrides"] = True
    node = rclpy.create_node("camera", context=context, **options)
    expected = {"rate_hz": node.get_parameter("rate_hz").value} if node.has_parameter("rate_hz") else {}
    node.destroy_node()
    context.try_shutdown()
    assert parameters_in(path, f"{namespace.rstrip('/')}/camera") == expected


@pytest.mark.parametrize(
    "text", ["- a", "camera: 5", "ros__parameters: {a: 1}", "camera: {ros__parameters: [1]}", ": ["]
)
def test_what_is_no_parameter_file_is_refused(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RenaError, match=r"the parameter file .*params\.yaml"):
        parameters_in(path, "/camera")


def test_an_empty_file_gives_nothing(tmp_path):
    (tmp_path / "params.yaml").touch()
    assert parameters_in(tmp_path / "params.yaml", "/camera") == {}
