"""The command that trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.cli import main
from rartrack.errors import InputError
from rartrack.training.log import RunLog


@pytest.mark.parametrize(
    "words",
    [
        ["train", "CONFIG", "optimization.stpes=3"],
        ["train", "CONFIG", "seed=2", "--minutes", "1", "optimization.stpes=3"],
        ["data", "preview", "CONFIG", "--clips", "1", "optimization.stpes=3"],
    ],
)
def test_a_misspelt_setting_ends_with_status_2_and_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("seed: 1\n")
    assert main([str(path) if word == "CONFIG" else word for word in words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "did you mean 'optimization.steps'?" in error


@pytest.mark.parametrize("minutes", ["nan", "-1", "soon"])
def test_minutes_that_never_end_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, minutes: str) -> None:
    assert main(["train", str(tmp_path / "run.yaml"), f"--minutes={minutes}"]) == 2
    assert f"{minutes!r} is not a number from 0 on" in capsys.readouterr().err


def test_a_seed_that_generators_do_not_take_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("seed: 4294967296\n")
    assert main(["train", str(tmp_path / "run.yaml")]) == 2
    assert "seed" in capsys.readouterr().err


def test_an_output_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no folder can be made there"):
        RunLog(tmp_path / "file" / "run", 0)


def test_no_data_is_said_before_anything_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("seed: 1\n")
    assert main(["train", str(path), f"output={tmp_path / 'run'}"]) == 2
    assert "data.sources: no sequence to train on" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
