"""The weights a run starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from rartrack import checkpoints
from rartrack.network.rar import RAR
from rartrack.training.config import TrainingConfig
from rartrack.training.start import starting_network


def test_a_box_head_goes_on_with_crops_of_another_size(config: TrainingConfig, tmp_path: Path) -> None:
    small = replace(config.model, network=replace(config.model.network, box_channels=8, input_size=127))
    path = tmp_path / "start.safetensors"
    checkpoints.save(path, checkpoints.Checkpoint(small, RAR(small.network).state_dict()))
    large = replace(small, network=replace(small.network, input_size=255))
    said: list[str] = []
    network = starting_network(replace(config, model=large, start=str(path)), said.append)
    assert network.box is not None
    assert network.box.side == 15
    assert said[-1].endswith(" 0 not; 0 start anew")


def test_a_box_head_goes_on_with_more_channels(config: TrainingConfig, tmp_path: Path) -> None:
    small = replace(config.model, network=replace(config.model.network, box_channels=8))
    path = tmp_path / "start.safetensors"
    stored = RAR(small.network)
    checkpoints.save(path, checkpoints.Checkpoint(small, stored.state_dict()))
    assert stored.box is not None
    for channels, anew in ((12, 0), (4, len(stored.box.state_dict()) - 1)):  # the output's biases fit any
        other = replace(small, network=replace(small.network, box_channels=channels))
        said: list[str] = []
        network = starting_network(replace(config, model=other, start=str(path)), said.append)
        assert network.box is not None
        assert network.box.width == channels
        assert said[-1].endswith(f" {anew} not; {anew} start anew")


def test_a_box_head_with_more_channels_learns_levels_it_did_not_have(config: TrainingConfig, tmp_path: Path) -> None:
    one = replace(config.model, network=replace(config.model.network, box_channels=8, levels=(3,)))
    path = tmp_path / "start.safetensors"
    stored = RAR(one.network)
    checkpoints.save(path, checkpoints.Checkpoint(one, stored.state_dict()))
    two = replace(one, network=replace(one.network, box_channels=12, levels=(4,)))
    network = starting_network(replace(config, model=two, start=str(path)), lambda _: None)
    assert network.box is not None
    assert stored.box is not None
    assert set(network.box.laterals) == {"4"}
    torch.testing.assert_close(network.box.output.weight[:, :8], stored.box.output.weight)
