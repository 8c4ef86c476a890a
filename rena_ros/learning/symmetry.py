"""Mirror images of samples: the reading and the goals of the same face with left and right swapped."""

from rena_ros.base.arrays import FloatArray

_TURNING_ANGLES = ("head_yaw", "head_roll")  # features that change their sign
_TURNING_SERVOS = ("eye_left_yaw", "eye_right_yaw", "neck_yaw", "neck_roll")  # goals that become 1 - goal


def mirror_features(features: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Return the mirror image of features (n, k), same shape: sides swapped, head yaw and roll negated.

    ``eyeLookInLeft`` (left eye turned towards the nose) becomes ``eyeLookInRight``: towards the nose stays so.
    """
    mirrored = features[:, _swapped(names, "Left", "Right")]
    mirrored[:, [i for i, name in enumerate(names) if name in _TURNING_ANGLES]] *= -1
    return mirrored


def mirror_goals(goals: FloatArray, servo_names: tuple[str, ...]) -> FloatArray:
    """Return the mirror image of goals (n, 25), same shape: sides swapped, servos that turn left and right reflected.

    Assumes that the neutral of a turning servo is in the middle of its travel, and that both sides travel equally
    far, as on a symmetric face.
    """
    mirrored = goals[:, _swapped(servo_names, "left", "right")]
    turning = [i for i, name in enumerate(servo_names) if name in _TURNING_SERVOS]
    mirrored[:, turning] = 1 - mirrored[:, turning]
    return mirrored


def _swapped(names: tuple[str, ...], left: str, right: str) -> list[int]:
    """Return for each name the index of its counterpart on the other side, or its own index if it has none."""
    other = [
        name.replace(left, right) if left in name else name.replace(right, left) if right in name else name
        for name in names
    ]
    return [names.index(name) for name in other]
