"""Pre-trained weights load by torchvision's names, strictly, and say what is wrong when they do not fit."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save, save_file
from torch import Tensor

from rartrack.config import NetworkConfig
from rartrack.errors import InputError
from rartrack.network.backbone import build_backbone
from rartrack.network.weights import load_backbone_weights, read_tensors


@pytest.fixture
def tiny(small) -> Callable[..., NetworkConfig]:
    """Narrower yet: nothing is computed with these weights that would need width."""
    return lambda **changes: small(**{"width_divisor": 32, **changes})


@pytest.fixture
def complete(tiny, perturb) -> dict[str, Tensor]:
    """A state dict as torchvision writes it, classifier included; the values are halves, exactly."""
    state = dict(perturb(build_backbone(tiny(deformable=()))).state_dict())
    state |= {"fc.weight": torch.randn(10, 64), "fc.bias": torch.randn(10)}
    return {name: value.half().float() if value.is_floating_point() else value for name, value in state.items()}


def written(path: Path, state: dict[str, Tensor]) -> Path:
    if path.suffix == ".pth":
        torch.save(state, path)
    elif path.suffix == ".xz":
        path.write_bytes(lzma.compress(save(state), preset=0))
    else:
        save_file(state, path)
    return path


class TestLoading:
    @pytest.mark.parametrize("name", ["w.safetensors", "w.safetensors.xz", "w.pth", "w.pt"])
    @pytest.mark.parametrize("half", [True, False])
    def test_every_format(self, tiny, tmp_path, complete, name, half):
        state = {k: v.half() if half and v.is_floating_point() else v for k, v in complete.items()}
        path = tmp_path / name
        if path.suffix == ".pt":
            torch.save(state, path)
        else:
            written(path, state)
        backbone = build_backbone(tiny(deformable=()))
        load_backbone_weights(backbone, path)
        loaded = {k: v for k, v in backbone.state_dict().items() if v.is_floating_point()}
        assert all(torch.equal(value, complete[key]) for key, value in loaded.items())
        assert all(value.dtype == torch.float32 for value in loaded.values())

    def test_stages_that_are_not_built_are_passed_over(self, tiny, tmp_path, complete):
        backbone = build_backbone(tiny(levels=(3,), deformable=()))
        load_backbone_weights(backbone, written(tmp_path / "w.safetensors", complete))
        assert torch.equal(backbone.layer2[0].conv2.weight, complete["layer2.0.conv2.weight"])

    def test_counters_may_be_absent(self, tiny, tmp_path, complete):
        state = {name: value for name, value in complete.items() if not name.endswith("num_batches_tracked")}
        load_backbone_weights(build_backbone(tiny()), written(tmp_path / "w.safetensors", state))

    def test_a_deformable_block_takes_the_plain_kernel(self, tiny, tmp_path, complete):
        plain, deformable = build_backbone(tiny(deformable=())), build_backbone(tiny(deformable=("layer3.0",)))
        path = written(tmp_path / "w.safetensors", complete)
        for backbone in (plain, deformable):
            load_backbone_weights(backbone, path)
        assert not deformable.layer3[0].conv2.offset.weight.any()
        crops = torch.randn(1, 3, 127, 127)
        ours, theirs = deformable.eval()(crops)[5], plain.eval()(crops)[5]
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()

    def test_vggm_takes_its_published_weights(self, tiny, tmp_path):
        """They expect blue, green, red in 0..255 less a mean; the same crops are to give the same features."""
        backbone = build_backbone(tiny(backbone="vggm", deformable=())).eval()
        published = {name: torch.randn_like(value) for name, value in backbone.state_dict().items()}
        load_backbone_weights(backbone, written(tmp_path / "w.safetensors", published))
        crops = torch.randint(0, 256, (1, 3, 127, 127)).float()  # red, green, blue
        normalised = (crops - torch.tensor(backbone.mean)[:, None, None]) / torch.tensor(backbone.std)[:, None, None]
        expected = crops[:, [2, 1, 0]] - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
        kernel, bias = published["features.0.weight"], published["features.0.bias"]
        found = backbone.features[0](normalised)[..., 1:-1, 1:-1]  # borders are padded with other colours
        wanted = F.conv2d(expected, kernel, bias, stride=2, padding=2)[..., 1:-1, 1:-1]
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-2)
        assert torch.equal(backbone.features[4].weight, published["features.4.weight"])


class TestRefusals:
    """Each says which file, what is wrong, and what to do; the backbone keeps what it had."""

    def refused(self, tiny, path: Path, message: str, **changes) -> None:
        backbone = build_backbone(tiny(**changes))
        before = {name: value.clone() for name, value in backbone.state_dict().items()}
        with pytest.raises(InputError, match=message) as caught:
            load_backbone_weights(backbone, path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())

    def test_missing_file(self, tiny, tmp_path):
        self.refused(tiny, tmp_path / "none.safetensors", "No such file")

    @pytest.mark.parametrize("name", ["w.safetensors", "w.safetensors.xz", "w.pth"])
    @pytest.mark.parametrize("keep", [0.0, 0.3, 0.98])
    def test_truncated(self, tiny, tmp_path, complete, name, keep):
        path = written(tmp_path / name, complete)
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * len(content))])
        self.refused(tiny, path, "not a complete")

    @pytest.mark.parametrize("name", ["w.safetensors", "w.safetensors.xz", "w.pth"])
    def test_no_weights_at_all(self, tiny, tmp_path, name):
        path = tmp_path / name
        path.write_text("a text about bicycles, long enough to be taken for a header of something")
        self.refused(tiny, path, "not a complete")

    def test_an_unknown_kind_of_file(self, tiny, tmp_path):
        path = tmp_path / "w.npz"
        np.savez(path, weight=np.zeros(3))
        self.refused(tiny, path, "unknown kind of weights")

    @pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict": {"a": torch.zeros(1)}}])
    def test_a_pickle_that_is_no_state_dict(self, tiny, tmp_path, content):
        torch.save(content, tmp_path / "w.pth")
        self.refused(tiny, tmp_path / "w.pth", "not a state dict")

    def test_a_pickle_that_would_run_code(self, tiny, tmp_path):
        torch.save({"a": Path("x")}, tmp_path / "w.pth")
        self.refused(tiny, tmp_path / "w.pth", "not a complete file of plain PyTorch weights")

    def test_missing_keys(self, tiny, tmp_path, complete):
        del complete["layer2.1.bn2.running_var"], complete["layer4.0.conv1.weight"]
        path = written(tmp_path / "w.safetensors", complete)
        self.refused(tiny, path, "layer2.1.bn2.running_var and 1 more missing")

    def test_unknown_keys(self, tiny, tmp_path, complete):
        path = written(tmp_path / "w.safetensors", complete | {"layer2.9.conv1.weight": torch.zeros(1)})
        self.refused(tiny, path, "layer2.9.conv1.weight unknown")

    def test_another_network(self, tiny, tmp_path, complete):
        path = written(tmp_path / "w.safetensors", complete)
        self.refused(tiny, path, "not weights of this ResNet18", backbone="resnet18", levels=(3, 4))

    def test_another_width(self, tiny, tmp_path, complete):
        path = written(tmp_path / "w.safetensors", complete)
        self.refused(tiny, path, "2x3x7x7, 4x3x7x7 expected", width_divisor=16)

    def test_numbers_that_are_not_finite(self, tiny, tmp_path, complete):
        complete["layer3.2.conv3.weight"][0, 0] = float("nan")
        self.refused(tiny, written(tmp_path / "w.safetensors", complete), "layer3.2.conv3.weight holds values")


class TestRealWeights:
    def test_resnet18(self, shared):
        backbone = build_backbone(NetworkConfig(backbone="resnet18", levels=(3, 4)))
        load_backbone_weights(backbone, shared / "weights" / "resnet18_imagenet_conv1-layer3_fp16.safetensors")
        taps = backbone.eval()(torch.randn(1, 3, 63, 63))
        assert {level: tap.shape[1] for level, tap in taps.items()} == {3: 128, 4: 256}

    @pytest.mark.slow
    def test_resnet50_still_knows_dogs(self, shared):
        """The dilated network with an ImageNet classifier on its sub-grid names dogs (classes 151 to 268)."""
        cv2 = pytest.importorskip("cv2")
        weights = shared / "weights" / "resnet50_imagenet_fp16.safetensors.xz"
        backbone = build_backbone(NetworkConfig(levels=(5,), stage_stride="1x1")).eval()
        load_backbone_weights(backbone, weights)
        classifier = read_tensors(weights)
        photographs = json.loads((shared / "stills" / "instances.json").read_text())
        kinds = {entry["id"]: entry["name"] for entry in photographs["categories"]}
        names = {entry["id"]: entry["file_name"] for entry in photographs["images"]}
        large = [a for a in photographs["annotations"] if kinds[a["category_id"]] == "dog" and a["area"] > 40_000][:4]
        hits = 0
        for annotation in large:
            image = cv2.imread(str(shared / "stills" / "images" / names[annotation["image_id"]]))
            x, y, w, h = (round(number) for number in annotation["bbox"])
            crop = cv2.resize(image[y : y + h, x : x + w, ::-1], (255, 255), interpolation=cv2.INTER_AREA)
            mean, std = (torch.tensor(value).view(3, 1, 1) for value in (backbone.mean, backbone.std))
            pixels = (torch.from_numpy(crop.copy()).permute(2, 0, 1).float() - mean) / std
            with torch.no_grad():
                pooled = backbone(pixels[None])[5][..., 3::4, 3::4].mean(dim=(2, 3))
            scores = pooled @ classifier["fc.weight"].float().T + classifier["fc.bias"]
            hits += 151 <= int(scores.argmax()) <= 268
        assert hits >= 3
