"""The file that a run goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from rartrack.errors import InputError
from rartrack.training.state import FILE, RunState, read, write


def written(folder: Path) -> RunState:
    state = RunState(
        step=12345,
        network={"weight": torch.arange(6.0).reshape(2, 3), "half": torch.full((3,), 0.1, dtype=torch.bfloat16)},
        average={"weight": torch.ones(2, 3), "nothing": torch.zeros(0)},
        optimizer={0: {"step": torch.tensor(7.0), "momentum": torch.ones(4)}},
        config={"seed": 1},
        losses=[0.25],
    )
    write(folder, state)
    return state


def assert_same(found: RunState | None, expected: RunState) -> None:
    assert found is not None
    for part in ("step", "config", "losses", "scaler", "best", "skipped"):
        assert getattr(found, part) == getattr(expected, part)
    for part in ("network", "average", "optimizer"):
        assert_close(getattr(found, part), getattr(expected, part), rtol=0, atol=0)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    expected = written(tmp_path)
    assert_same(read(tmp_path), expected)


@pytest.mark.parametrize(
    ("stored", "damaged"),
    [
        (torch.arange(6.0).numpy().tobytes(), torch.tensor([0, 1, 2, 3, 4, 5.25]).numpy().tobytes()),
        (b"12345", b"12344"),
        (b"network.weight", b"network.weighu"),
        (b'"F32","shape":[4]', b'"I32","shape":[4]'),
        (b'"shape":[2,3]', b'"shape":[3,2]'),
    ],
    ids=["values", "step", "name", "type", "shape"],
)
def test_a_damaged_state_is_said_in_one_line(tmp_path: Path, stored: bytes, damaged: bytes) -> None:
    written(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    assert stored in content
    (tmp_path / FILE).write_bytes(content.replace(stored, damaged, 1))
    with pytest.raises(InputError, match=rf"{FILE}: damaged: it does not hold what was written; delete it to start"):
        read(tmp_path)


def test_a_state_without_a_digest_is_read(tmp_path: Path) -> None:
    expected = written(tmp_path)
    with safe_open(tmp_path / FILE, "pt") as file:
        text = file.metadata()["state"]
    save_file(load_file(tmp_path / FILE), tmp_path / FILE, {"state": text})
    assert_same(read(tmp_path), expected)
