"""The loss: Eq. 8 on what the tracker itself would compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from training_data import MODEL

from rartrack.config import FilterConfig, ModelConfig
from rartrack.errors import InputError
from rartrack.filter.context import learn, respond, solve
from rartrack.filter.fourier import gaussian_label
from rartrack.network.rar import RAR
from rartrack.training.checks import check
from rartrack.training.clips import Clip
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.objective import BoxLoss, ClipLoss, _divergence, follows_another, objective, squared_error
from rartrack.training.optimizer import build_optimizer, freeze, set_modes

Changed = Callable[..., TrainingConfig]


def network(model: ModelConfig = MODEL) -> RAR:
    torch.manual_seed(0)
    made = RAR(model.network)
    with torch.no_grad():  # nothing neutral, as after training
        for parameter in made.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return made


def batch(config: TrainingConfig, count: int = 2) -> Batch:
    clips = ClipDataset(config)
    return Batch.stack([clips[index] for index in range(count)])


def test_a_filter_of_zero_has_the_loss_of_the_label_alone() -> None:
    sigma = 0.1 * 255 / 3 / 8
    label = gaussian_label(31, sigma, torch.tensor([[0.0, 0.0], [3.3, -5.1]]))
    loss = squared_error(torch.zeros_like(label), label)
    torch.testing.assert_close(loss, torch.full((2,), math.pi * sigma**2), rtol=1e-3, atol=0)
    assert abs(float(loss[0]) - 3.55) < 0.01


def test_the_response_is_the_trackers_for_a_pair(config: TrainingConfig) -> None:
    given, made = batch(config), network().eval()
    measure = ClipLoss(made, MODEL)
    response = measure.respond(measure.taps(given.crops))
    for index, crops in enumerate(given.crops):
        memory = made.initial_memory(1)
        features, after = made(crops[:5], memory.repeat(5))
        label = gaussian_label(7, 0.3 * 63 / 3 / 8)
        filter = solve(learn(features[None, 0], features[None, 1:], label, MODEL.filter), MODEL.filter)
        search, _ = made(crops[5:], after[:1])
        torch.testing.assert_close(response[index], respond(filter, search[None])[0, 0], rtol=1e-3, atol=1e-3)


def test_contexts_leave_nothing_in_the_memory(
    config: TrainingConfig, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = network().eval()
    crops = batch(changed(config, data={"exemplars": 3})).crops
    search: list[torch.Tensor] = []
    attend = made.attend

    def remember(taps: Any, memory: Any) -> Any:
        found = attend(taps, memory)
        search.append(found[0])
        return found

    monkeypatch.setattr(made, "attend", remember)
    measure = ClipLoss(made, MODEL)
    first = measure.respond(measure.taps(crops))
    contexts, template = crops.clone(), crops.clone()
    contexts[:, 1:5] = 0
    template[:, 0] = 0
    assert not torch.allclose(measure.respond(measure.taps(contexts)), first)  # the filter is another,
    torch.testing.assert_close(search[7], search[3])  # the search crop's features are the same,
    measure.respond(measure.taps(template))
    assert not torch.allclose(search[11], search[3])  # which the first exemplar's own crop would have changed.


def test_gradients_reach_every_trained_weight(config: TrainingConfig, changed: Changed) -> None:
    made = network()
    given = batch(changed(config, data={"exemplars": 2}))
    ClipLoss(made, MODEL)(given.crops, given.label).mean().backward()
    without = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_no_contexts_and_the_shared_form_train_too(config: TrainingConfig, changed: Changed) -> None:
    model = replace(MODEL, filter=FilterConfig(form="shared", contexts=0))
    given = batch(changed(config, model=model))
    assert given.crops.shape[1] == 2
    losses = ClipLoss(network(model), model)(given.crops, given.label)
    assert losses.shape == (2,)
    assert losses.isfinite().all()


def test_the_label_says_where_the_target_is_to_the_filter_too() -> None:
    """The same picture, moved by known cells: a filter that sees nothing but edges already has its peak there."""
    side, random = 255, np.random.default_rng(0)
    model = ModelConfig(network=replace(MODEL.network, input_size=side))
    wide = random.integers(0, 255, (40, 40, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    place = 70
    template = wide[place : place + side, place : place + side]
    # Content moves right and down by (16, 24) pixels: 2 and 3 cells.
    search = wide[place - 24 : place - 24 + side, place - 16 : place - 16 + side]
    contexts = np.zeros((1, 4, side, side, 3), np.uint8)
    given = Batch.stack([Clip(template[None], contexts, search, np.array([2.0, 3.0]), "moved")])
    with torch.no_grad():
        measure = ClipLoss(RAR(model.network).eval(), model)
        response = measure.respond(measure.taps(given.crops))[0]
    assert divmod(int(response.argmax()), 31) == (3, 2)


def test_one_clip_is_learned_to_almost_nothing(config: TrainingConfig, changed: Changed) -> None:
    config = changed(config, optimization={"optimizer": "adamw", "learning_rate": (1e-2, 1e-3)})
    given, made = batch(config, 1), network()
    optimizer = build_optimizer(made, config.optimization)
    set_modes(made, config.optimization, 6)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = ClipLoss(made, MODEL)(given.crops, given.label).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


BOXED = replace(MODEL, network=replace(MODEL.network, box_channels=8))
FITTING = 63 / 3 / 8
"""Cells a side of a target that fits the window of 63 pixels."""


class Said(BoxLoss):
    """A loss whose head says the same (4,) of every cell, and where the target is by log-odds (n, n)."""

    def __init__(self, boxes: torch.Tensor, odds: torch.Tensor) -> None:
        super().__init__(RAR(BOXED.network).eval(), BOXED)
        self.boxes, self.odds = boxes, odds

    def _maps(self, taps: Mapping[int, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, None]:
        count = len(next(iter(taps.values())))
        boxes = self.boxes[:, None, None].expand(count, 4, self.cells, self.cells)
        return boxes, self.odds.expand(count, -1, -1), None


def said(boxes: list[float], at: tuple[int, int] = (0, 0)) -> Said:
    """The target is at x, y cells from the middle of seven."""
    near = gaussian_label(7, 1.0, torch.tensor([at], dtype=torch.float32))[0].roll((3, 3), (0, 1))
    return Said(torch.tensor(boxes), near.clamp(1e-6, 1 - 1e-6).logit())


def test_boxes_that_are_right_lose_nothing_at_the_centre(config: TrainingConfig) -> None:
    given = batch(config, 1)
    label = torch.tensor([[0.0, 0.0, 1.0, FITTING * math.e**0.2, FITTING * math.e**-0.1]])
    measure = said([0.0, 0.0, 0.2, -0.1])
    taps = measure.taps(given.crops)
    right, hit = measure.judge(taps, label)
    assert hit.all()
    wrong, missed = said([0.0, 0.0, -0.3, 0.4]).judge(taps, label)
    assert not missed.any()
    # What is left is said by the cells around, from which the centre lies elsewhere.
    assert 0 < right.item() < 0.7 * wrong.item()
    assert torch.equal(measure(given.crops, label), right)


def test_the_classification_loses_nothing_where_the_target_is(config: TrainingConfig) -> None:
    given = batch(config, 1)
    label = torch.tensor([[2.0, -1.0, 1.0, FITTING, FITTING]])
    losses = [float(said([0.0] * 4, at)(given.crops, label)) for at in ((2, -1), (1, -1), (-2, 3))]
    assert losses == sorted(losses)
    boxes = said([0.0] * 4)
    boxes.odds = torch.full((7, 7), -30.0)  # it says nowhere
    assert float(boxes(given.crops, label)) > losses[0] + 1


def test_the_given_box_is_what_others_are_seen_relative_to(config: TrainingConfig) -> None:
    """A head that sees the same box in every crop, the template's too: nothing has changed."""
    given, made = batch(config, 2), RAR(BOXED.network).eval()
    assert made.box is not None
    with torch.no_grad():
        made.box.output.bias.copy_(torch.tensor([0.1, -0.2, 0.5, 0.3, 0.0]))
    measure = BoxLoss(made, BOXED)
    boxes, likely, others = measure._maps(measure.taps(given.crops))
    torch.testing.assert_close(boxes, torch.zeros(2, 4, 7, 7))
    assert likely.shape == (2, 7, 7)
    assert others is not None
    assert others.shape == (2, 7, 7)


