"""A trial runs as it says it does."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch

from rartrack import checkpoints
from rartrack.tuning.trial import TrialTracker
from small_network import untrained


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "small.safetensors"
    checkpoints.save(path, untrained())
    return str(path)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_that_is_described_is_the_one_that_runs(model: str, precision: str) -> None:
    trial = TrialTracker(1, model, "cpu", (("tracking.precision", precision),))
    assert trial.describe()["precision"] == precision
    assert trial.build(1).model.network.dtype == getattr(torch, precision)


def test_all_libraries_take_the_threads_asked_for(model: str) -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        TrialTracker(1, model, "cpu", ()).build(1)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
