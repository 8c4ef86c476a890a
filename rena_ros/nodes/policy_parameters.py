"""The parameters of the policy node."""

from rena_ros.nodes.parameters import ParameterSpec

PARAMETERS = (
    ParameterSpec("model_path", "", "exported model (ONNX); empty: the one that ships with Rena"),
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    ParameterSpec("rate_hz", 50.0, "commands per second while no face is present, Hz", (1, 500), live=True),
    ParameterSpec("lost_after_s", 0.5, "time without a face after which to ease to neutral, s", (0, 60), live=True),
    ParameterSpec(
        "new_person_after_s",
        5.0,
        "absence after which the next face is another person's, s",
        (0.5, 3600),
        live=True,
    ),
    ParameterSpec("rest_seconds", 2.0, "calm time from which a resting face is measured, s", (0.05, 60), live=True),
    ParameterSpec(
        "horizon_s", 0.08, "how far ahead the person's face is predicted, s; 0: not at all", (0, 0.12), live=True
    ),
    ParameterSpec("idle", False, "blink and move the eyes a little while no face is present", live=True),
    ParameterSpec("whole_blinks", False, "close the lids whole when the person blinks", live=True),
)
