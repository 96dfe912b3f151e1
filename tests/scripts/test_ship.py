"""A trained checkpoint made a built-in model, and its curves drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rartrack import checkpoints

SCRIPTS = Path(__file__).parents[2] / "scripts"


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


def test_curves_are_drawn_of_runs_that_have_them(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    words = [sys.executable, str(SCRIPTS / "curves.py"), str(run), "--output", str(tmp_path / "curves.svg")]
    missing = subprocess.run(words, capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert missing.stderr == f"{run / 'validation.csv'}: not there; give folders of runs that have validated\n"
    for name in ("training", "validation"):
        (run / f"{name}.csv").write_text("step,loss\n1,3.5\n2,1.5\n")
    subprocess.run(words, check=True, capture_output=True)
    assert (tmp_path / "curves.svg").read_text().count("<path") > 4
    (run / "validation.csv").write_text("step,overlap\n1,0.5\n2,0.6\n")  # of a run without validation.clips
    subprocess.run(words, check=True, capture_output=True)
