"""Looks ahead from the truth: which frames they are of, what they find where nothing moves, what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from rartrack import checkpoints
from rartrack.config import ModelConfig, TrackingConfig
from rartrack.datasets import load_dataset
from rartrack.network.rar import RAR
from rartrack.tracking.load import load
from small_network import SMALL

SCRIPT = Path(__file__).parents[2] / "scripts" / "pairs.py"


def still(folder: Path, frames: int) -> Path:
    """A video in which nothing happens."""
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    (folder / "davis_dog").mkdir(parents=True)
    for frame in range(frames):
        cv2.imwrite(str(folder / "davis_dog" / f"{frame:02d}.png"), image)
    (folder / "davis_dog.txt").write_text("20,15,24,20\n" * frames)
    return folder


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def test_what_does_not_move_is_found(tmp_path: Path, model: Path) -> None:
    done = run(still(tmp_path, 24), "--model", model)
    assert done.returncode == 0, done.stderr
    _, _, *lines = done.stdout.splitlines()
    # From every second frame, 2 to 22, where the frame ahead is one of the 24.
    assert [line.split()[:3] for line in lines] == [["1", "11", "1.000"], ["4", "9", "1.000"], ["10", "6", "1.000"]]


def test_contexts_take_their_turns(tmp_path: Path, model: Path, script, monkeypatch) -> None:
    pairs = script("pairs")
    tracker = load(str(model), settings={"filter.contexts": 4, "tracking.context_turns": 2})
    turns: list[int | None] = []
    cut = tracker.model.template_crops
    monkeypatch.setattr(tracker.model, "template_crops", lambda *given: turns.append(given[3:]) or cut(*given))
    (video,) = load_dataset(still(tmp_path, 14)).sequences
    assert list(pairs.seen(tracker, video, 14))
    assert [turn % 2 for given in turns[1:] for turn in given] == [1, 0, 1, 0]


def test_sides_that_no_window_changes(tmp_path: Path) -> None:
    config = ModelConfig(replace(SMALL, box_channels=8), tracking=TrackingConfig(scale_search="box"))
    path = tmp_path / "boxed.safetensors"
    # Untrained, the head says of every box that it has not changed.
    checkpoints.save(path, checkpoints.Checkpoint(config, RAR(config.network).state_dict()))
    done = run(still(tmp_path, 24), "--sides", "--model", path)
    assert done.returncode == 0, done.stderr
    _, _, *lines = done.stdout.splitlines()
    nothing = "+0.00 +- 0.00"
    # Of the frames after the first, every eighth: 1, 9 and 17.
    assert [" ".join(line.split()) for line in lines] == [
        f"{change:+.1f} 3 {nothing} {nothing}" for change in (-0.6, -0.3, 0, 0.3, 0.6)
    ]


def test_refusals_say_why(tmp_path: Path, model: Path) -> None:
    videos = still(tmp_path, 2)
    assert "no held-out video has frames to look ahead in" in run(videos, "--model", model).stderr
    assert "has no box head" in run(videos, "--sides", "--model", model).stderr
