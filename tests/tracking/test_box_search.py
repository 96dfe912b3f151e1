"""The box head in the online loop: what it changes, what it weighs, and that it belongs to each target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from rartrack.errors import InputError
from rartrack.tracking.state import TrackerState
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]


def test_the_box_head_changes_width_and_height_apart(small_tracker: Make, scene) -> None:
    tracker = small_tracker(scale_search="box", box_rate=0.5, box_centre=0.0, uncertain_below=0.0)
    network = tracker.model.network
    torch.nn.init.zeros_(network.box.output.weight)
    with torch.no_grad():
        network.box.output.bias.copy_(torch.tensor([0.0, 0.0, 0.2, -0.1, 0.0]))
    tracker.init(scene.frame(0), {"a": scene.box(0), "b": (150.0, 20.0, 20.0, 40.0)})
    state = tracker.state
    found = tracker.update(scene.frame(0))
    for name, size in {"a": (30, 30), "b": (20, 40)}.items():  # what it says of the given box itself counts as right
        assert_allclose(found[name].box[2:], size, rtol=1e-4)
    tracker.state = replace(state, memory=replace(state.memory, own=torch.zeros(2, 4, 1, 1)))
    found = tracker.update(scene.frame(0))
    for name, (width, height) in {"a": (30, 30), "b": (20, 40)}.items():
        assert_allclose(found[name].box[2:], [width * np.exp(0.1), height * np.exp(-0.05)], rtol=1e-4)


def test_the_classification_says_which_of_two_peaks_it_is(small_tracker: Make, scene) -> None:
    """Two look-alikes: where the head thinks one unlikely the other is taken, and the score stays the filter's."""

    def found(power: float, unlikely: str) -> tuple[float, float]:
        tracker = small_tracker(scale_search="box", classification=power, box_rate=0.0, box_centre=0.0)
        tracker.init(scene.frame(0), scene.box(0))
        maps = torch.zeros(1, 5, tracker.model.cells, tracker.model.cells)
        half = tracker.model.cells // 2
        if unlikely == "right":
            maps[:, 4, :, half:] = -9.0
        else:
            maps[:, 4, :, : half + 1] = -9.0
        tracker.model.network.boxes = lambda *_: maps
        frame = scene.background.copy()
        x, side = 40, scene.side
        for left in (x - 18, x + 18):
            frame[60 : 60 + side, left : left + side] = scene.patch
        result = tracker.update(frame)
        return result.box.x - x, result.score

    by_filter = found(0.0, "right")
    left, right = found(1.0, "right"), found(1.0, "left")
    assert left[0] < -5 < 5 < right[0]
    # Neither probability, 1 / 2 or 1e-4 beside it, is in the score.
    assert max(left[1], right[1]) == pytest.approx(by_filter[1], rel=0.2)


def test_a_score_falls_with_the_heads_doubt_and_then_nothing_is_learned(small_tracker: Make, scene) -> None:
    """A probability of 0.05 under 0.2 leaves a quarter of what the filter found; one of 0.3 leaves it all."""

    def after(probability: float, doubted_below: float) -> tuple[float, Tracker]:
        tracker = small_tracker(scale_search="box", box_rate=0.0, box_centre=0.0, doubted_below=doubted_below)
        tracker.init(scene.frame(0), scene.box(0))
        maps = torch.zeros(1, 5, tracker.model.cells, tracker.model.cells)
        maps[:, 4] = float(np.log(probability / (1 - probability)))
        tracker.model.network.boxes = lambda *_: maps
        return tracker.update(scene.frame(1)).score, tracker

    believed, tracker = after(0.05, 0.0)
    first = tracker.state.memory
    assert believed > 0.4
    assert not torch.equal(first.recent, first.template)  # type: ignore[arg-type]
    doubted, tracker = after(0.05, 0.2)
    assert doubted == pytest.approx(believed / 4, rel=1e-4)
    assert torch.equal(tracker.state.memory.recent, tracker.state.memory.template)  # type: ignore[arg-type]
    assert after(0.3, 0.2)[0] == believed


@pytest.mark.parametrize("parts", [slice(None), slice(4), slice(4, 5)], ids=["all", "boxes", "classification"])
def test_a_frame_in_which_the_head_says_no_number_does_no_harm(small_tracker: Make, scene, parts: slice) -> None:
    tracker = small_tracker(scale_search="box", classification=0.5)
    tracker.init(scene.frame(0), scene.box(0))
    network = tracker.model.network
    maps = torch.zeros(1, 5, tracker.model.cells, tracker.model.cells)
    maps[:, parts] = torch.nan
    network.boxes = lambda *_: maps
    tracker.update(scene.frame(0))
    assert np.isfinite([tracker.state.centre, tracker.state.size, tracker.state.hint]).all()
    network.boxes = lambda *_: torch.zeros_like(maps)
    assert tracker.update(scene.frame(0)).score > 0.5


def test_targets_with_boxes_in_one_batch_are_as_on_their_own(small_tracker: Make, scene, tmp_path: Path) -> None:
    boxes = {"a": scene.box(0), "b": (150.0, 20.0, 30.0, 30.0)}
    together = small_tracker(scale_search="box", look_again_below=1.0)
    together.init(scene.frame(0), boxes)
    found = [together.update(scene.frame(index)) for index in (1, 2)]
    for name, box in boxes.items():
        alone = small_tracker(scale_search="box", look_again_below=1.0)
        alone.init(scene.frame(0), box)
        alone.update(scene.frame(1))
        alone.state.save(tmp_path / name)
        other = small_tracker(scale_search="box", look_again_below=1.0)
        other.state = TrackerState.load(tmp_path / name)
        assert_allclose(other.update(scene.frame(2)).box, found[1][name].box, atol=1e-3)


def test_a_state_with_and_one_without_a_template_are_not_each_others(small_tracker: Make, scene) -> None:
    plain, boxed = small_tracker(), small_tracker(scale_search="box")
    for tracker in (plain, boxed):
        tracker.init(scene.frame(0), scene.box(0))
    state = boxed.state
    wider = replace(state, memory=replace(state.memory, template=state.memory.template.repeat(1, 2, 1, 1)))
    for one, other in ((plain, state), (boxed, plain.state), (boxed, wider)):
        with pytest.raises(InputError, match="another model's"):
            one.state = other
    with pytest.raises(InputError, match="different models cannot be stacked"):
        TrackerState.stack([state, plain.state])


def test_a_network_without_a_box_head_cannot_be_asked_for_boxes(small_tracker: Make) -> None:
    tracker = small_tracker()
    tracking = replace(tracker.config.tracking, scale_search="box")
    with pytest.raises(InputError, match="no box head; use pyramid"):
        Tracker(tracker.model.network, replace(tracker.config, tracking=tracking))


def test_boxes_are_not_read_in_square_windows(small_tracker: Make) -> None:
    with pytest.raises(InputError, match="use stretch"):
        small_tracker(scale_search="box", crop="square")
