"""Do work on items in a thread of its own, behind the one who hands them over."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class WorkBehind(Generic[T]):
    """Calls ``work`` on every item in order, up to ``depth`` items behind.

    What ``work`` raises is raised by the next ``put`` or by ``close``; no item after it is worked on.
    """

    def __init__(self, work: Callable[[T], object], depth: int) -> None:
        self._work = work
        self._waiting: queue.Queue[tuple[T] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rartrack-work-behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item; waits while ``depth`` items wait."""
        self._raise()
        self._waiting.put((item,))

    def close(self) -> None:
        """Wait until all is done."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
        self._raise()

    def stop(self) -> None:
        """Leave undone what waits, and wait for what is being done."""
        self._stop.set()
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (entry := self._waiting.get()) is not None:
            if self._stop.is_set():  # take the rest, so that nobody waits for a place
                continue
            try:
                self._work(entry[0])
            except BaseException as error:
                self._error = error
                self._stop.set()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