def test_another_clips_target_is_nowhere(config: TrainingConfig) -> None:
    given, made = batch(config, 2), network(BOXED).eval()
    assert made.box is not None
    measure = BoxLoss(made, BOXED)
    loss = float(measure(given.crops, given.label).mean().detach())
    alone = sum(float(measure(given.crops[i : i + 1], given.label[i : i + 1]).detach()) for i in range(2)) / 2
    assert loss > alone


def test_the_same_target_in_another_clip_is_not_nowhere(config: TrainingConfig) -> None:
    given, made = batch(config, 2), network(BOXED).eval()
    measure = BoxLoss(made, BOXED)
    alone = [measure(given.crops[i : i + 1], given.label[i : i + 1]) for i in range(2)]
    same = measure(given.crops, given.label, None, torch.tensor([False, True]))
    torch.testing.assert_close(same[:1], alone[0])
    assert same[1] > alone[1]


def test_clips_of_one_target_are_known_by_their_names() -> None:
    names = ("v/a:0-3", "v/a:5-9", "w/a:0-3", "s/1#0:camera", "s/1#1:camera", "s/1#1:part", "v/a:1-2")
    assert follows_another(names).tolist() == [False, False, True, True, True, False, True]
    assert follows_another(("v/a:0-3",)).tolist() == [False]


