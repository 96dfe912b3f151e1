"""What stops a program from outside: SIGTERM, and SIGHUP when its terminal goes away."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ASKING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def when_asked_to_stop(stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` at the first SIGTERM or SIGHUP within the block, and let no later one in; SIGHUP under ``nohup``
    stays ignored."""

    def asked(*_: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        stop()

    before = {number: signal.getsignal(number) for number in _ASKING}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
