"""The gap between left and right in a model's goals."""

import numpy as np

from rena_ros.base.arrays import FloatArray

REGIONS_OF_CONSISTENCY = ("eye", "brow")  # the two terms of the paper's Eq. 8


def consistency_pairs(servo_names: tuple[str, ...]) -> dict[str, list[tuple[int, int]]]:
    """Return the indices of the (left, right) servos that should agree, for each of ``eye`` and ``brow``.

    The goals of both sides are compared without conversion: goal 1 of a brow servo means "lifted" on both sides,
    and eye yaw is positive to the robot's left for both eyes.
    """
    index = {name: i for i, name in enumerate(servo_names)}
    return {
        region: [
            (i, index[other])
            for name, i in index.items()
            if name.startswith(f"{region}_left_")
            if (other := name.replace("_left", "_right")) in index
        ]
        for region in REGIONS_OF_CONSISTENCY
    }


def left_right_gap(goals: FloatArray, servo_names: tuple[str, ...]) -> float:
    """Return Eq. 8 of goals (n, 25): mean |left - right| of the eyes plus that of the brows."""
    total = 0.0
    for pairs in consistency_pairs(servo_names).values():
        if pairs:
            left, right = np.transpose(pairs)
            total += float(np.abs(goals[:, left] - goals[:, right]).mean())
    return total
