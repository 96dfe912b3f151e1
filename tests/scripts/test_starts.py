"""Models compared from several starts: where runs begin, that a model equals itself, what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "starts.py"


def video(folder: Path, name: str, boxes: list[str]) -> Path:
    random = np.random.default_rng(0)
    (folder / name).mkdir(parents=True)
    for frame in range(len(boxes)):
        cv2.imwrite(str(folder / name / f"{frame:02d}.png"), random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    (folder / f"{name}.txt").write_text("\n".join(boxes) + "\n")
    return folder


def run(*words: object) -> subprocess.CompletedProcess[str]:
    # One thread: sums in another order would send an untrained model elsewhere, and runs are compared.
    command = [sys.executable, SCRIPT, *map(str, words), "--threads", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_model_equals_itself_and_runs_begin_where_the_target_is_seen(tmp_path: Path, model: Path) -> None:
    # Visible but for frames 4 to 9 of 24: a start wanted at 4 or 8 goes to 10, from which 14 frames are too few.
    boxes = ["nan,nan,nan,nan" if 4 <= frame < 10 else "20,15,24,20" for frame in range(24)]
    folder = video(tmp_path / "videos", "davis_dog", boxes)
    video(folder, "fod_007_Nut", boxes)
    done = run(folder, "--model", model, "--model", f"{model},tracking.scales=1", "--model", model, "--starts", 3)
    assert done.returncode == 0, done.stderr
    first, _, again = done.stdout.splitlines()
    assert first == again
    assert "difference +0.000 " in first
    assert "runs 1 " in first
    assert "  hidden 6, tracked " in first
    both = run(folder, "--model", model, "--starts", 3, "--all")
    assert "runs 2 " in both.stdout
    video(folder, "davis_camel", boxes)
    assert "runs 1 " in run(folder, "--model", model, "--starts", 3).stdout
    assert "runs 2 " in run(folder, "--model", model, "--starts", 3, "--trained").stdout
    named = run(folder, "--model", model, "--starts", 3, "--trained", "--sequences", "davis_dog").stdout.strip()
    assert named == first
    # Targets have 22 pixels: 30 leave the video as it is, 11 halve it.
    lines = [run(folder, "--model", model, "--starts", 3, "--pixels", pixels).stdout for pixels in (30, 11)]
    assert lines[0].strip() == first
    assert "runs 1 " in lines[1]
    assert lines[1].strip() != first


def test_runs_of_one_video_count_as_one_draw(script) -> None:
    starts = script("starts")
    values = np.array([0.1, 0.3, -0.2, 0.4])
    assert starts.standard_error(values, ["a", "b", "c", "d"]) == pytest.approx(values.std(ddof=1) / 2)
    # Each run twice: nothing more is known.
    twice = starts.standard_error(np.repeat(values, 2), [*"aabbccdd"])
    assert twice == pytest.approx(values.std(ddof=1) / 2)
    assert np.isnan(starts.standard_error(values, ["a"] * 4))


def test_refusals_say_why(tmp_path: Path, model: Path) -> None:
    short = video(tmp_path / "short", "davis_dog", ["20,15,24,20"] * 6)
    assert "no held-out video has 15 frames after a start" in run(short, "--model", model).stderr
    long = video(tmp_path / "long", "davis_dog", ["20,15,24,20"] * 20)
    assert "--pixels: expected more than 0" in run(long, "--model", model, "--pixels", 0).stderr
    unknown = run(long, "--model", model, "--sequences", "davis_cat")
    assert "--sequences: unknown davis_cat; known are davis_dog" in unknown.stderr
    wrong = run(long, "--model", f"{model},tracking.scalse=1")
    assert wrong.returncode == 1
    assert "did you mean 'tracking.scales'" in wrong.stderr
