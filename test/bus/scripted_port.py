"""A port in virtual time; a test writes its replies byte by byte."""

from rena_ros.bus.protocol import Parser, reply, wire_time_s


class ScriptedPort:
    """``script(request) -> [(after_s, bytes), ...]``: the received bytes, each ``after_s`` later than its wire time.

    The default script replies for each servo with the number of the request as the first byte, so that a test can tell
    an old reply from a new one, and with the addresses of the other bytes.
    """

    path, baud = "script", 1_000_000

    def __init__(self):
        self.now_s = 100.0
        self.requests = []
        self.script = lambda request: [(0.0, frame) for frame in self.frames()]
        self._due = []

    def frames(self, status=0):
        """Return the replies of all servos in the last request."""
        request = self.packet()
        if request.code == 0x82:
            address, size, *ids = request.params
        elif request.code == 0x02:
            (address, size), ids = request.params, [request.id]
        else:
            return [] if request.code == 0x83 else [reply(request.id, status)]
        payload = bytes([self.serial, *range(address + 1, address + size)])
        return [reply(servo_id, status, payload) for servo_id in ids]

    @property
    def serial(self):
        return len(self.requests) % 256

    def packet(self):
        (packet,) = Parser().feed(self.requests[-1])
        return packet

    def now(self):
        return self.now_s

    def sleep_until(self, time_s):
        self.now_s = max(self.now_s, time_s)

    def discard_input(self):
        return len(self._arrived())

    def write(self, data):
        self.requests.append(data)
        self.now_s += wire_time_s(len(data), self.baud)
        wire_s = self.now_s
        for after_s, frame in self.script(data):
            wire_s += wire_time_s(len(frame), self.baud)
            self._due.append((wire_s + after_s, frame))
        return self.now_s

    def read(self, expected_s, deadline_s, complete):
        self.sleep_until(expected_s)
        received = self._arrived()
        while not complete(received) and self.now_s < deadline_s:
            self.sleep_until(min([due_s for due_s, _ in self._due] + [deadline_s]))
            received += self._arrived()
        return received

    def close(self):
        self.closed = True

    def _arrived(self):
        """Return the bytes that are due, in the order of their times and then in the order sent."""
        due = sorted((entry for entry in self._due if entry[0] <= self.now_s), key=lambda entry: entry[0])
        self._due = [entry for entry in self._due if entry[0] > self.now_s]
        return b"".join(data for _, data in due)
