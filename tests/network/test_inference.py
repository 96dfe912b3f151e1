"""The network prepared for tracking computes what the trained one does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rartrack.errors import InputError
from rartrack.network.deformable import DeformableConv2d
from rartrack.network.inference import frozen_taps, pick_precision, prepare_for_inference
from rartrack.network.rar import RAR
from rartrack.network.refinement import ResidualBlock

CASES = {
    "plain": {"deformable": ()},
    "zero offsets": {},
    "Caffe strides": {"stage_stride": "1x1"},
    "basic blocks": {"backbone": "resnet18", "levels": (3, 4)},
    "no batch norm": {"backbone": "vggm"},
    "without attention": {"attention": False, "levels": (4,)},
}


def outputs(network: RAR) -> tuple[torch.Tensor, torch.Tensor | None]:
    generator = torch.Generator().manual_seed(1)
    crops = torch.randint(0, 256, (2, 3, 127, 127), generator=generator, dtype=torch.uint8)
    with torch.no_grad():
        features, memory = network(crops, network.initial_memory(2))
        features, memory = network(crops.flip(3), memory)
    return features, memory.levels[4][0] if network.remembers else None


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_same_features_and_memory(small, perturb, changes):
    network = perturb(RAR(small(**changes))).eval()
    for module in network.modules():
        if isinstance(module, DeformableConv2d):
            nn.init.zeros_(module.offset.weight)
            nn.init.zeros_(module.offset.bias)
    prepared = prepare_for_inference(network)
    for ours, theirs in zip(outputs(prepared), outputs(network), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert (ours - theirs).norm() < 1e-5 * theirs.norm()
    assert not any(isinstance(module, (nn.BatchNorm2d, DeformableConv2d)) for module in prepared.modules())


def test_trained_offsets_stay_deformable(small, perturb):
    network = perturb(RAR(small())).eval()
    prepared = prepare_for_inference(network)
    assert isinstance(prepared.backbone.layer3[0].conv2, DeformableConv2d)
    ours, theirs = outputs(prepared)[0], outputs(network)[0]
    assert (ours - theirs).norm() < 1e-5 * theirs.norm()


def test_the_original_is_left_alone(small):
    network = RAR(small(levels=(3, 4))).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    prepared = prepare_for_inference(network)
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not prepared.training
    assert not any(parameter.requires_grad for parameter in prepared.parameters())


def projected(network: RAR, *levels: int) -> RAR:
    """Untrained but for a projection of some levels."""
    out = network.config.feature_channels
    network.refinement.set_projection({level: torch.randn(out, network.backbone.channels[level]) for level in levels})
    return network.eval()


@pytest.mark.parametrize(
    "changes",
    [{}, {"channel": False}, {"channel": False, "spatial": False}, {"attention": False}, {"inter_frame": False}],
)
def test_what_is_not_trained_is_not_computed(small, changes):
    network = projected(RAR(small(**changes)), 3, 4)
    prepared = prepare_for_inference(network)
    crops = torch.randint(0, 256, (2, 3, 127, 127), dtype=torch.uint8)
    with torch.no_grad():
        ours, memory = prepared(crops, prepared.initial_memory(2))
        theirs, _ = network(crops, network.initial_memory(2))
    assert (ours - theirs).norm() < 1e-5 * theirs.norm()
    assert not memory.levels
    assert prepared.taps(crops).keys() == {3, 4}
    assert not any(isinstance(module, ResidualBlock) for module in prepared.modules())


def test_a_level_between_is_kept_where_a_deeper_one_counts(small):
    network = projected(RAR(small()), 5)
    prepared = prepare_for_inference(network)
    assert prepared.taps(torch.zeros(1, 3, 127, 127)).keys() == {3, 4, 5}


def test_one_trained_map_keeps_all_attention_and_its_memory(small):
    network = projected(RAR(small()), 3, 4)
    nn.init.normal_(network.attention["3"].spatial.out.weight)
    prepared = prepare_for_inference(network)
    assert prepared.remembers
    for ours, theirs in zip(outputs(prepared), outputs(network), strict=True):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision_is_near_single(small, perturb, precision):
    network = perturb(RAR(small(**CASES["basic blocks"]))).eval()
    prepared = prepare_for_inference(network, precision)
    assert prepared.initial_memory(1).levels[4][0].dtype == precision
    ours, theirs = outputs(prepared)[0], outputs(network)[0]
    assert ours.dtype == torch.float32  # the filter is never solved in less
    assert 0 < (ours - theirs).norm() < 0.03 * theirs.norm()


def test_frozen_taps_are_the_backbone_without_gradients(small, perturb):
    network = perturb(RAR(small(**CASES["plain"]))).eval()
    crops = torch.randint(0, 256, (2, 3, 127, 127), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    expected = network.taps(crops)
    for level, tap in frozen_taps(network)(crops).items():
        assert not tap.requires_grad
        assert (tap - expected[level]).norm() < 1e-5 * expected[level].norm()


def test_the_precision_is_chosen_by_the_device_unless_named():
    assert pick_precision("float16", torch.device("cpu")) == torch.float16
    assert pick_precision("auto", torch.device("cpu")) in (torch.bfloat16, torch.float32)
    with pytest.raises(InputError, match="did you mean 'bfloat16'"):
        pick_precision("bfloat", torch.device("cpu"))
