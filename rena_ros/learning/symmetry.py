"""The mirror image of a sample: what the same face would read and do if left and right were swapped."""

import numpy as np

_TURNING = ("head_yaw", "head_roll")  # pose angles that change their sign
_TURNING_SERVOS = ("eye_left_yaw", "eye_right_yaw", "neck_yaw", "neck_roll")  # goals that become 1 - goal


def mirror_features(features: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Features (n, k) -> their mirror image (n, k): sides swapped, head yaw and roll negated.

    ``eyeLookInLeft`` (the left eye turned towards the nose) becomes ``eyeLookInRight``: the nose stays the nose.
    """
    mirrored = features[:, _swapped(names, "Left", "Right")]
    mirrored[:, [i for i, name in enumerate(names) if name in _TURNING]] *= -1
    return mirrored


def mirror_goals(goals: np.ndarray, servo_names: tuple[str, ...]) -> np.ndarray:
    """Goals (n, 25) -> their mirror image (n, 25): sides swapped, servos that turn left and right reflected.

    Assumes that the servos that turn have their neutral in the middle of their travel, and that both sides
    travel equally far, as a symmetric face does.
    """
    mirrored = goals[:, _swapped(servo_names, "left", "right")]
    turning = [i for i, name in enumerate(servo_names) if name in _TURNING_SERVOS]
    mirrored[:, turning] = 1 - mirrored[:, turning]
    return mirrored


def _swapped(names: tuple[str, ...], left: str, right: str) -> list[int]:
    """For each name the place of its other side; of its own where it has none."""
    other = [
        name.replace(left, right) if left in name else name.replace(right, left) if right in name else name
        for name in names
    ]
    return [names.index(name) for name in other]
