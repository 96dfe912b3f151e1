"""Help of every command: quick, because torch stays unloaded."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from rartrack.checkpoints import BUILT_IN
from rartrack.cli import main
from rartrack.cli.main import COMMANDS


def test_a_disk_that_fills_up_anywhere_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rartrack.cli.models.run", full)
    assert main(["models"]) == 2
    assert capsys.readouterr().err == "rartrack: No space left on device\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_opens_without_torch(command: str) -> None:
    code = f"""
import sys
from rartrack.cli import main
try:
    main(["{command}", "--help"])
finally:
    assert "torch" not in sys.modules
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"rartrack {command}" in shown.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "--dataset", "x", "--tracker", "y", "--output", "z", "--workers", "0"], "--workers: '0'"),
        (["report", "r", "--dataset", "x", "--worst", "-1"], "--worst: '-1'"),
        (["data", "preview", "c.yaml", "--clips", "many"], "--clips: 'many'"),
        (["track", "a.mp4", "--threads", "0"], "--threads: '0'"),
        (["track", "a.mp4", "--first", "9" * 20], f"--first: '{'9' * 20}'"),
        (["trax", "--threads", "9999"], "--threads: '9999'"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert re.search(rf"argument {re.escape(said)} is (not a whole number from|more than)", error)
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "c.yaml", "--minuts", "3", "seed=1"], "--minuts 3 (see rartrack train --help)"),
        (["data", "check", "DIR", "seed=1"], "seed=1 (see rartrack data check --help)"),
        (
            ["evaluate", "--dataset", "x", "--tracker", "y", "--output", "z", "filter.form=shared"],
            "filter.form=shared; settings go after --set (see rartrack evaluate --help)",
        ),
    ],
)
def test_words_that_a_command_does_not_take_name_its_help(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"rartrack: unrecognized arguments: {said}\n"


def test_the_models_are_listed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in BUILT_IN)
    assert "docs/models/data.md" in listed
