"""One try at one sample: command, settle, see, and check that nothing moved. No ROS, no clock: times are given."""

from dataclasses import dataclass, field

from rena_ros.base.arrays import FloatArray
from rena_ros.behaviour.settling import REST_RAD, StateHistory
from rena_ros.behaviour.worklist import LATE, MOVING, NO_FACE, NO_STATE, NOT_SETTLED, Task
from rena_ros.recording.marker import ACCEPTED, SampleMarker


@dataclass(frozen=True)
class TrialSettings:
    """Time-outs of a try, s, how much later than its capture a picture is stamped, s, and how far a servo may rest.

    ``tolerance_rad``: distance from its goal at which a servo at rest counts as settled.
    """

    settle_timeout_s: float = 5.0
    picture_timeout_s: float = 2.0
    capture_delay_s: float = 0.0
    tolerance_rad: float = REST_RAD


@dataclass
class Trial:
    """The goals of ``task`` (``target``: the same in rad) were commanded at ``command_ns``, which is ``start_s``.

    ``verdict`` is "" until the try is over. Stamps are ns of ROS time, ``now_s`` and ``start_s`` of a clock that is
    never set. A picture is the sample's if it was captured after all servos had settled.
    """

    task: Task
    target: FloatArray
    command_ns: int
    start_s: float
    settings: TrialSettings
    verdict: str = ""
    settled_ns: int = 0
    image_ns: int = 0
    reading_ns: int = 0
    _settled_s: float = 0.0
    _face: bool = field(default=False)

    def watch(self, states: StateHistory, now_s: float) -> None:
        """Judge the servos' newest state, and whether time is up."""
        if self.verdict:
            return
        if not self.settled_ns:
            self.settled_ns = states.settled_ns(self.target, self.command_ns) or 0
            self._settled_s = now_s
            if not self.settled_ns and now_s - self.start_s > self.settings.settle_timeout_s:
                self.verdict = NOT_SETTLED
            return
        stood = states.stood(self.settled_ns, self._capture_ns()) if self.image_ns else None
        if stood is not None and not states.known_at(self._capture_ns()):
            self.verdict = NO_STATE
        elif stood is not None:
            self.verdict = MOVING if not stood else ACCEPTED if self._face else NO_FACE
        elif now_s - self._settled_s > self.settings.picture_timeout_s + self.settings.capture_delay_s:
            self.verdict = LATE

    def see(self, image_ns: int, face: bool, arrived_ns: int) -> None:
        """Take the reading of the picture stamped ``image_ns`` if it is the first after all servos had settled."""
        if self.settled_ns and not self.image_ns and self._capture_ns(image_ns) >= self.settled_ns:
            self.image_ns, self._face, self.reading_ns = image_ns, face, arrived_ns

    def marker(self, seed: int, goals: dict[str, float], verdict: str = "") -> SampleMarker:
        """Return the marker of this try; ``verdict``: another one than its own."""
        return SampleMarker(
            index=self.task.index,
            attempt=self.task.attempt,
            seed=seed,
            group=self.task.expression.group,
            goals=goals,
            verdict=verdict or self.verdict,
            command_ns=self.command_ns,
            settled_ns=self.settled_ns,
            image_ns=self.image_ns,
            reading_ns=self.reading_ns,
            capture_delay_s=self.settings.capture_delay_s,
        )

    def _capture_ns(self, image_ns: int = 0) -> int:
        return (image_ns or self.image_ns) - round(self.settings.capture_delay_s * 1e9)
