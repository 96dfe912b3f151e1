"""The box head: what it says of cells, what it keeps of the first crop, and that it leaves the features alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from rartrack.config import NetworkConfig
from rartrack.errors import InputError
from rartrack.network.box import BoxHead, boxes_at, resampled, widened
from rartrack.network.inference import prepare_for_inference
from rartrack.network.memory import Memory
from rartrack.network.packed import packed
from rartrack.network.rar import RAR

WIDTH = 12


def crops(count: int, side: int = 127) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)


@pytest.fixture
def network(small: Callable[..., NetworkConfig], perturb: Callable[[nn.Module], nn.Module]) -> RAR:
    return perturb(RAR(small(box_channels=WIDTH, levels=(3, 4)))).eval()  # type: ignore[return-value]


def test_it_says_nothing_changes_until_it_is_trained() -> None:
    head = BoxHead({3: 8, 4: 6}, WIDTH, 15)
    taps = {3: torch.randn(2, 8, 15, 15), 4: torch.randn(2, 6, 15, 15)}
    template = head.middle(head.features(taps))
    assert template.shape == (2, WIDTH, 7, 7)
    said = head.compared(head.features(taps), template)
    assert said.shape == (2, 5, 15, 15)
    assert not said[:, :4].any()
    assert (said[:, 4].sigmoid() < 0.02).all()


def test_an_even_number_of_cells_has_no_middle() -> None:
    with pytest.raises(InputError, match="16 x 16 have none"):
        BoxHead({4: 8}, 16, 16)


def test_the_template_is_the_middle_of_the_features() -> None:
    head = BoxHead({3: 8}, WIDTH, 31)
    taps = {3: torch.randn(1, 8, 31, 31)}
    assert head.side == 15
    features = head.features(taps)
    torch.testing.assert_close(head.middle(features), features[:, :, 8:23, 8:23])


def test_a_comparison_is_resampled_to_more_cells() -> None:
    weight = torch.randn(WIDTH, WIDTH + 49, 3, 3)
    torch.testing.assert_close(resampled(weight, 7), weight)
    more = resampled(weight, 15)
    assert more.shape == (WIDTH, WIDTH + 225, 3, 3)
    torch.testing.assert_close(more[:, :WIDTH], weight[:, :WIDTH])
    # At the corners and in the middle of both templates are the same places, one of 4.6 each.
    before, after = weight[:, WIDTH:].unflatten(1, (7, 7)), more[:, WIDTH:].unflatten(1, (15, 15))
    torch.testing.assert_close(after[:, ::7, ::7], before[:, ::3, ::3] * 49 / 225)


def test_a_widened_head_says_the_same_and_can_learn_more() -> None:
    taps = {3: torch.randn(2, 8, 15, 15), 4: torch.randn(2, 6, 15, 15)}
    small, wide = BoxHead({3: 8, 4: 6}, WIDTH, 15).eval(), BoxHead({3: 8, 4: 6}, 2 * WIDTH, 15).eval()
    for values in small.parameters():
        nn.init.normal_(values, std=0.1)
    wide.load_state_dict(widened(small.state_dict(), wide))
    before, after = (head.compared(head.features(taps), head.middle(head.features(taps))) for head in (small, wide))
    torch.testing.assert_close(after, before)
    # What reads the new channels learns first, and what makes them once they are read.
    learn = torch.optim.SGD(wide.parameters(), lr=1e-4)
    for _ in range(3):
        learn.zero_grad()
        wide.compared(wide.features(taps), wide.middle(wide.features(taps))).square().sum().backward()
        learn.step()
    assert all(values.grad is not None and values.grad[WIDTH:].any() for values in wide.neck.parameters())


def test_what_is_said_follows_a_shift_of_the_crop(network: RAR) -> None:
    head = network.box
    assert head is not None
    taps = {level: torch.randn(1, channels, 15, 15) for level, channels in network.backbone.channels.items()}
    features = head.features(taps)
    moved = {level: tap.roll((2, -1), (2, 3)) for level, tap in taps.items()}
    still, shifted = (head.compared(each, head.middle(features)) for each in (features, head.features(moved)))
    inner = slice(6, 9)  # away from the borders, which see other cells
    torch.testing.assert_close(shifted[..., 8:9, 5:8], still[..., 6:7, inner], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -3.0), (1.25, 0.5)])
def test_maps_are_read_between_cells(shift: tuple[float, float]) -> None:
    line = torch.arange(15.0) - 7
    x, y = line[None].expand(15, 15), line[:, None].expand(15, 15)
    maps = torch.stack([x, y, 2 * x - y, x + y])[None]  # linear, so that bilinear is exact
    found = boxes_at(maps, torch.tensor([shift]))
    expected = torch.tensor([[shift[0], shift[1], 2 * shift[0] - shift[1], sum(shift)]])
    torch.testing.assert_close(found, expected)


def test_beyond_the_border_the_outermost_cell_counts() -> None:
    maps = torch.arange(225.0).reshape(1, 1, 15, 15).expand(1, 4, 15, 15)
    torch.testing.assert_close(boxes_at(maps, torch.tensor([[9.0, 9.0]])), torch.full((1, 4), 224.0))


def test_the_network_makes_its_template_once(network: RAR) -> None:
    given = crops(2)
    _, first = network(given, network.initial_memory(2))
    assert first.template is not None
    _, later = network(crops(2), first)
    assert later.template is first.template
    *_, boxes = network.look(given, network.initial_memory(2))
    assert boxes is None
    *_, boxes = network.look(given, first)
    assert boxes is not None
    assert boxes.shape == (2, 5, 15, 15)
    assert first.own is not None
    torch.testing.assert_close(first.own[..., 0, 0], boxes[:, :4, 7, 7])
    assert later.own is first.own


def test_it_keeps_what_it_saw_last_too_and_the_more_likely_of_both_counts(network: RAR) -> None:
    head = network.box
    assert head is not None
    given, later, search = crops(2), crops(2), crops(2)
    _, first = network(given, network.initial_memory(2))
    assert torch.equal(first.recent, first.template)  # type: ignore[arg-type]
    _, memory = network(later, first)
    given, later, seen = (head.features(network.taps(each)) for each in (given, later, search))
    by_first, by_last = (head.compared(seen, head.middle(each)) for each in (given, later))
    *_, maps = network.look(search, memory)
    assert maps is not None
    torch.testing.assert_close(maps[:, :4], by_first[:, :4])
    torch.testing.assert_close(maps[:, 4], torch.maximum(by_first[:, 4], by_last[:, 4]))
    assert (by_first[:, 4] > by_last[:, 4]).any()
    assert (by_first[:, 4] < by_last[:, 4]).any()


def test_features_and_memory_are_the_same_with_and_without_a_head(network: RAR) -> None:
    plain = RAR(replace(network.config, box_channels=0)).eval()
    weights = {name: value for name, value in network.state_dict().items() if not name.startswith("box.")}
    plain.load_state_dict(weights)
    given = crops(1)
    one, two = network(given, network.initial_memory(1)), plain(given, plain.initial_memory(1))
    assert torch.equal(one[0], two[0])
    assert one[1].levels.keys() == two[1].levels.keys()
    assert two[1].template is None


def test_prepared_and_packed_it_says_the_same(network: RAR) -> None:
    prepared = prepare_for_inference(network)
    memory = network(crops(1), network.initial_memory(1))[1]
    given = crops(1)
    *_, expected = network.look(given, memory)
    for other in (prepared, packed(prepared)):
        *_, found = other.look(given, memory)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.detach().abs().max()))


def test_levels_the_features_do_without_stay_for_the_head(small: Callable[..., NetworkConfig]) -> None:
    network = RAR(small(box_channels=WIDTH, levels=(3, 4))).eval()
    count = network.refinement.output.out_channels
    network.refinement.set_projection({3: torch.randn(count, network.backbone.channels[3])})
    prepared = prepare_for_inference(network)
    assert prepared.taps(crops(1)).keys() == {3, 4}
    features, memory, boxes = prepared.look(crops(1), Memory())
    assert features.shape[1] == count
    assert memory.template is not None
    assert boxes is None
