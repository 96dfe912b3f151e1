"""Options that several commands have reach what they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.cli import main
from rartrack.errors import InputError

CLIP = Path(__file__).parents[2] / "examples" / "coffee.mp4"


@pytest.mark.parametrize("name", ["track", "trax"])
def test_options_reach_what_they_are_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[str, object] = {}

    def load(*arguments: object) -> object:
        taken["load"] = arguments
        raise InputError("seen")

    monkeypatch.setattr("rartrack.tracking.load.load", load)
    monkeypatch.setattr("rartrack.tracking.threads.use_threads", lambda count: taken.update(threads=count))
    words = ["--preset", "fast", "--threads", "3", "--device", "cpu", "--backend", "onnx", "--set", "tracking.scales=5"]
    if name == "track":
        words += [str(CLIP), "--box", "398,206,88,104"]
    else:
        pytest.importorskip("trax")
        monkeypatch.setenv("TRAX_SOCKET", "1")
    assert main([name, *words, "--model", "mine"]) == 2
    assert taken == {"load": ("mine", "cpu", {"tracking.scales": 5}, "onnx", "fast"), "threads": 3}
