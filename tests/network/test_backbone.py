"""Table 1's sizes, the grid of cells, dilations, names (SPEC Secs. 5, 10 and 11, items 6 and 8)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rartrack.config import NetworkConfig
from rartrack.errors import InputError
from rartrack.network.backbone import Backbone, build_backbone, cells
from rartrack.network.base import FIRST_CENTRE, STRIDE

EVERY = [
    ("resnet50", "3x3", (3, 4, 5)),
    ("resnet50", "1x1", (3, 4, 5)),
    ("resnet18", "3x3", (3, 4)),
    ("vggm", "3x3", (3, 4, 5)),
]


@pytest.fixture(scope="module")
def resnet50() -> Backbone:
    """The paper's backbone at full width, without deformable blocks."""
    return build_backbone(NetworkConfig(deformable=()))


def sizes_of_modules(backbone: nn.Module, names: list[str], size: int) -> list[int]:
    sizes: dict[str, int] = {}
    for name in names:
        backbone.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, out, name=name: sizes.update({name: out.shape[-1]})
        )
    backbone.eval()(torch.randn(1, 3, size, size))
    return [sizes[name] for name in names]


class TestSizes:
    @pytest.mark.parametrize("stage_stride", ["3x3", "1x1"])
    def test_table_1(self, small, stage_stride):
        """255 -> 127 (conv1), 63 (conv2_x), 31 (conv3_x, conv4_x, conv5_x)."""
        backbone = build_backbone(small(stage_stride=stage_stride))
        names = ["conv1", "layer1", "layer2", "layer3", "layer4"]
        assert sizes_of_modules(backbone, names, 255) == [127, 63, 31, 31, 31]

    def test_vggm(self, small):
        backbone = build_backbone(small(backbone="vggm"))
        assert sizes_of_modules(backbone, ["features.0", "features.3", "features.4", "features.12"], 255) == [
            127,
            63,
            31,
            31,
        ]

    @pytest.mark.parametrize(("name", "stage_stride", "levels"), EVERY)
    @pytest.mark.parametrize("size", [15, 63, 127, 143])
    def test_every_size_on_the_grid(self, small, name, stage_stride, levels, size):
        backbone = build_backbone(small(backbone=name, stage_stride=stage_stride, levels=levels)).eval()
        taps = backbone(torch.randn(2, 3, size, size))
        assert {level: tap.shape for level, tap in taps.items()} == {
            level: (2, backbone.channels[level], cells(size), cells(size)) for level in levels
        }

    def test_channels_and_taps_are_told(self, resnet50):
        assert resnet50.channels == {3: 512, 4: 1024, 5: 2048}
        assert resnet50.taps == {3: "layer2.3", 4: "layer3.5", 5: "layer4.2"}

    @pytest.mark.parametrize(("size", "side"), [(255, 31), (127, 15), (15, 1), (431, 53)])
    def test_cells(self, size, side):
        assert cells(size) == side

    @pytest.mark.parametrize("size", [224, 256, 7, 0, -1])
    def test_sizes_off_the_grid_are_refused(self, size):
        with pytest.raises(InputError, match="not 8n"):
            cells(size)


class TestStagesThatAreBuilt:
    @pytest.mark.parametrize(
        ("name", "levels", "last", "absent"),
        [("resnet50", (3,), "layer2", "layer3"), ("resnet50", (3, 4), "layer3", "layer4"), ("vggm", (3,), "8", "10")],
    )
    def test_none_beyond_the_deepest_tap(self, small, name, levels, last, absent):
        names = {
            part for key in build_backbone(small(backbone=name, levels=levels)).state_dict() for part in key.split(".")
        }
        assert last in names
        assert absent not in names

    def test_the_deepest_alone_is_the_variant_nhf(self, small):
        taps = build_backbone(small(levels=(5,))).eval()(torch.randn(1, 3, 63, 63))
        assert list(taps) == [5]


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"backbone": "resnet18"}, r"network.levels: \[3, 4, 5\] not in resnet18, which has 3, 4$"),
            ({"levels": ()}, "network.levels"),
            ({"levels": (2, 3)}, "network.levels"),
            ({"levels": (3, 3)}, "twice"),
            ({"width_divisor": 7}, "network.width_divisor: 7 does not divide"),
            ({"input_size": 225}, "network.input_size: 225 is not 8n"),
            ({"deformable": ("layer3.7",)}, r"no block 'layer3.7' in resnet50; did you mean"),
            ({"backbone": "vggm", "deformable": ("layer3.1",)}, "vggm has no residual blocks"),
        ],
    )
    def test_impossible_settings(self, small, changes, message):
        with pytest.raises(InputError, match=message):
            build_backbone(small(**changes))


