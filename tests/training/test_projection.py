"""The starting projection of an untrained network: what it leaves out is the mean, and what it makes is a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from rartrack import checkpoints
from rartrack.config import to_dict
from rartrack.errors import InputError
from rartrack.network.inference import prepare_for_inference
from rartrack.network.rar import RAR
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.projection import _BASIS_CLIPS, main


@pytest.fixture
def written(config: TrainingConfig, tmp_path: Path) -> tuple[TrainingConfig, Path]:
    """A configuration with weights for its backbone, and the file that says it."""
    torch.manual_seed(3)
    weights = tmp_path / "backbone.safetensors"
    save_file(RAR(config.model.network).backbone.state_dict(), weights)
    config = replace(config, backbone=str(weights))
    path = tmp_path / "untrained.yaml"
    path.write_text(yaml.safe_dump(to_dict(config)))
    return config, path


@pytest.mark.parametrize(("epochs", "attention"), [(0, "true"), (1, "true"), (0, "false")])
def test_projected_features_have_no_mean(
    written: tuple[TrainingConfig, Path], tmp_path: Path, epochs: int, attention: str
) -> None:
    config, path = written
    output = tmp_path / "start.safetensors"
    words = [str(path), f"model.network.attention={attention}", "--clips", "8", "--epochs", str(epochs)]
    main([*words, "--output", str(output)])
    found = checkpoints.load(output)
    network = RAR(found.config.network)
    network.load_state_dict(found.weights)
    runner, clips = prepare_for_inference(network.eval()), ClipDataset(config)
    exemplars = torch.cat([Batch.stack([clips[index]]).crops[0, :1] for index in range(_BASIS_CLIPS)])
    with torch.inference_mode():
        features, _ = runner(exemplars, runner.initial_memory(len(exemplars)))
    flat = features.movedim(1, 0).flatten(1)
    assert (flat.mean(1).abs() < 5e-3 * flat.std(1)).all()  # weights are kept in 16 bits
    assert set(found.provenance["loss"]) == ({"before", "after"} if epochs else {"before"})


def test_levels_and_settings_are_chosen_on_the_command_line(
    written: tuple[TrainingConfig, Path], tmp_path: Path
) -> None:
    output = tmp_path / "start.safetensors"
    words = [str(written[1]), "model.network.feature_channels=3", "--clips", "8", "--epochs", "0", "--levels", "4"]
    main([*words, "--output", str(output)])
    found = checkpoints.load(output)
    assert found.config.network.feature_channels == 3
    assert not found.weights["refinement.laterals.3.weight"].any()
    assert found.weights["refinement.laterals.4.weight"].any()


def test_what_cannot_be_is_refused_before_the_fit(written: tuple[TrainingConfig, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--clips 7: at least 8"):
        main([str(written[1]), "--clips", "7", "--output", str(tmp_path / "start.safetensors")])
    with pytest.raises(InputError, match="nowhere"):
        main([str(written[1]), "--clips", "8", "--output", str(tmp_path / "nowhere" / "start.safetensors")])


def test_a_configuration_without_weights_is_refused(config: TrainingConfig, tmp_path: Path) -> None:
    path = tmp_path / "untrained.yaml"
    path.write_text(yaml.safe_dump(to_dict(config)))
    with pytest.raises(InputError, match="names no weights"):
        main([str(path), "--output", str(tmp_path / "start.safetensors")])
