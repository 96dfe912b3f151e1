"""What signals do while a command may be stopped, and what they do afterwards."""

from __future__ import annotations

import signal
import threading

import pytest

from rartrack.cli import main
from rartrack.cli import models as command
from rartrack.cli.stopping import when_asked_to_stop

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_and_the_later_ones_let_it_finish(number: signal.Signals) -> None:
    asked = []
    with when_asked_to_stop(lambda: asked.append(1)):
        for each in (number, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(each)
    signal.raise_signal(signal.SIGTERM)
    assert asked == [1]


def test_ctrl_c_again_ends_at_once_where_it_may() -> None:
    asked: list[int] = []
    with when_asked_to_stop(lambda: asked.append(1), ("SIGINT", "SIGTERM"), insist=True) as came:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == [1]
    assert came == [signal.SIGINT, signal.SIGTERM, signal.SIGINT]


def test_without_a_signal_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with when_asked_to_stop(lambda: None):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asked = []
    with when_asked_to_stop(lambda: asked.append(1)):
        signal.raise_signal(signal.SIGHUP)
    assert asked == []


def test_a_signal_within_an_inner_block_is_the_inner_ones_and_lets_no_later_one_in_behind_the_outer() -> None:
    asked: list[str] = []
    with when_asked_to_stop(lambda: asked.append("outer")):
        with when_asked_to_stop(lambda: asked.append("inner")):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert asked == ["inner"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_any_command_that_is_asked_to_stop_ends_with_130_and_a_line(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run", lambda _: signal.raise_signal(number))
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "rartrack: interrupted; what was done is kept\n"


def test_commands_run_in_other_threads_too(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(main(["models"])))
    thread.start()
    thread.join()
    assert found == [0]
    assert capsys.readouterr().out
