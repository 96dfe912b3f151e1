"""What tests of training runs share."""

from __future__ import annotations

import csv
from pathlib import Path

import torch
from safetensors.torch import load_file

from rartrack.network.rar import RAR
from rartrack.training.config import TrainingConfig
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
    """The rows of a csv that ``Curves`` wrote."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]
