"""The mean of checkpoints: weight by weight, of one network alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch

from rartrack import checkpoints
from rartrack.config import ModelConfig
from rartrack.network.rar import RAR
from small_network import SMALL

SCRIPT = Path(__file__).parents[2] / "scripts" / "mean.py"


def saved(path: Path, seed: int, config: ModelConfig) -> dict[str, torch.Tensor]:
    """Weights as they come back from a file, in half the digits."""
    torch.manual_seed(seed)
    checkpoints.save(path, checkpoints.Checkpoint(config, RAR(config.network).state_dict(), {"seed": seed}))
    return dict(checkpoints.load(path).weights)


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def test_each_weight_is_the_mean_and_the_rest_is_the_last_ones(tmp_path: Path) -> None:
    config = ModelConfig(network=SMALL)
    first, last = (saved(tmp_path / f"{seed}.safetensors", seed, config) for seed in range(2))
    done = run(tmp_path / "0.safetensors", tmp_path / "1.safetensors", "--output", tmp_path / "mean.safetensors")
    assert done.returncode == 0, done.stderr
    found = checkpoints.load(tmp_path / "mean.safetensors")
    assert found.provenance == {"seed": 1, "mean_of": ["0.safetensors", "1.safetensors"]}
    for name, weight in found.weights.items():
        expected = (first[name].float() + last[name].float()) / 2
        torch.testing.assert_close(weight.float(), expected, rtol=1e-3, atol=1e-6)


def test_another_network_is_refused_in_one_line(tmp_path: Path) -> None:
    saved(tmp_path / "0.safetensors", 0, ModelConfig(network=replace(SMALL, refinement_channels=24)))
    saved(tmp_path / "1.safetensors", 1, ModelConfig(network=SMALL))
    done = run(tmp_path / "0.safetensors", tmp_path / "1.safetensors", "--output", tmp_path / "mean.safetensors")
    assert done.returncode == 1
    assert "0.safetensors: another network than" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "mean.safetensors").exists()
