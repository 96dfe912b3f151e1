"""What stops a program from outside: Ctrl-C, SIGTERM, and SIGHUP, on Windows SIGBREAK, when its terminal goes away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

ENDING = ("SIGTERM", "SIGHUP", "SIGBREAK")


class Interrupt:
    """Called to stop the program: raises ``KeyboardInterrupt``, but not in the middle of what must not be left half
    done."""

    def __init__(self) -> None:
        self._held = self._asked = False

    def __call__(self) -> None:
        self._asked = True
        if not self._held:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From here on, finish."""
        self._held = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish the block first; where it was asked to stop by then, stop behind it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._asked:
            raise KeyboardInterrupt


@contextmanager
def when_asked_to_stop(
    stop: Callable[[], object] = lambda: None, names: Sequence[str] = ENDING, insist: bool = False
) -> Iterator[list[int]]:
    """Call ``stop`` at the first of the named signals within the block, and let no later one in, neither there nor
    afterwards, until the process ends; one that was ignored, as SIGHUP under ``nohup``, stays so. In nested
    blocks the inner one gets them; in other threads than the main one nothing is changed.

    Args:
        stop: called once.
        names: of the signals.
        insist: where Ctrl-C comes behind another, raise ``KeyboardInterrupt`` there and then.

    Yields:
        The signals that came within the block.
    """
    came: list[int] = []

    def asked(number: int, _: object) -> None:
        came.append(number)
        if len(came) == 1:
            stop()
        elif insist and number == signal.SIGINT:
            raise KeyboardInterrupt

    told = names if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in told if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, asked)
    try:
        yield came
    finally:
        # Not earlier: Python complains of a signal that came in and is ignored when its turn comes.
        for number, handler in before.items():
            if came or signal.getsignal(number) is asked:  # else one came within an inner block
                signal.signal(number, signal.SIG_IGN if came else handler)
