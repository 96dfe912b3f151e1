"""Looking at the network while it tracks changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rartrack.config import ModelConfig, NetworkConfig
from rartrack.network.rar import RAR
from rartrack.tracking.maps import update_with_maps
from rartrack.tracking.tracker import Tracker

NETWORK = NetworkConfig(
    backbone="resnet18",
    width_divisor=16,
    levels=(3, 4),
    deformable=(),
    input_size=127,
    hidden_channels=4,
    reduction=4,
    refinement_channels=8,
    feature_channels=4,
)


def tracker(config: NetworkConfig = NETWORK) -> Tracker:
    """One with nothing at its neutral start."""
    torch.manual_seed(0)
    network = RAR(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return Tracker(network.eval(), replace(ModelConfig(), network=config))


def frames() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    ground = random.integers(0, 255, (30, 40, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
    return [np.roll(ground, (2 * t, 3 * t), (0, 1)) for t in range(3)]


@pytest.mark.parametrize("boxes", [(100, 80, 40, 30), [(100, 80, 40, 30), (50, 50, 20, 20)]])
def test_tracking_is_the_same_with_and_without_looking(boxes: object) -> None:
    plain, watched = tracker(), tracker()
    first, *rest = frames()
    plain.init(first, boxes)
    watched.init(first, boxes)
    for number, frame in enumerate(rest, start=1):
        found = plain.update(frame)
        seen = update_with_maps(watched, frame[..., ::-1].copy()[..., ::-1], number)
        assert seen.image.flags.c_contiguous  # a view is copied once, not for each crop
        assert seen.result == (found[0] if isinstance(found, list) else found)
        assert seen.frame == number
    assert torch.equal(plain.state.filter, watched.state.filter)
    assert not any(module._forward_hooks for module in watched.model.network.modules())
    assert "taps" not in vars(watched.model.network)


def test_every_part_of_the_network_gives_its_map() -> None:
    made = tracker()
    first, second, _ = frames()
    made.init(first, (100, 80, 40, 30))
    seen = update_with_maps(made, second, 1)
    assert seen.crop.shape == seen.template.shape == (127, 127, 3)
    assert seen.contexts.shape == (4, 127, 127, 3)
    assert seen.response.shape == (15, 15)
    assert sorted(seen.levels) == [3, 4]
    for level in seen.levels.values():
        for values in (level.features, level.memory, level.spatial, level.attended):
            assert values is not None
            assert values.shape == (15, 15)
        assert level.channel is not None
        assert level.channel.ndim == 1
        assert ((level.channel > 0) & (level.channel < 1)).all()


def test_parts_that_a_variant_leaves_out_have_none() -> None:
    made = tracker(replace(NETWORK, inter_frame=False, spatial=False))
    first, second, _ = frames()
    made.init(first, (100, 80, 40, 30))
    level = update_with_maps(made, second, 1).levels[3]
    assert level.memory is None
    assert level.spatial is None
    assert level.channel is not None
    bare = tracker(replace(NETWORK, attention=False))
    bare.init(first, (100, 80, 40, 30))
    assert update_with_maps(bare, second, 1).levels[3].attended is None


def test_the_response_has_no_motion_in_its_middle() -> None:
    made = tracker()
    first = frames()[0]
    made.init(first, (100, 80, 40, 30))
    seen = update_with_maps(made, first, 1)
    assert divmod(int(seen.response.argmax()), 15) == (7, 7)
