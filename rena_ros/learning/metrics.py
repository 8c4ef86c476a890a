"""What is measured of a model: errors of goals, and how far left and right drift apart."""

import numpy as np

REGIONS_OF_CONSISTENCY = ("eye", "brow")  # the two terms of the paper's Eq. 8


def rmse(predicted: np.ndarray, goals: np.ndarray) -> float:
    """Root of the mean squared error over all samples and servos, (n, 25) each, in units of the goal range."""
    return float(np.sqrt(np.mean(np.square(predicted - goals, dtype=np.float64))))


def rmse_per_servo(predicted: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """The same for each servo on its own, float64 (25,)."""
    return np.sqrt(np.mean(np.square(predicted - goals, dtype=np.float64), axis=0))


def rmse_per_sample(predicted: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """The same for each sample on its own, float64 (n,): what the cumulative error distribution shows."""
    return np.sqrt(np.mean(np.square(predicted - goals, dtype=np.float64), axis=1))


def consistency_pairs(servo_names: tuple[str, ...]) -> dict[str, list[tuple[int, int]]]:
    """Places of the (left, right) servos that should agree, for each of ``eye`` and ``brow``.

    Goals of two sides may be compared as they are: goal 1 of a lifting servo is "lifted" on both sides, and
    eye yaw is positive to the robot's left for both eyes.
    """
    place = {name: i for i, name in enumerate(servo_names)}
    return {
        region: [
            (i, place[other])
            for name, i in place.items()
            if name.startswith(f"{region}_left_")
            if (other := name.replace("_left", "_right")) in place
        ]
        for region in REGIONS_OF_CONSISTENCY
    }


def left_right_gap(goals: np.ndarray, servo_names: tuple[str, ...]) -> float:
    """Eq. 8 of goals (n, 25): mean |left - right| of the eyes plus that of the brows."""
    total = 0.0
    for pairs in consistency_pairs(servo_names).values():
        if pairs:
            left, right = np.transpose(pairs)
            total += float(np.abs(goals[:, left] - goals[:, right]).mean())
    return total