def test_a_box_head_learns_to_see_boxes(config: TrainingConfig, changed: Changed) -> None:
    config = changed(config, model=BOXED, optimization={"learns": "box", "backbone_rate": 0.0})
    given, made = batch(config, 4), network(BOXED)
    freeze(made, config.optimization)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    measure = objective(made, config)
    assert isinstance(measure, BoxLoss)
    optimizer = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], lr=5e-3)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = measure(given.crops, given.label).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    changes = {name for name, value in made.state_dict().items() if not torch.equal(value, before[name])}
    assert changes
    assert all(name.startswith("box.") for name in changes)


def test_features_learn_without_the_box_head(config: TrainingConfig) -> None:
    made = network(BOXED)
    freeze(made, config.optimization)
    assert not any(p.requires_grad for name, p in made.named_parameters() if name.startswith("box."))
    assert any(p.requires_grad for p in made.parameters())


def test_a_box_head_needs_a_network_that_stays(config: TrainingConfig, changed: Changed) -> None:
    for model, rate in ((MODEL, 0.0), (BOXED, 1.0)):
        wrong = changed(config, model=model, optimization={"learns": "box", "backbone_rate": rate})
        with pytest.raises(InputError, match=r"set model\.network\.box_channels=64, optimization\.backbone_rate=0"):
            check(wrong, world=1)


def test_sizes_by_a_box_head_need_one(config: TrainingConfig, changed: Changed) -> None:
    tracking = replace(config.model.tracking, scale_search="box")
    with pytest.raises(InputError, match=r"model\.tracking\.scale_search: .* set model\.network\.box_channels=64"):
        check(changed(config, model=replace(config.model, tracking=tracking)), 1)


def test_a_box_head_does_not_learn_from_square_windows(config: TrainingConfig, changed: Changed) -> None:
    square = replace(BOXED, tracking=replace(BOXED.tracking, crop="square"))
    wrong = changed(config, model=square, optimization={"learns": "box", "backbone_rate": 0.0})
    with pytest.raises(InputError, match=r"model\.tracking\.crop: .* use stretch"):
        check(wrong, world=1)


def test_what_departs_from_probabilities_can_be_computed_on_a_gpu_in_16_bits() -> None:
    """Autocast there refuses some of torch's functions; asked of tensors without content, which need no GPU."""
    with FakeTensorMode():
        odds, likely = torch.empty(2, 225, device="cuda"), torch.empty(2, 225, device="cuda")
        torch.set_autocast_enabled("cuda", True)  # torch.autocast asks for a GPU
        try:
            assert _divergence(odds, likely).shape == (2,)
            with pytest.raises(RuntimeError, match="unsafe to autocast"):
                torch.nn.functional.binary_cross_entropy(likely, likely)
        finally:
            torch.set_autocast_enabled("cuda", False)


def test_nothing_departs_from_itself() -> None:
    likely = torch.tensor([[0.0, 1.0, 0.3, 0.9]])
    assert float(_divergence(likely.logit(1e-7), likely)) == pytest.approx(0, abs=1e-5)
    assert float(_divergence(torch.zeros(1, 4), likely)) > 1


def test_clips_are_not_cut_from_a_shared_context(config: TrainingConfig, changed: Changed) -> None:
    model = replace(config.model, tracking=replace(config.model.tracking, shared_context=True))
    with pytest.raises(InputError, match=r"model\.tracking\.shared_context: clips are cut without it"):
        check(changed(config, model=model), world=1)