def constant_kernels(backbone: nn.Module) -> None:
    """Positive kernels, no rectifier at work: the gradient's support is the receptive field."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def receptive_field(backbone: nn.Module, level: int, size: int, cell: int) -> tuple[int, int]:
    """First and last pixel (of row and column alike) that the cell on the diagonal sees."""
    crop = torch.rand(1, 3, size, size, requires_grad=True)
    backbone.eval()(crop)[level][0, :, cell, cell].sum().backward()
    assert crop.grad is not None
    seen = crop.grad[0].abs().sum(dim=0) > 0
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    assert torch.equal(rows, columns)
    return int(rows[0]), int(rows[-1])


@pytest.fixture
def _average_pooling(monkeypatch):
    """Stand-ins of the same geometry that let every pixel of a window through."""
    monkeypatch.setattr(F, "max_pool2d", F.avg_pool2d)
    monkeypatch.setattr(
        nn.MaxPool2d, "forward", lambda self, x: F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)
    )


@pytest.mark.usefixtures("_average_pooling")
class TestCentres:
    """Cell i looks at pixel 7 + 8 i: its receptive field lies evenly around it, at every level, in every backbone."""

    @pytest.mark.parametrize(("name", "stage_stride", "levels"), EVERY)
    def test_receptive_fields_are_centred(self, small, name, stage_stride, levels):
        changes = {"backbone": name, "stage_stride": stage_stride, "levels": levels}
        backbone = build_backbone(small(**changes, width_divisor=32, deformable=()))
        constant_kernels(backbone)
        size, cell = 503, 30
        for level in levels:
            first, last = receptive_field(backbone, level, size, cell)
            assert first > 0
            assert last < size - 1
            assert (first + last) / 2 == FIRST_CENTRE + STRIDE * cell

    @pytest.mark.parametrize(("dilate", "fields"), [(True, (91, 267, 427)), (False, (91, 187, 235))])
    def test_their_sizes(self, small, dilate, fields):
        """Dilated, the receptive fields are those of the network that was pre-trained (SPEC Sec. 5)."""
        backbone = build_backbone(small(dilate=dilate, width_divisor=32, deformable=()))
        constant_kernels(backbone)
        for level, field in zip((3, 4, 5), fields, strict=True):
            first, last = receptive_field(backbone, level, 503, 31)
            assert last - first + 1 == field


class TestShifts:
    @pytest.mark.parametrize(("name", "stage_stride", "levels"), EVERY)
    def test_eight_pixels_are_one_cell(self, small, name, stage_stride, levels):
        backbone = build_backbone(
            small(backbone=name, stage_stride=stage_stride, levels=levels[:1], deformable=())
        ).eval()
        scene = torch.randn(1, 3, 263, 263)
        here, there = backbone(scene[..., :255, :255])[3], backbone(scene[..., 8:, 8:])[3]
        assert torch.allclose(here[..., 8:24, 8:24], there[..., 7:23, 7:23], atol=1e-5)


class StridedResNet:
    """The network as it was pre-trained: every stage strides by 2, nothing is dilated; written with functions alone."""

    def __init__(self, state: dict[str, Tensor], stage_stride: str) -> None:
        self.state, self.stage_stride = state, stage_stride

    def __call__(self, crops: Tensor, levels: int) -> dict[int, Tensor]:
        x = F.relu(self.norm(F.conv2d(crops, self.state["conv1.weight"], stride=2, padding=2), "bn1"))
        x = F.max_pool2d(x, 3, stride=2)
        out = {}
        for level in range(2, levels + 1):
            index = 0
            while f"layer{level - 1}.{index}.conv1.weight" in self.state:
                stride = 2 if index == 0 and level > 2 else 1
                # Table 1 takes conv3_1 without padding; further down a padding of one samples cells 0, 2, 4, ...
                x = self.block(x, f"layer{level - 1}.{index}", stride, padded=level != 3)
                index += 1
            out[level] = x
        return out

    def block(self, x: Tensor, name: str, stride: int, padded: bool) -> Tensor:
        weight = lambda part: self.state[f"{name}.{part}.weight"]  # noqa: E731
        bottleneck = f"{name}.conv3.weight" in self.state
        inner = x[:, :, 1:-1, 1:-1] if stride == 2 and not padded else x
        if not bottleneck:
            y = F.relu(
                self.norm(
                    F.conv2d(x, weight("conv1"), stride=stride, padding=int(padded or stride == 1)), f"{name}.bn1"
                )
            )
            y = self.norm(F.conv2d(y, weight("conv2"), padding=1), f"{name}.bn2")
        else:
            early = self.stage_stride == "1x1"
            y = F.conv2d(inner if early else x, weight("conv1"), stride=stride if early else 1)
            y = F.relu(self.norm(y, f"{name}.bn1"))
            late, padding = (1, 1) if early else (stride, int(padded or stride == 1))
            y = F.relu(self.norm(F.conv2d(y, weight("conv2"), stride=late, padding=padding), f"{name}.bn2"))
            y = self.norm(F.conv2d(y, weight("conv3")), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in self.state:
            inner = self.norm(F.conv2d(inner, weight("downsample.0"), stride=stride), f"{name}.downsample.1")
        return F.relu(y + inner)

    def norm(self, x: Tensor, name: str) -> Tensor:
        statistics = self.state[f"{name}.running_mean"], self.state[f"{name}.running_var"]
        return F.batch_norm(x, *statistics, self.state[f"{name}.weight"], self.state[f"{name}.bias"])


class TestDilations:
    """The dilated network on every second (fourth) cell is the strided, pre-trained one (SPEC Sec. 11, item 8)."""

    @pytest.mark.parametrize(("name", "stage_stride", "levels"), EVERY[:3])
    def test_sub_grid_is_the_strided_network(self, small, perturb, name, stage_stride, levels):
        config = small(backbone=name, stage_stride=stage_stride, levels=levels, deformable=())
        backbone = perturb(build_backbone(config)).eval()
        crops = torch.randn(1, 3, 255, 255)
        with torch.no_grad():
            dense, strided = backbone(crops), StridedResNet(backbone.state_dict(), stage_stride)(crops, levels[-1])
        for level in levels:
            step = 1 << level - 3
            assert strided[level].shape[-1] == -(-31 // step)
            error = (dense[level][..., ::step, ::step] - strided[level]).norm() / strided[level].norm()
            assert error < 1e-5

    @pytest.mark.parametrize(("name", "stage_stride", "levels"), EVERY[:3])
    def test_without_them_the_function_changes(self, small, name, stage_stride, levels):
        config = {"backbone": name, "stage_stride": stage_stride, "levels": levels, "deformable": ()}
        dilated, plain = build_backbone(small(**config)).eval(), build_backbone(small(**config, dilate=False)).eval()
        plain.load_state_dict(dilated.state_dict())
        crops = torch.randn(1, 3, 127, 127)
        a, b = dilated(crops), plain(crops)
        assert torch.equal(a[3], b[3])
        assert (a[4] - b[4]).norm() > 0.05 * a[4].norm()

    def test_vggm(self, small):
        """Its second pool's stride is removed, and conv3 to conv5 are dilated by 2."""
        backbone = build_backbone(small(backbone="vggm")).eval()
        crops = torch.randn(1, 3, 127, 127)
        x = backbone.features[:7](crops)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for index in (8, 10, 12):
            layer = backbone.features[index]
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
        assert torch.allclose(backbone(crops)[5][..., ::2, ::2], x, rtol=1e-4, atol=1e-5)


