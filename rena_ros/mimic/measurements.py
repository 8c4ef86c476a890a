"""What the monitor received, as numbers. No I/O, no clock: stamps go in, arrays and a live snapshot come out."""

import math
import threading
from array import array
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import numpy as np

STAGES = ("camera", "blendshapes", "policy", "servos")
# What ends one after the other on the way from a picture to the bus: the stages, and between them what the nodes report
# on timing/hops.
HOPS = (
    *("camera", "picture taken", "picture converted", "blendshapes", "reading taken", "goals inferred"),
    *("policy", "command taken", "servos"),
)
WINDOW_S = 5.0


@dataclass(frozen=True)
class Snapshot:
    """The last seconds, for display; NaN where nothing was measured.

    ``latency_ms``: median and 95th percentile; ``face`` None: no reading yet; ``health``: level and message by part.
    """

    frames: int
    frames_with_face: int
    rate_hz: dict[str, float]
    latency_ms: tuple[float, float]
    stage_ms: dict[str, float]
    face: bool | None
    health: dict[str, tuple[int, str]]


@dataclass
class Measurements:
    """Everything measured during one run; ``add_…`` may be called from the monitor's thread.

    Stamps are nanoseconds of system time. An event takes 16 bytes: an hour at 30 frames/s takes about 10 MB.
    """

    _events: dict[str, array] = field(default_factory=lambda: {hop: array("q") for hop in HOPS})
    _readings: array = field(default_factory=lambda: array("q"))
    _faces: array = field(default_factory=lambda: array("b"))
    _bus: array = field(default_factory=lambda: array("q"))
    _pictures: Counter[str] = field(default_factory=Counter)
    _health: dict[str, tuple[int, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_timing(self, stage: str, image_ns: int, finished_ns: int) -> None:
        """Add that ``stage``, or a hop, has ended for the image stamped ``image_ns``; an unknown one is ignored."""
        with self._lock:
            if stage in self._events:
                self._events[stage].extend((image_ns, finished_ns))

    def add_reading(self, image_ns: int, face: bool) -> None:
        """Add a reading of the image stamped ``image_ns``; ``face``: whether a face was present."""
        with self._lock:
            self._readings.append(image_ns)
            self._faces.append(face)

    def add_joint_states(self, stamp_ns: int) -> None:
        """Add that the state of all servos was read at ``stamp_ns``."""
        with self._lock:
            self._bus.append(stamp_ns)

    def add_picture(self, stream: str) -> None:
        """Add the arrival of a picture of ``stream`` (camera, robot)."""
        with self._lock:
            self._pictures[stream] += 1

    def add_health(self, name: str, level: int, message: str) -> None:
        """Keep the newest diagnostic status of one part; ``level`` 0 good, 1 warning, 2 error, 3 stale."""
        with self._lock:
            self._health[name] = (level, message)

    @property
    def begun(self) -> bool:
        """Whether the camera has published a picture."""
        with self._lock:
            return bool(self._events["camera"])

    def pictures(self, stream: str) -> int:
        """How many pictures of ``stream`` have arrived."""
        with self._lock:
            return self._pictures[stream]

    def events(self, stage: str) -> dict[int, int]:
        """Image stamp -> time at which ``stage`` first finished with it, both in ns."""
        with self._lock:
            pairs = np.array(self._events[stage], np.int64).reshape(-1, 2)
        first: dict[int, int] = {}
        for image_ns, finished_ns in pairs.tolist():
            first.setdefault(image_ns, finished_ns)
        return first

    def frames(self, span_ns: tuple[int, int] | None = None) -> list[int]:
        """Stamps of all images that the camera published, rising: those it reported and those that were read.

        ``span_ns``: only those stamped within it, both ends included.
        """
        first_ns, last_ns = span_ns or (-math.inf, math.inf)
        stamps_ns = self.events("camera").keys() | self.readings().keys()
        return sorted(stamp for stamp in stamps_ns if first_ns <= stamp <= last_ns)

    def readings(self) -> dict[int, bool]:
        """Image stamp -> whether a face was present, for every image that was read."""
        with self._lock:
            return dict(zip(self._readings.tolist(), map(bool, self._faces), strict=True))

    def bus_stamps(self) -> np.ndarray:
        """The times at which the servos' states were read, int64 ns."""
        with self._lock:
            return np.array(self._bus, np.int64)

    def snapshot(self) -> Snapshot:
        """The state of the last WINDOW_S seconds."""
        with self._lock:
            recent = {stage: _recent(self._events[stage]) for stage in STAGES}
            frames = max(len(self._events["camera"]) // 2, len(self._readings))
            readings, with_face = self._readings[-400:].tolist(), sum(self._faces)
            bus = self._bus[-1000:].tolist()
            face = bool(self._faces[-1]) if self._faces else None
            health = dict(self._health)
        latency = latencies_ms(recent["servos"], recent["policy"])
        return Snapshot(
            frames=frames,
            frames_with_face=with_face,
            rate_hz={"camera": _rate_hz(list(recent["camera"])), "reading": _rate_hz(readings), "bus": _rate_hz(bus)},
            latency_ms=(percentile(latency, 50), percentile(latency, 95)),
            stage_ms=stage_medians_ms(recent),
            face=face,
            health=health,
        )


def latencies_ms(finished: Mapping[int, int], images: Container[int]) -> np.ndarray:
    """Image stamp -> finishing time, both ns, as latencies in ms, float64 (n,).

    Only those of ``images``: easing to neutral while no face is present is not caused by an image.
    """
    return np.array([(end - image) / 1e6 for image, end in finished.items() if image in images], np.float64)


def stage_medians_ms(events: Mapping[str, Mapping[int, int]]) -> dict[str, float]:
    """Median of the time that each stage added, ms: the difference to the stage before (for the camera: to the stamp).

    Only images that reached both stages count; NaN for a stage that none reached.
    """
    medians, before = {}, None
    for stage in STAGES:
        here = events[stage]
        start = {image: image for image in here} if before is None else before
        medians[stage] = percentile([(here[image] - start[image]) / 1e6 for image in here if image in start], 50)
        before = here
    return medians


def hops_ms(events: Mapping[str, Mapping[int, int]]) -> dict[str, np.ndarray]:
    """Hop -> how long each image took for it, ms, in the order of HOPS; {} where the nodes reported none.

    Only images that reached the bus and every hop count, so that the hops of an image sum up to its latency.
    """
    images = set.intersection(*(set(events[hop]) for hop in HOPS))
    before, hops = {image: image for image in images}, {}
    for hop in HOPS if images else ():
        hops[hop] = np.array([(events[hop][image] - before[image]) / 1e6 for image in images])
        before = {image: events[hop][image] for image in images}
    return hops


def percentile(values: np.ndarray | list[float], q: float) -> float:
    """The q-th percentile with linear interpolation; NaN for no values at all."""
    return float(np.percentile(values, q)) if len(values) else math.nan


def rate_hz(stamps_ns: np.ndarray | list[int]) -> float:
    """Mean rate of events, in Hz; NaN with fewer than two."""
    if len(stamps_ns) < 2:
        return math.nan
    span_s = (max(stamps_ns) - min(stamps_ns)) / 1e9
    return float((len(stamps_ns) - 1) / span_s) if span_s > 0 else math.nan


def _recent(events: array) -> dict[int, int]:
    """The events of the last ``WINDOW_S`` seconds before the newest, image stamp -> first finishing time."""
    tail = events[-2000:]
    first: dict[int, int] = {}
    for image_ns, finished_ns in zip(tail[::2], tail[1::2], strict=True):
        if finished_ns >= tail[-1] - int(WINDOW_S * 1e9):
            first.setdefault(image_ns, finished_ns)
    return first


def _rate_hz(stamps_ns: list[int]) -> float:
    return rate_hz([stamp for stamp in stamps_ns if stamp >= stamps_ns[-1] - WINDOW_S * 1e9])
