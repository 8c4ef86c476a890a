"""The course of a natural movement from one posture to the next."""


def least_jerk(x: float) -> float:
    """Return the share of a movement that is done at ``x`` of its time: 0 up to x = 0, 1 from x = 1 on.

    The course with the least jerk between two rests: Flash and Hogan, "The coordination of arm movements", 1985.
    """
    x = min(max(x, 0.0), 1.0)
    return x**3 * (10 - 15 * x + 6 * x * x)
