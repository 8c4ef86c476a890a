"""Reading a bag: its markers first, then all that belongs to them; pictures go to the disk as they come."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

from rena_ros.bags.header import stamp_of
from rena_ros.bags.reader import BagMessage, BagReader
from rena_ros.base.errors import RenaError
from rena_ros.datasets.build_messages import (
    features_of,
    joint_positions,
    jpeg_of,
    landmarks_of,
)
from rena_ros.datasets.build_pairing import Candidate, Pairing, candidate
from rena_ros.datasets.build_rest import SLOT_NS, RestFinder
from rena_ros.datasets.build_sources import (
    COMMANDS,
    COMPRESSED,
    LANDMARKS,
    RAW,
    READINGS,
    SAMPLE,
    STATES,
    BagSource,
)
from rena_ros.recording.marker import SampleMarker, markers_in
from rena_ros.robot.model import Robot

_REST_PICTURES = 60


class BagScan:
    """Reads one bag; ``candidates`` and ``rest`` are whole after ``run``.

    ``delay_s``: overrides the capture delay that marker and session give. ``scratch``: folder for copies of pictures.
    """

    def __init__(self, source: BagSource, bag: int, robot: Robot, scratch: Path, delay_s: float | None) -> None:
        self.source, self.rest = source, RestFinder()
        self._bag, self._robot, self._scratch, self._delay_s = bag, robot, scratch, delay_s
        self._pairing = Pairing([])
        self._rest_delay_ns = 0
        topics = source.topics
        handlers: dict[str, Callable[[BagReader, BagMessage], None]] = {
            STATES: self._on_state,
            COMMANDS: self._on_command,
            READINGS: self._on_reading,
            LANDMARKS: self._on_landmarks,
            COMPRESSED if COMPRESSED in topics else RAW: self._on_picture,
        }
        self._handlers = {topics[name]: handler for name, handler in handlers.items() if name in topics}

    @property
    def candidates(self) -> list[Candidate]:
        """One for each marker, by the time of its capture."""
        return self._pairing.candidates

    @property
    def picture_topic(self) -> str | None:
        """Full name of the topic with the pictures, if the bag holds one."""
        return self.source.topics.get(COMPRESSED, self.source.topics.get(RAW))

    def messages(self) -> int:
        """Return how many messages ``run`` looks at."""
        with BagReader(self.source.path) as reader:
            return sum(reader.counts[topic] for topic in self._handlers)

    def run(self, looked: Callable[[], None]) -> None:
        """Read the bag; ``looked`` is called after each message. Raises RenaError when it, or the disk, is damaged."""
        with BagReader(self.source.path) as reader:
            found = []
            if SAMPLE in self.source.topics:
                for message in reader.messages(self.source.topics[SAMPLE]):
                    found += [self._candidate(marker) for marker in markers_in(reader.decode(message))]
            self._pairing = Pairing(found)
            marked = [one.marker.capture_delay_s for one in found]
            self._rest_delay_ns = round(self.delay_of(median(marked) if marked else 0.0) * 1e9)
            for message in reader.messages(*self._handlers) if self._handlers else ():
                self._handlers[message.topic](reader, message)
                looked()
        self._pairing.finish()

    def copy_rest_pictures(self) -> list[tuple[int, Path]]:
        """Copy pictures that were taken at rest, one in half a second and up to 60; return when, and where they are.

        For a bag that holds no readings; it reads all pictures once more.
        """
        if self.picture_topic is None:
            return []
        with BagReader(self.source.path) as reader:
            stamps = [stamp_of(message.data) for message in reader.messages(self.picture_topic)]
            taken = [stamp_ns - self._rest_delay_ns for stamp_ns in stamps]
            at_rest = [ns for ns, yes in zip(taken, self.rest.at_rest(taken), strict=True) if yes]
            slots = {ns // SLOT_NS: ns for ns in sorted(at_rest)}
            wanted = set(list(slots.values())[:: max(1, len(slots) // _REST_PICTURES)])
            copied = []
            for message in reader.messages(self.picture_topic):
                if (captured_ns := stamp_of(message.data) - self._rest_delay_ns) in wanted:
                    path = self._scratch / f"rest-{self._bag}-{captured_ns}.jpg"
                    self._write(path, reader, message)
                    copied.append((captured_ns, path))
        return sorted(copied)

    def delay_of(self, marked_s: float) -> float:
        """Return the capture delay of a picture, s: the user's, else the marker's, else that of session or bag."""
        return self._delay_s if self._delay_s is not None else marked_s or self.source.delay_s

    def _candidate(self, marker: SampleMarker) -> Candidate:
        return candidate(marker, self._bag, self.delay_of(marker.capture_delay_s))

    def _on_state(self, reader: BagReader, message: BagMessage) -> None:
        positions = joint_positions(reader.decode(message), self._robot)
        if positions is not None:
            stamp_ns = stamp_of(message.data)
            self._pairing.add_state(stamp_ns, positions)
            self.rest.add_state(stamp_ns, positions)

    def _on_command(self, reader: BagReader, message: BagMessage) -> None:
        positions = joint_positions(reader.decode(message), self._robot)
        if positions is not None and (stamp_ns := stamp_of(message.data)):  # one without a stamp was at no time
            self._pairing.add_command(stamp_ns, positions)

    def _on_reading(self, reader: BagReader, message: BagMessage) -> None:
        stamp_ns = stamp_of(message.data)
        features = features_of(reader.decode(message))
        self._pairing.add_reading(stamp_ns, features)
        if features is not None:
            self.rest.add_reading(stamp_ns - self._rest_delay_ns, features)

    def _on_landmarks(self, reader: BagReader, message: BagMessage) -> None:
        stamp_ns = stamp_of(message.data)
        if self._pairing.of_image(stamp_ns) and (points := landmarks_of(reader.decode(message))) is not None:
            self._pairing.add_landmarks(stamp_ns, points)

    def _on_picture(self, reader: BagReader, message: BagMessage) -> None:
        stamp_ns = stamp_of(message.data)
        wanted = [one for one in self._pairing.of_image(stamp_ns) if one.marker.accepted]
        if not wanted or wanted[0].picture is not None:
            return
        path = self._scratch / f"{self._bag}-{stamp_ns}.jpg"
        damage = self._write(path, reader, message)
        for one in wanted:
            one.picture, one.damage = path, damage

    def _write(self, path: Path, reader: BagReader, message: BagMessage) -> str:
        """Write a picture as JPEG; return why it cannot be decoded, or ""."""
        try:
            path.write_bytes(jpeg_of(reader.decode(message)))
        except RenaError as error:
            return str(error)
        except OSError as error:
            raise RenaError(f"cannot write {path}: {error.strerror}; make room, then run the same command") from error
        return ""
