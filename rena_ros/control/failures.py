"""Failures of several servos in one line."""

from collections.abc import Mapping


def listed(failures: Mapping[str, str], count: int) -> str:
    """Return `jaw, pucker: does not reply; neck_yaw: refuses`, or `all 25 servos: does not reply`.

    ``failures``: why it failed, by servo name; ``count``: how many servos the robot has.
    """
    reasons = sorted(set(failures.values()))
    if len(failures) == count and len(reasons) == 1:
        return f"all {count} servos: {reasons[0]}"
    names = {reason: ", ".join(name for name, given in failures.items() if given == reason) for reason in reasons}
    return "; ".join(f"{names[reason]}: {reason}" for reason in reasons)
