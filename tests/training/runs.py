"""What tests of training runs share."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from rartrack.network.rar import RAR
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import ClipDataset
from rartrack.training.log import TRAINING
from rartrack.training.state import FILE


def silent(line: str) -> None:
    """No news."""


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    """Everything a run's state holds."""
    return load_file(Path(folder) / FILE)


def assert_equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    different = [name for name in one if not torch.equal(one[name], two[name])]
    assert different == []


def start(config: TrainingConfig) -> RAR:
    """The network that a run of this seed starts from."""
    torch.manual_seed(config.seed)
    return RAR(config.model.network).eval()


def read_curve(path: Path) -> list[dict[str, float]]:
    """The rows of a csv that ``RunLog`` wrote."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def with_damaged_frames(config: TrainingConfig, videos: Path, folder: Path) -> TrainingConfig:
    """The run on a copy of its videos in which every third frame of one cannot be read."""
    shutil.copytree(videos, folder / "copy")
    for number in range(0, 12, 3):
        (folder / "copy" / "clip_a" / f"{number:04d}.png").write_bytes(b"no image")
    sources = {"made": replace(config.data.sources["made"], path=str(folder / "copy"))}
    return replace(config, data=replace(config.data, sources=sources))


def assert_skipped(config: TrainingConfig, clips: int) -> None:
    """That what the first clips could not use is counted and listed, all of it once."""
    skipped = int(read_curve(Path(config.output) / TRAINING)[-1]["skipped"])
    lines = (Path(config.output) / "skipped.txt").read_text().splitlines()
    assert skipped == len(lines) > 0
    assert "clip_a" in lines[0]
    drawn = ClipDataset(config)
    reasons = [reason for index in range(clips) for reason in drawn[index].skipped]
    assert sorted(line.partition(": ")[2] for line in lines) == sorted(reasons)
