"""A trained checkpoint made a built-in model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rartrack import checkpoints


def test_what_ships_has_its_settings_and_says_where_it_comes_from(
    tmp_path: Path, model: Path, script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ship = script("ship")
    monkeypatch.setattr(ship, "MODELS", tmp_path / "models")
    (tmp_path / "models").mkdir()
    trained = tmp_path / "trained.safetensors"
    about = {"training": {"start": "/home/somebody/start.safetensors", "output": "/home/somebody/runs/one", "seed": 3}}
    found = checkpoints.load(model)
    checkpoints.save(trained, checkpoints.Checkpoint(found.config, found.weights, about))
    words = [str(trained), "rar-fast", "--licence", "Apache-2.0", "--trained", "4 clips"]
    monkeypatch.setattr(sys, "argv", ["ship.py", *words, "tracking.update_interval=4"])
    ship.main()
    path = tmp_path / "models" / "rar-fast.safetensors.xz"
    assert f'"rar-fast": "{checkpoints.fingerprint(path)}",' in capsys.readouterr().out
    shipped = checkpoints.load(path)
    assert shipped.config.tracking.update_interval == 4
    assert (shipped.provenance["licence"], shipped.provenance["trained"]) == ("Apache-2.0", "4 clips")
    assert shipped.provenance["training"] == {"start": "start.safetensors", "output": "one", "seed": 3}
    monkeypatch.setattr(sys, "argv", ["ship.py", *words, "tracking.update_intervall=4"])
    with pytest.raises(SystemExit, match=r"did you mean 'tracking\.update_interval'"):
        ship.main()
