"""Accuracy against time: which videos are measured, what is written, what is refused."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "speed_table.py"


def videos(folder: Path, *names: str) -> Path:
    """Sequences of six frames of noise."""
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for frame in range(6):
            cv2.imwrite(str(folder / name / f"{frame}.png"), random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
        (folder / f"{name}.txt").write_text("20,15,24,20\n" * 6)
    return folder


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def test_held_out_videos_alone_are_measured_and_written(tmp_path: Path, model: Path) -> None:
    data = videos(tmp_path / "films", "davis_dog", "uav_car10", "davis_bear")
    chosen = ["--only", "balanced,delayed", "--setting", "wide=tracking.scale_step=1.1,tracking.scales=5"]
    chosen += ["--setting", f"file=model={model},preset=balanced"]
    done = run(data, "--model", model, "--output", tmp_path / "out", "--first", "4", *chosen)
    assert done.returncode == 0, done.stderr
    assert "davis_bear" not in done.stderr
    with (tmp_path / "out" / "speed.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["setting"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["balanced", "delayed", "wide", "file"]
    assert float(rows["balanced"]["difference"]) == float(rows["file"]["difference"]) == 0
    assert float(rows["delayed"]["overlap"]) == pytest.approx(float(rows["balanced"]["overlap"]), abs=1e-3)
    assert all(0 < float(row["ms"]) <= float(row["slow ms"]) for row in rows.values())
    table = (tmp_path / "out" / "speed.md").read_text(encoding="utf-8").splitlines()
    assert len(table) == 2 + len(rows)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"speed.csv", "speed.md", "speed.svg", "speed.png"}


def test_sequences_for_testing_are_refused(tmp_path: Path, model: Path) -> None:
    done = run(videos(tmp_path / "films", "Basketball", "Bolt"), "--model", model, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "are for testing, never for choosing settings" in done.stderr


def test_a_folder_without_held_out_videos_is_refused(tmp_path: Path, model: Path) -> None:
    done = run(videos(tmp_path / "films", "davis_bear"), "--model", model, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "none of its sequences is held out" in done.stderr


def test_an_unknown_setting_is_named(tmp_path: Path, model: Path) -> None:
    data = videos(tmp_path / "films", "davis_dog")
    done = run(data, "--model", model, "--output", tmp_path / "out", "--only", "balanced,fasst")
    assert done.returncode == 1
    assert "unknown fasst" in done.stderr
