"""A place for one item: a newer one replaces what nothing has taken yet."""

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")
_KEPT = 8  # replaced items: a taker that stands still must not fill the memory


class Newest(Generic[Item]):
    """Hands the newest item from one thread to another, and with it those that it has replaced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Item | None = None
        self._replaced: deque[Item] = deque(maxlen=_KEPT)

    def put(self, item: Item) -> None:
        """Leave an item to be taken."""
        with self._lock:
            if self._waiting is not None:
                self._replaced.append(self._waiting)
            self._waiting = item

    def take(self) -> tuple[Item | None, list[Item]]:
        """Return the newest item, None when there is none, and those since the last call that it has replaced."""
        with self._lock:
            newest, replaced = self._waiting, list(self._replaced)
            self._waiting = None
            self._replaced.clear()
        return newest, replaced