def torchvision_names(depths: tuple[int, ...], convolutions: int) -> set[str]:
    """Keys of torchvision's ResNets, classifier apart."""
    layers = [("conv1", "bn1")]
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            block = f"layer{stage}.{index}"
            layers += [(f"{block}.conv{k}", f"{block}.bn{k}") for k in range(1, convolutions + 1)]
            if index == 0 and (stage > 1 or convolutions == 3):
                layers.append((f"{block}.downsample.0", f"{block}.downsample.1"))
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{conv}.weight" for conv, _ in layers} | {f"{norm}.{part}" for _, norm in layers for part in parts}


class TestNames:
    @pytest.mark.parametrize(
        ("name", "levels", "depths", "convolutions"),
        [("resnet50", (3, 4, 5), (3, 4, 6, 3), 3), ("resnet18", (3, 4), (2, 2, 2), 2)],
    )
    def test_are_torchvisions(self, small, name, levels, depths, convolutions):
        state = build_backbone(small(backbone=name, levels=levels, deformable=())).state_dict()
        assert set(state) == torchvision_names(depths, convolutions)

    def test_resnet50_is_complete(self, resnet50):
        """320 entries and 25,557,032 parameters, less the classifier's two and 2,049,000."""
        assert len(resnet50.state_dict()) == 318
        assert sum(parameter.numel() for parameter in resnet50.parameters()) == 25_557_032 - 2_049_000

    def test_a_deformable_block_adds_its_offsets_only(self, small):
        plain, deformable = (set(build_backbone(small(deformable=d)).state_dict()) for d in ((), ("layer3.0",)))
        assert deformable - plain == {"layer3.0.conv2.offset.weight", "layer3.0.conv2.offset.bias"}
        assert plain < deformable
