"""One file for a model: what goes in comes out, and damage is told."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as save_tensors

from rartrack import checkpoints
from rartrack.checkpoints import Checkpoint
from rartrack.config import FilterConfig, ModelConfig
from rartrack.errors import InputError

CONFIG = ModelConfig(filter=FilterConfig(regularization=0.003))


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 3, 3).half().float(),
        "bn.running_var": torch.rand(4),
        "bn.num_batches_tracked": torch.tensor(7),
    }


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.xz"])
def test_weights_settings_and_provenance_come_back(tmp_path: Path, name: str) -> None:
    about = {"clips": 3, "licence": "x"}
    checkpoints.save(tmp_path / name, Checkpoint(CONFIG, weights(), about))
    found = checkpoints.load(tmp_path / name)
    assert found.config == CONFIG
    assert found.provenance == about
    assert found.weights.keys() == weights().keys()
    for key, value in weights().items():
        assert torch.equal(found.weights[key], value)


@pytest.mark.parametrize("largest", [127, -128, 1, -64])
def test_fixed_point_weights_take_a_byte_and_lose_nothing(tmp_path: Path, largest: int) -> None:
    torch.manual_seed(0)
    mantissa = torch.randint(-60, 60, (5, 8, 3, 3)).clamp(-abs(largest), abs(largest) - (largest == -128))
    mantissa[:, 0, 0, 0] = largest
    exponent = torch.tensor([-9, -3, 0, 4, -12])[:, None, None, None]
    weight = torch.ldexp(mantissa.float(), exponent)
    weight[2] = 0
    checkpoints.save(tmp_path / "model", Checkpoint(CONFIG, {"conv.weight": weight}))
    assert torch.equal(checkpoints.load(tmp_path / "model").weights["conv.weight"], weight)
    content = (tmp_path / "model").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["conv.weight.int8"]["dtype"] == "I8"


def test_saving_replaces_a_file_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")
    digest = checkpoints.save(path, Checkpoint(CONFIG, weights()))
    assert digest == checkpoints.fingerprint(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        checkpoints.save(tmp_path / "nowhere" / "model", Checkpoint(CONFIG, weights()))


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.xz"])
def test_a_truncated_file_is_told(tmp_path: Path, name: str) -> None:
    checkpoints.save(tmp_path / name, Checkpoint(CONFIG, weights()))
    content = (tmp_path / name).read_bytes()
    for length in (0, 5, 100, len(content) - 10):
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(InputError, match="not a complete checkpoint"):
            checkpoints.load(tmp_path / name)


def test_a_bit_that_flipped_in_a_weight_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    checkpoints.save(path, Checkpoint(CONFIG, weights()))
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged checkpoint: its weights are not those written"):
        checkpoints.load(path)


def test_foreign_and_newer_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(save_tensors(weights()))
    with pytest.raises(InputError, match="without rartrack's settings"):
        checkpoints.load(tmp_path / "foreign")
    (tmp_path / "newer").write_bytes(save_tensors(weights(), metadata={"rartrack": "99"}))
    with pytest.raises(InputError, match="update rartrack"):
        checkpoints.load(tmp_path / "newer")
    metadata = {"rartrack": "1", "config": json.dumps({"network": {"widht": 3}}), "provenance": "{}"}
    (tmp_path / "key").write_bytes(save_tensors(weights(), metadata=metadata))
    with pytest.raises(InputError, match=r"unknown key 'network\.widht'"):
        checkpoints.load(tmp_path / "key")


@pytest.mark.parametrize(
    ("metadata", "tensors"),
    [
        ({"rartrack": "1"}, {}),
        ({"rartrack": "1", "config": "{", "provenance": "{}"}, {}),
        ({"rartrack": "1", "config": "{}", "provenance": "{}"}, {"a.int8": torch.zeros(2, 2, dtype=torch.int8)}),
    ],
)
def test_what_a_checkpoint_lacks_is_one_line(tmp_path: Path, metadata: dict[str, str], tensors: Any) -> None:
    (tmp_path / "damaged").write_bytes(save_tensors({**weights(), **tensors}, metadata=metadata))
    with pytest.raises(InputError, match=r"damaged: a damaged checkpoint \(.*\); fetch or train it again"):
        checkpoints.load(tmp_path / "damaged")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(InputError, match="neither a built-in model"):
        checkpoints.load("x" * 300)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"rar-fast.*did you mean 'rar-fast'"):
        checkpoints.load("rar-fats")


def test_a_built_in_model_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "changed.xz"
    changed.write_bytes(lzma.compress(b"anything"))
    monkeypatch.setattr(checkpoints, "locate", lambda _: (changed, "0" * 64))
    with pytest.raises(InputError, match="damaged; install rartrack again"):
        checkpoints.load("rar-fast")
