"""The whole network: shapes of every variant, memory semantics, frozen stages (SPEC Secs. 6, 7, 9 and 10)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rartrack.network.rar import RAR

VARIANTS = {
    "RAR": {},
    "NAA": {"attention": False},
    "NTA": {"inter_frame": False},
    "NCA": {"channel": False},
    "NSA": {"spatial": False},
    "NHF": {"levels": (5,)},
    "VGG": {"backbone": "vggm"},
    "fast": {"backbone": "resnet18", "levels": (3, 4)},
    "caffe": {"stage_stride": "1x1", "levels": (3, 4)},
    "two levels": {"levels": (4, 3), "hidden_channels": 4},
}


def crops(batch: int, size: int = 127) -> Tensor:
    return torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)


def close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).norm() < 1e-5 * b.norm())


@pytest.fixture
def network(small, perturb) -> RAR:
    return perturb(RAR(small(levels=(3, 4)))).eval()


class TestShapes:
    @pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
    @pytest.mark.parametrize(("size", "side"), [(127, 15), (255, 31)])
    def test_of_every_variant(self, small, changes, size, side):
        network = RAR(small(**changes, input_size=size)).eval()
        with torch.no_grad():
            features, memory = network(crops(2, size), network.initial_memory(2))
        assert features.shape == (2, 8, side, side)
        assert features.dtype == torch.float32
        levels = network.config.levels if network.remembers else ()
        assert sorted(memory.levels) == sorted(levels)
        for state in memory.levels.values():
            assert all(part.shape == (2, network.config.hidden_channels, side, side) for part in state)

    def test_pixels_are_normalised_inside(self, network):
        pixels = crops(1)
        memory = network.initial_memory(1)
        whole, real = network(pixels, memory)[0], network(pixels.float(), memory)[0]
        assert torch.equal(whole, real)
        taps = {}
        network.backbone.register_forward_pre_hook(lambda _module, inputs: taps.update(crops=inputs[0]))
        network(pixels, memory)
        mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
        assert torch.allclose(taps["crops"], (pixels - mean.view(3, 1, 1)) / std.view(3, 1, 1), atol=1e-6)

    def test_a_batch_equals_its_crops_one_by_one(self, network):
        pixels = crops(3)
        together, memory = network(pixels, network.initial_memory(3))
        for index in range(3):
            alone, kept = network(pixels[index : index + 1], network.initial_memory(1))
            assert close(alone[0], together[index])
            assert close(kept.levels[4][0][0], memory.levels[4][0][index])


class TestNeutralStart:
    def test_attention_and_refinement_are_one_linear_map(self, small):
        """Untrained, the network is 1.25 times the projection that was set: Eq. 4 at its neutral gain."""
        network = RAR(small(levels=(3, 4, 5))).eval()
        weight = torch.randn(8, network.backbone.channels[4])
        network.refinement.set_projection({4: weight})
        pixels = crops(1)
        features, _ = network(pixels, network.initial_memory(1))
        phi = network.backbone((pixels - network.mean) / network.std)[4]
        expected = 1.25 * torch.einsum("dc,bchw->bdhw", weight, phi)
        assert close(features, expected)

    def test_without_attention_the_features_are_the_backbones(self, small):
        network = RAR(small(levels=(3, 4), attention=False)).eval()
        weight = torch.randn(8, network.backbone.channels[3])
        network.refinement.set_projection({3: weight})
        pixels = crops(1)
        phi = network.backbone((pixels - network.mean) / network.std)[3]
        expected = torch.einsum("dc,bchw->bdhw", weight, phi)
        assert close(network(pixels, network.initial_memory(1))[0], expected)


class TestMemory:
    def test_going_in_is_never_changed(self, network):
        memory = network(crops(2), network.initial_memory(2))[1]
        before = {name: value.clone() for name, value in memory.tensors().items()}
        network(crops(2), memory)
        for name, value in memory.tensors().items():
            assert torch.equal(value, before[name])

    def test_decides_what_comes_out(self, network):
        """The same crop under two histories gives two answers; under one history, one answer."""
        pixels = crops(1)
        fresh = network.initial_memory(1)
        seen = network(crops(1), fresh)[1]
        assert torch.equal(network(pixels, seen)[0], network(pixels, seen)[0])
        assert not torch.allclose(network(pixels, seen)[0], network(pixels, fresh)[0])

    def test_repeated_over_crops_equals_one_by_one(self, network):
        """Two targets, three scales each, in one batch: every crop reads the memory of its own target."""
        memory = network(crops(2), network.initial_memory(2))[1]
        pixels = crops(6)
        together, _ = network(pixels, memory.repeat(3))
        for target in range(2):
            for scale in range(3):
                index = 3 * target + scale
                alone, _ = network(pixels[index : index + 1], memory[target : target + 1])
                assert close(alone[0], together[index])

    def test_gradients_flow_through_a_clip(self, small):
        network = RAR(small(levels=(3, 4)))
        nn.init.normal_(network.attention["4"].spatial.out.weight)
        _, first = network(crops(2), network.initial_memory(2))
        features, _ = network(crops(2), first)
        leaf = first.levels[4][1]
        leaf.retain_grad()
        features.square().sum().backward()
        assert leaf.grad.abs().sum() > 0


class TestFrozenStages:
    @pytest.mark.parametrize(
        ("changes", "names"),
        [
            ({}, {"backbone.conv1", "backbone.bn1", "backbone.layer1"}),
            ({"backbone": "vggm"}, {"backbone.features.0", "backbone.features.4"}),
        ],
    )
    def test_are_conv1_and_conv2(self, small, changes, names):
        network = RAR(small(levels=(3,), **changes))
        frozen = network.frozen_parameters()
        assert all(any(name.startswith(f"{part}.") for part in names) for name in frozen)
        assert {part for part in names if any(name.startswith(f"{part}.") for name in frozen)} == names

    def test_do_not_learn_and_keep_their_statistics(self, small):
        network = RAR(small(levels=(3,))).train()
        network.freeze_early_stages()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        network.train()
        features, _ = network(crops(4), network.initial_memory(4))
        features.square().sum().backward()
        assert all(
            (p.grad is None) == (n in network.frozen_parameters())
            for n, p in network.backbone.named_parameters("backbone")
        )
        changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
        assert changed
        assert not any(name.startswith(("backbone.bn1", "backbone.layer1")) for name in changed)

    def test_others_follow_train_and_eval(self, small):
        network = RAR(small(levels=(3,)))
        network.freeze_early_stages()
        assert network.train().backbone.layer2[0].bn1.training
        assert not network.eval().backbone.layer2[0].bn1.training
        assert not network.train().backbone.layer1[0].bn1.training
