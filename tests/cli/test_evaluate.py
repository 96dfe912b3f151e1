"""``rartrack evaluate`` from the command line: options, exit status, what is said and where."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rartrack.cli import evaluate as module
from rartrack.cli.main import main
from rartrack.evaluation.run import Summary

TRACKER = """
class Still:
    def init(self, frame, box): self.box = box
    def update(self, frame): return self.box

class Raising(Still):
    def update(self, frame): raise RuntimeError("no idea")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """A folder with two sequences in ``data`` and trackers in ``mine.py``, which is the working directory."""
    for name in ("one", "two"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(3):
            cv2.imwrite(str(tmp_path / "data" / name / f"{index}.png"), np.zeros((20, 30, 3), np.uint8))
        (tmp_path / "data" / f"{name}.txt").write_text("1,2,3,4\n" * 3)
    (tmp_path / "mine.py").write_text(TRACKER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluate(*options: str) -> int:
    return main(["evaluate", "--dataset", "data", "--output", "out", "--workers", "1", *options])


def test_results_progress_and_status(place, capsys):
    assert evaluate("--tracker", "still=mine.py:Still") == 0
    assert (place / "out/still/one.txt").read_text() == "1,2,3,4\n" * 3
    said = capsys.readouterr()
    assert "2 runs done, 0 there already" in said.out
    assert "2/2 still " in said.err
    assert "still two: 3 frames" in said.err
    assert "left" in said.err

    assert evaluate("--tracker", "still=mine.py:Still") == 0
    assert "0 runs done, 2 there already" in capsys.readouterr().out


def test_a_module_of_the_working_directory_and_chosen_sequences(place):
    assert evaluate("--tracker", "mine:Still", "--sequences", "two", "--first", "2") == 0
    assert not (place / "out/mine.Still/one.txt").exists()
    assert (place / "out/mine.Still/two.txt").read_text() == "1,2,3,4\n" * 2


@pytest.mark.usefixtures("place")
def test_options_reach_the_trackers(monkeypatch):
    taken = {}

    def made(*given, **named):
        taken.update(settings=given[3], **named)
        return Summary()

    monkeypatch.setattr(module, "parse_tracker", lambda *given: taken.update(tracker=given))
    monkeypatch.setattr(module, "evaluate", made)
    words = ["--device", "cpu", "--backend", "onnx", "--set", "tracking.scales=5", "--threads", "3", "--seed", "7"]
    assert evaluate("--tracker", "rar-fast@fast", *words, "--time-limit", "9", "--workers", "2") == 0
    assert taken["tracker"] == ("rar-fast@fast", "cpu", {"tracking.scales": 5}, 9.0, "onnx")
    settings = taken["settings"]
    assert (settings.threads, settings.seed, settings.time_limit, taken["workers"]) == (3, 7, 9.0, 2)


def test_failed_runs_are_listed_and_the_status_is_one(place, capsys):
    assert evaluate("--tracker", "bad=mine.py:Raising", "--tracker", "good=mine.py:Still") == 1
    said = capsys.readouterr().out
    assert "2 runs done, 0 there already, 2 FAILED" in said
    assert "failed: bad one: frame 1: RuntimeError: no idea" in said
    assert (place / "out/good/two.txt").exists()


def test_a_frame_may_take_for_ever(place):
    assert evaluate("--tracker", "good=mine.py:Still", "--time-limit", "inf", "--sequences", "one") == 0
    assert (place / "out/good/one.txt").exists()


def test_sre_has_twelve_files_a_sequence(place):
    assert evaluate("--tracker", "still=mine.py:Still", "--protocol", "sre", "--sequences", "one") == 0
    assert len(list((place / "out/still/sre").glob("one_[01][0-9].txt"))) == 12


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tracker", "opencv:nothing"], "OpenCV's are"),
        (["--tracker", "mine.py:Nobody"], "no callable 'Nobody'"),
        (["--tracker", "no-such-model"], "no-such-model"),
        (["--tracker", "mine.py:Still", "--sequences", "three"], "no sequence 'three'"),
        (["--tracker", "mine.py:Still", "--first", "0"], "--first"),
        (["--tracker", "mine.py:Still", "--time-limit", "0"], "must be above 0"),
        (["--tracker", "mine.py:Still", "--seed", "-1"], "--seed"),
        (["--tracker", "mine.py:Still", "--set", "nonsense"], "expected KEY=VALUE"),
        (["--tracker", "mine.py:Still", "--executor", "slurm"], "expected 'processes' or dask://HOST:PORT"),
        (["--tracker", "mine.py:Still", "--protocol", "opera"], "--protocol"),
        (["--tracker", "..=mine.py:Still"], "names a folder"),
    ],
)
@pytest.mark.usefixtures("place")
def test_wrong_use_is_one_line_and_status_two(capsys, options, said):
    assert evaluate(*options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.startswith("rartrack: ")


@pytest.mark.usefixtures("place")
def test_changed_settings_are_refused_then_overwritten(capsys):
    assert evaluate("--tracker", "still=mine.py:Still") == 0
    assert evaluate("--tracker", "still=mine.py:Still", "--seed", "1") == 2
    assert "seed was 0, is now 1" in capsys.readouterr().err
    assert evaluate("--tracker", "still=mine.py:Still", "--seed", "1", "--overwrite") == 0


def test_a_folder_that_cannot_be_written_is_said(place, capsys):
    (place / "out").write_text("a file")
    assert evaluate("--tracker", "still=mine.py:Still") == 2
    assert "cannot be written" in capsys.readouterr().err
