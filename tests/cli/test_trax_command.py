"""``rartrack trax``: what it says when it cannot serve, and that it serves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from rartrack.boxes import Box
from rartrack.cli import main


def test_by_hand_it_says_who_starts_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TRAX_SOCKET", raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert main(["trax"]) == 2
    assert "started by a TraX client" in capsys.readouterr().err


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAX_SOCKET", "1")
    monkeypatch.setitem(sys.modules, "trax", None)
    assert main(["trax"]) == 2
    assert 'pip install "rartrack[vot]"' in capsys.readouterr().err


def test_threads_must_be_a_number_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trax")
    monkeypatch.setenv("TRAX_SOCKET", "1")
    assert main(["trax", "--threads", "0"]) == 2
    assert "--threads: '0' is not a whole number from 1 on" in capsys.readouterr().err


def test_settings_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trax")
    monkeypatch.setenv("TRAX_SOCKET", "1")
    assert main(["trax", "--set", "tracking.scalez=3"]) == 2
    assert "did you mean 'tracking.scales'?" in capsys.readouterr().err


@pytest.mark.slow
def test_serves_a_model(model: Path) -> None:
    pytest.importorskip("trax")
    from rartrack.evaluation.trax import TraxProgram

    frame = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    command = [str(Path(sys.executable).with_name("rartrack")), "trax", "--model", str(model), "--threads", "1"]
    with TraxProgram(command) as program:
        assert program.init(frame, Box(40, 30, 24, 20)).score == 1
        reply = program.update(frame)
    assert reply.box == pytest.approx((40, 30, 24, 20), abs=2)
    assert reply.score is not None
    assert 0 <= reply.score <= 1
