"""Working behind in a thread: same items, same order, errors told, nothing left waiting."""

from __future__ import annotations

import threading

import pytest

from rartrack.video.behind import WorkBehind


def test_every_item_in_order_before_close_returns() -> None:
    done: list[int] = []
    behind = WorkBehind(done.append, depth=2)
    for number in range(50):
        behind.put(number)
    behind.close()
    assert done == list(range(50))


def test_the_caller_goes_on_while_an_item_is_worked_on() -> None:
    go, done = threading.Event(), []

    def work(number: int) -> None:
        assert go.wait(5)
        done.append(number)

    behind = WorkBehind(work, depth=2)
    behind.put(1)
    behind.put(2)
    assert done == []
    go.set()
    behind.close()
    assert done == [1, 2]


def test_an_error_reaches_the_caller_once_and_ends_the_work() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 3:
            raise ValueError("full")
        done.append(number)

    behind = WorkBehind(work, depth=1)

    def hand_over() -> None:
        for number in range(100):
            behind.put(number)

    with pytest.raises(ValueError, match="full"):
        hand_over()
    behind.close()
    assert done == [0, 1, 2]


def test_an_error_of_the_last_item_is_raised_by_close() -> None:
    behind = WorkBehind(lambda number: 1 / number, depth=1)
    behind.put(0)
    with pytest.raises(ZeroDivisionError):
        behind.close()


def test_stopping_leaves_the_rest_undone() -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def work(number: int) -> None:
        begun.set()
        assert go.wait(5)
        done.append(number)

    behind = WorkBehind(work, depth=5)
    for number in range(4):
        behind.put(number)
    assert begun.wait(5)
    stopper = threading.Thread(target=behind.stop)
    stopper.start()
    while not behind._stop.is_set():
        pass
    go.set()
    stopper.join(5)
    assert done == [0]
