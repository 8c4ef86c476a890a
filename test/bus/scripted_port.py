"""A port in virtual time whose answers a test writes byte by byte."""

from rena_ros.bus.protocol import Parser, reply, wire_time_s


class ScriptedPort:
    """``answer(request) -> [(after_s, bytes), ...]`` says what comes back, and how long after its time on the wire.

    Without a script each servo asked answers with the number of its request as the first byte, so that an old
    answer can be told from a new one, and then with the addresses read.
    """

    path, baud = "script", 1_000_000

    def __init__(self):
        self.now_s = 100.0
        self.requests = []
        self.answer = lambda request: [(0.0, frame) for frame in self.frames()]
        self._due = []

    def frames(self, status=0):
        """What every servo of the last request answers."""
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
        for after_s, frame in self.answer(data):
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
        """In the order of their time; frames that are due at once, in the order sent."""
        here = sorted((one for one in self._due if one[0] <= self.now_s), key=lambda one: one[0])
        self._due = [one for one in self._due if one[0] > self.now_s]
        return b"".join(data for _, data in here)
