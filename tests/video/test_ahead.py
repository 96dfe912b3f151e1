"""Reading ahead in a thread: same items, same errors, no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from rartrack.video.ahead import ReadAhead


def test_the_same_items_in_the_same_order() -> None:
    ahead = ReadAhead(iter(range(100)), depth=3)
    assert list(ahead) == list(range(100))
    assert list(ahead) == [], "once over, it stays over"
    assert ahead.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    ahead = ReadAhead(items(), depth=3)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    assert list(ahead) == []


def test_the_newest_item_is_given_where_they_are_not_taken_in_time() -> None:
    given = threading.Event()

    def items() -> Iterator[int]:
        yield from range(100)
        given.set()
        raise ValueError("broken")

    ahead = ReadAhead(items(), 1, newest=True)
    assert given.wait(60)
    assert next(ahead) == 99
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_it_runs_ahead_no_further_than_asked() -> None:
    taken = []
    full = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            if number == 3:
                full.set()
            yield number

    ahead = ReadAhead(items(), depth=3)
    assert full.wait(5)
    time.sleep(0.05)
    assert len(taken) == 4, "three wait, one is in hand"
    assert ahead.close()


def test_closing_ends_the_thread_whatever_it_waits_for() -> None:
    before = set(threading.enumerate())  # another test's may still be on its way out
    ahead = ReadAhead(iter(range(10**9)), depth=2)
    next(ahead)
    assert ahead.close()
    assert not set(threading.enumerate()) - before
    assert list(ahead) == []


def test_a_reader_that_waits_ends_when_another_thread_closes() -> None:
    free, got = threading.Event(), []

    def items() -> Iterator[int]:
        free.wait()
        yield from ()

    ahead = ReadAhead(items(), depth=2)
    reader = threading.Thread(target=lambda: got.extend([*ahead, "over"]), daemon=True)
    reader.start()
    ahead.stop()
    reader.join(5)
    assert got == ["over"]
    free.set()
    assert ahead.close()
