"""Losses that are known beforehand, on real videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rartrack.config_files import load_yaml
from rartrack.network.rar import RAR
from rartrack.training.config import SourceConfig, TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.objective import ClipLoss, search_label, squared_error

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.slow
def test_random_features_reach_about_0_6_on_easy_pairs_and_a_filter_of_zero_3_55(shared: Path, tmp_path: Path) -> None:
    """Neighbouring frames without jitter; an eighth of the widths, 32 channels for the filter."""
    config = load_yaml(
        TrainingConfig,
        CONFIGS / "tiny.yaml",
        {
            "model.network.input_size": 255,
            "model.network.feature_channels": 32,
            "model.network.refinement_channels": 64,
            "data.gap": 1,
            "data.shift": 0.0,
            "data.zoom": 0.0,
            "data.cache": str(tmp_path),
        },
    )
    films = SourceConfig(str(shared / "train"), include=("davis_*", "tld_*"), area_ratio=(0.05, 0.8), border=0.0)
    clips = ClipDataset(replace(config, data=replace(config.data, sources={"films": films})), "validation")
    torch.manual_seed(0)
    measure = ClipLoss(RAR(config.model.network).eval(), config.model)
    batch = Batch.stack([clips[index] for index in range(12)])
    label = search_label(measure.cells, measure.sigma, batch.label)
    zero = squared_error(torch.zeros_like(label), label)
    with torch.no_grad():
        losses = torch.cat([measure(batch.crops[i : i + 1], batch.label[i : i + 1]) for i in range(12)])
    assert 0.3 < float(np.median(losses)) < 1.0
    assert float(losses.max()) < 3.55
    np.testing.assert_allclose(zero.numpy(), 3.55, atol=0.01)
