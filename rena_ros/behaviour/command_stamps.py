"""The stamps of commands: an image's own, or one for a command that no image caused. They never run backwards."""

BEHIND_NS = 5_000_000_000  # an image that arrives later than this has been overtaken


class CommandStamps:
    """Stamps in ns of the clock that stamps the images. No clock: times are given; ``now_s`` never jumps.

    A command that an image caused carries the image's stamp. Others lie between those of the images: just after the
    newest one and, while none arrives, five seconds behind the present. A clock that is set back (a bag that begins
    again) sets them back, too.
    """

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._image_ns, self._image_s = 0, 0.0  # the newest image, and when it was noted
        self._seen, self._clock_ns = False, 0

    def note(self, stamp_ns: int, now_s: float) -> None:
        """Note the stamp of an image that has been read, whether or not a command follows; 0: it is not set."""
        if stamp_ns <= 0:
            return
        self._image_ns = self._last_ns = stamp_ns
        self._image_s, self._seen = now_s, True

    def between(self, clock_ns: int, now_s: float) -> int:
        """Return the stamp of a command that no image caused; ``clock_ns``: counts until the first image."""
        if self._seen:
            present_ns = self._image_ns + round((now_s - self._image_s) * 1e9)
        else:
            present_ns, before_ns = clock_ns, self._clock_ns
            self._clock_ns = clock_ns
            if clock_ns < before_ns:
                self._last_ns = None  # the clock was set back
        after_ns = 0 if self._last_ns is None else self._last_ns + 1
        self._last_ns = max(present_ns - BEHIND_NS, after_ns)
        return self._last_ns
