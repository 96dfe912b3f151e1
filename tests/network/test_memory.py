"""Memory as a value: selected, repeated, stacked, kept or replaced, written and read back."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rartrack.network.memory import Memory


def memory(batch: int, start: float = 0.0) -> Memory:
    """Target i holds start + i throughout its hidden maps, and minus that in its cells; two levels."""
    values = start + torch.arange(batch, dtype=torch.float32)
    hidden = values[:, None, None, None].expand(batch, 2, 3, 3).clone()
    return Memory({3: (hidden, -hidden), 4: (10 * hidden, -10 * hidden)})


def targets(value: Memory, level: int = 3) -> list[float]:
    return value.levels[level][0][:, 0, 0, 0].tolist()


def equal(a: Memory, b: Memory) -> bool:
    pairs: list[tuple[Tensor, Tensor]] = [
        pair for level in a.levels for pair in zip(a.levels[level], b.levels[level], strict=True)
    ]
    return a.levels.keys() == b.levels.keys() and all(torch.equal(x, y) for x, y in pairs)


def test_selects_targets():
    assert targets(memory(4)[1:3]) == [1, 2]
    assert targets(memory(4)[[3, 0]], level=4) == [30, 0]
    assert targets(memory(4)[torch.tensor([True, False, False, True])]) == [0, 3]


def test_repeats_target_by_target():
    assert targets(memory(2).repeat(3)) == [0, 0, 0, 1, 1, 1]


def test_stack_undoes_selection():
    whole = memory(4)
    assert equal(Memory.stack([whole[:1], whole[1:3], whole[3:]]), whole)


def test_goes_to_tensors_and_back():
    value = memory(2)
    assert sorted(value.tensors()) == ["3.cell", "3.hidden", "4.cell", "4.hidden"]
    assert equal(Memory.from_tensors(value.tensors()), value)


def test_an_empty_memory_allows_all_of_it():
    """The variants without inter-frame attention have nothing to remember."""
    empty = Memory()
    assert empty[1:2] == empty.repeat(3) == Memory.stack([empty, empty]) == empty
    assert Memory.from_tensors(empty.tensors()) == empty


def test_what_the_box_head_saw_goes_along():
    template = torch.arange(4.0)[:, None, None, None].expand(4, 2, 7, 7).clone()
    own = template[:, :1].repeat(1, 4, 1, 1)[..., :1, :1]
    whole = replace(memory(4), template=template, recent=-template, own=own)
    stacked = Memory.stack([whole[:1], whole[1:]])
    assert stacked.template is not None
    assert torch.equal(stacked.template, template)
    assert stacked.own is not None
    assert torch.equal(stacked.own, own)
    assert stacked.recent is not None
    assert torch.equal(stacked.recent, -template)
    repeated = whole[[2, 0]].repeat(2)
    assert repeated.template is not None
    assert repeated.template[:, 0, 0, 0].tolist() == [2, 2, 0, 0]
    assert torch.equal(Memory.from_tensors(whole.tensors()).template, template)
    assert torch.equal(Memory.from_tensors(whole.tensors()).recent, -template)
    assert torch.equal(Memory.from_tensors(whole.tensors()).own, own)
    assert memory(4).template is None
    assert Memory.stack([memory(1), memory(1)]).template is None
