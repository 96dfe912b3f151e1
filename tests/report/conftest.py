"""A small benchmark with trackers whose figures are known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

LENGTHS = {"alpha": 30, "beta": 40, "gamma": 20}


def write_boxes(path: Path, boxes: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join(f"{number:g}" for number in box) for box in boxes) + "\n")


def truth(frames: int) -> np.ndarray:
    boxes = np.tile([50.0, 40.0, 20.0, 10.0], (frames, 1))
    boxes[:, 0] += np.arange(frames)
    return boxes


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """Three sequences in the layout of OTB's annotations: boxes without frames."""
    folder = tmp_path / "small"
    for name, frames in LENGTHS.items():
        write_boxes(folder / f"{name}.txt", truth(frames))
    (folder / "sequences.json").write_text("{}")
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """``perfect`` repeats the truth; ``halved`` is right in the first half of each sequence, lost in the second."""
    folder = tmp_path / "results"
    for name, frames in LENGTHS.items():
        write_boxes(folder / "perfect" / f"{name}.txt", truth(frames))
        lost = truth(frames)
        lost[frames // 2 :, 0] += 500
        write_boxes(folder / "halved" / f"{name}.txt", lost)
    return folder
