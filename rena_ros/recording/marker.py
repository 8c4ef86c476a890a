"""The marker of a sample: what was commanded, when it had settled, and which picture shows it.

On the topic ``sample`` it is a diagnostic_msgs/DiagnosticArray, stamped as the picture, with two statuses: ``sample``
(level 0: accepted, 1: rejected; the message says why) with the values below, and ``goals``, a value for each servo.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError

TOPIC, STORED_TOPIC = "sample", "sample/stored"
ACCEPTED = "accepted"
_NUMBERS = ("index", "attempt", "seed", "command_ns", "settled_ns", "image_ns", "reading_ns")


@dataclass(frozen=True)
class SampleMarker:
    """One try at one sample of a session.

    ``index``: number of the sample in the plan; ``attempt``: how many expressions were replaced before this one;
    ``seed``, ``group``: of the walk and of its last move. ``goals``: float32 in [0, 1] by servo, as planned.
    ``verdict``: "accepted", or why the sample is rejected. Times are ns of ROS time, 0 where the try did not come so
    far: ``command_ns``, when the goals were first commanded; ``settled_ns``, stamp of the ``joint_states`` in which
    all servos had settled; ``image_ns``, the picture's own stamp; ``reading_ns``, when its reading had come.
    ``capture_delay_s``: how much later than its capture the picture is stamped.
    """

    index: int
    attempt: int
    seed: int
    group: str
    goals: Mapping[str, float]
    verdict: str = ACCEPTED
    command_ns: int = 0
    settled_ns: int = 0
    image_ns: int = 0
    reading_ns: int = 0
    capture_delay_s: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the sample counts."""
        return self.verdict == ACCEPTED

    def values(self) -> dict[str, str]:
        """Return all but verdict and goals as texts, for the status ``sample``."""
        texts = {name: str(getattr(self, name)) for name in _NUMBERS}
        return {**texts, "group": self.group, "capture_delay_s": repr(self.capture_delay_s)}

    def goal_values(self) -> dict[str, str]:
        """Return the goals as texts that give the same float32 again, for the status ``goals``."""
        return {name: repr(float(goal)) for name, goal in self.goals.items()}

    def goals_of(self, names: tuple[str, ...]) -> FloatArray:
        """Return the goals in the order of ``names``, float32 (n,). Raises RenaError when a servo is missing."""
        if missing := [name for name in names if name not in self.goals]:
            raise RenaError(f"sample {self.index} has no goal for {', '.join(missing)}: it is of another robot")
        return np.array([self.goals[name] for name in names], np.float32)


def marker_from(verdict: str, values: Mapping[str, str], goals: Mapping[str, str]) -> SampleMarker:
    """Return the marker that the texts of the two statuses describe. Raises RenaError when they describe none."""
    try:
        numbers = {name: int(values[name]) for name in _NUMBERS}
        delay_s = float(values["capture_delay_s"])
        if not math.isfinite(delay_s) or not all(0 <= number < 1 << 63 for number in numbers.values()):
            raise ValueError(f"a value is out of range: {dict(values)}")
        return SampleMarker(
            **numbers,
            group=values["group"],
            goals={name: float(np.float32(goal)) for name, goal in goals.items()},
            verdict=verdict,
            capture_delay_s=delay_s,
        )
    except (KeyError, ValueError) as error:
        raise RenaError(f"a message on the topic {TOPIC} marks no sample ({error})") from error


def markers_in(message: Any) -> Iterator[SampleMarker]:
    """Yield the marker in a message of the topic ``sample``; a message about something else has none.

    Raises RenaError for a marker that cannot be read.
    """
    statuses = {status.name: status for status in message.status}
    if "sample" in statuses and "goals" in statuses:
        values, goals = ({pair.key: pair.value for pair in statuses[name].values} for name in ("sample", "goals"))
        yield marker_from(statuses["sample"].message, values, goals)
