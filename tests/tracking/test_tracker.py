"""The online loop: what it follows, what it remembers, what it refuses."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from rartrack.boxes import iou
from rartrack.errors import InputError
from rartrack.results import Status
from rartrack.tracking import model
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]


def test_it_follows_a_moving_square(small_tracker: Make, scene) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), scene.box(0))
    for index in range(1, 12):
        result = tracker.update(scene.frame(index))
    assert iou(result.box, scene.box(11)) > 0.6
    assert result.status is Status.TRACKED
    assert 0 <= result.score <= 1


def test_a_second_look_finds_a_target_that_jumps_by_its_size(small_tracker: Make, scene) -> None:
    jump = scene.side // 2  # each frame of the scene moves it by two pixels
    found = []
    for below in (0.0, 1.0):
        tracker = small_tracker(scales=1, look_again_below=below)
        tracker.init(scene.frame(0), scene.box(0))
        found.append(iou(tracker.update(scene.frame(jump)).box, scene.box(jump)))
    assert found[0] < 0.5 < 0.7 < found[1]


def test_a_second_look_of_one_target_leaves_the_others_alone(small_tracker: Make, scene) -> None:
    other = (150.0, 90.0, 24.0, 20.0)
    jump = scene.side // 2
    alone = small_tracker(scales=1)
    alone.init(scene.frame(0), other)
    expected = alone.update(scene.frame(jump))
    both = small_tracker(scales=1, look_again_below=expected.score * 0.99)
    both.init(scene.frame(0), {"jumps": scene.box(0), "stays": other})
    found = both.update(scene.frame(jump))
    assert_allclose(found["stays"].box, expected.box, atol=1e-3)


def test_a_last_look_is_only_taken_where_a_second_sees_no_more(small_tracker: Make, scene, monkeypatch) -> None:
    def windows(again: float, enough: float) -> list[int]:
        tracker = small_tracker(scales=1, look_again_below=again, uncertain_below=enough, update_interval=9)
        tracker.init(scene.frame(0), scene.box(0))
        counts, cut = [], tracker.model.search_crops
        monkeypatch.setattr(tracker.model, "search_crops", lambda *a: counts.append(len(a[1])) or cut(*a))
        scores.append(tracker.update(scene.frame(jump)).score)
        return counts

    jump, scores = 5, []  # far enough to be faded by the window, and still in it
    assert windows(0.0, 1.0) == [1]
    assert windows(1.0, 0.0) == [1, 1]
    assert scores[0] < scores[1]
    assert windows(1.0, (scores[0] + scores[1]) / 2) == [1, 1]
    assert windows(1.0, (scores[1] + 1) / 2) == [1, 1, 8]


def test_what_a_last_look_finds_is_learned_once_the_next_frame_sees_it(small_tracker: Make, scene) -> None:
    tracker = small_tracker(scales=1, look_again_below=1.0, uncertain_below=0.4)
    tracker.init(scene.frame(0), scene.box(0))
    jump, first = scene.side // 2, tracker.state.statistics
    found = tracker.update(scene.frame(jump))
    assert iou(found.box, scene.box(jump)) > 0.9
    assert found.status is Status.UNCERTAIN
    assert 0.39 < found.score < 0.4
    assert torch.equal(tracker.state.statistics.cross, first.cross)
    confirmed = tracker.update(scene.frame(jump))
    assert confirmed.status is Status.TRACKED
    assert confirmed.score > found.score
    assert not torch.equal(tracker.state.statistics.cross, first.cross)
    # Where what is seen at all is enough to learn from, there is no score between: it is learned at once.
    tracker = small_tracker(scales=1, look_again_below=1.0, uncertain_below=0.4, lost_below=0.4)
    tracker.init(scene.frame(0), scene.box(0))
    found = tracker.update(scene.frame(jump))
    assert iou(found.box, scene.box(jump)) > 0.9
    assert found.status is Status.TRACKED


def test_what_is_not_seen_stays_where_it_was(small_tracker: Make, scene) -> None:
    for below, moves in ((0.0, True), (1.0, False)):
        tracker = small_tracker(scales=1, lost_below=below)
        tracker.init(scene.frame(0), scene.box(0))
        result = tracker.update(scene.frame(3))
        assert result.score < 1
        assert (abs(result.box.x - scene.box(0)[0]) > 1) is moves
        assert tracker.state.unseen == (not moves)


def test_the_first_frame_finds_the_given_box_again(small_tracker: Make, scene) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), scene.box(0))
    result = tracker.update(scene.frame(0))
    assert_allclose(result.box, scene.box(0), atol=0.2)
    assert result.score > 0.9


@pytest.mark.parametrize(
    ("several", "kind"),
    [
        (list, list),
        (tuple, list),
        (np.array, list),
        (torch.tensor, list),
        (lambda boxes: tuple(map(np.array, boxes)), list),
        (lambda boxes: [torch.tensor(box) for box in boxes], list),
        (lambda boxes: [",".join(map(str, box)) for box in boxes], list),
        (lambda boxes: dict(zip("ab", boxes, strict=False)), dict),
    ],
    ids=["list", "tuple", "array", "tensor", "tuple of arrays", "list of tensors", "texts", "mapping"],
)
def test_results_of_several_come_back_as_the_boxes_were_given(small_tracker: Make, scene, several, kind) -> None:
    tracker, frame = small_tracker(scales=1), scene.frame(0)
    for boxes in ([scene.box(0)], [scene.box(0), (100.0, 80.0, 20.0, 20.0)]):
        tracker.init(frame, several(boxes))
        found = tracker.given()
        assert type(found) is type(tracker.update(frame)) is kind
        assert [tuple(result.box) for result in (found.values() if kind is dict else found)] == boxes


@pytest.mark.parametrize("one", [tuple, list, np.array, torch.tensor, lambda box: ",".join(map(str, box))])
def test_the_result_of_one_box_is_one(small_tracker: Make, scene, one) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), one(scene.box(0)))
    assert tracker.given().box == scene.box(0)
    assert tracker.given().score == 1
    assert type(tracker.update(scene.frame(0))) is type(tracker.given())


def test_two_runs_are_equal(small_tracker: Make, scene) -> None:
    states = []
    for _ in range(2):
        tracker = small_tracker()
        tracker.init(scene.frame(0), scene.box(0))
        for index in range(1, 5):
            tracker.update(scene.frame(index))
        states.append(tracker.state)
    assert states[0] == states[1]


def test_a_batch_of_targets_equals_single_targets(small_tracker: Make, scene) -> None:
    boxes = {"square": scene.box(0), "ground": (120.0, 40.0, 40.0, 30.0), "edge": (-10.0, 100.0, 30.0, 50.0)}
    together = small_tracker()
    together.init(scene.frame(0), boxes)
    alone = {name: small_tracker() for name in boxes}
    for name, tracker in alone.items():
        tracker.init(scene.frame(0), boxes[name])
    for index in range(1, 4):
        results = together.update(scene.frame(index))
        for name, tracker in alone.items():
            single = tracker.update(scene.frame(index))
            assert_allclose(results[name].box, single.box, atol=1e-3)
            assert_allclose(results[name].score, single.score, atol=1e-4)


def test_searching_leaves_no_trace(small_tracker: Make, scene) -> None:
    """Scales and contexts read the memory and never commit (SPEC Sec. 7): only the template step changes it."""
    tracker = small_tracker(update_interval=10)
    tracker.init(scene.frame(0), scene.box(0))
    learned = tracker.state
    for index in range(1, 5):
        tracker.update(scene.frame(index))
    assert torch.equal(tracker.state.filter, learned.filter)
    for name, value in learned.memory.tensors().items():
        assert torch.equal(tracker.state.memory.tensors()[name], value)


def test_the_memory_comes_from_the_template_alone(small_tracker: Make, scene) -> None:
    """With and without contexts, the memory after the template step is the same."""
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    model, state = tracker.model, tracker.state
    with torch.inference_mode():
        (template,) = model.passes(model.search_crops(scene.frame(0), state.centre, state.size))
        _, alone = template(model.network.initial_memory(1))
    for name, value in state.memory.tensors().items():
        assert_allclose(value.numpy(), alone.tensors()[name].numpy(), atol=1e-5)


def test_shared_contexts_want_windows_of_the_targets_aspect(small_tracker: Make) -> None:
    with pytest.raises(InputError, match="contexts lie in the shared crop where windows have the target's aspect"):
        small_tracker(shared_context=True, crop="square")


def test_shared_contexts_are_nearly_those_of_their_own_crops(small_tracker: Make, scene) -> None:
    filters, memories = [], []
    for shared in (False, True):
        tracker = small_tracker(shared_context=shared)
        tracker.init(scene.frame(0), {"a": scene.box(0), "b": (100.0, 70.0, 40.0, 30.0)})
        filters.append(tracker.state.filter)
        memories.append(tracker.state.memory)
        result = tracker.update(scene.frame(0))["a"]
        assert_allclose(result.box, scene.box(0), atol=1.5)
    assert len(memories[1].levels[3][0]) == 2
    inner = slice(4, -4)  # away from the border, where the crops' padding differs
    own, cut = (memory.levels[3][0][..., inner, inner] for memory in memories)
    assert (own - cut).norm() < 0.2 * own.norm()
    assert not torch.equal(*filters)


def test_dssts_scale_filter_follows_a_target_that_grows(small_tracker: Make, scene) -> None:
    tracker = small_tracker(scale_search="dsst")

    def frame(side: int) -> np.ndarray:
        image = scene.background.copy()
        patch = cv2.resize(scene.patch, (side, side), interpolation=cv2.INTER_LINEAR)
        image[90 - side // 2 : 90 - side // 2 + side, 120 - side // 2 : 120 - side // 2 + side] = patch
        return image

    tracker.init(frame(40), (100, 70, 40, 40))
    for side in range(40, 61):
        result = tracker.update(frame(side))
    assert result.box.w == pytest.approx(60, rel=0.15)
    assert len(tracker.state.scale) == 1


def test_nothing_is_learned_while_uncertain(small_tracker: Make, scene) -> None:
    tracker = small_tracker(uncertain_below=1.1)
    tracker.init(scene.frame(0), scene.box(0))
    before = tracker.state
    result = tracker.update(scene.frame(1))
    assert result.status is Status.UNCERTAIN
    assert tracker.state.filter is before.filter
    assert tracker.state.memory is before.memory


def test_one_target_learns_while_another_does_not(small_tracker: Make, scene) -> None:
    tracker = small_tracker(uncertain_below=0.3, lost_below=0.0)
    tracker.init(scene.frame(0), {"gone": scene.box(0), "stays": (150.0, 20.0, 30.0, 30.0)})
    before = tracker.state
    results = tracker.update(scene.frame(0, hidden=True))
    assert [results[name].status for name in ("gone", "stays")] == [Status.UNCERTAIN, Status.TRACKED]
    assert torch.equal(tracker.state.filter[0], before.filter[0])
    assert not torch.equal(tracker.state.filter[1], before.filter[1])


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_the_score_is_the_responses_height_however_far_away(small_tracker: Make, scene, weight: float) -> None:
    seen = []
    for window in (0.0, weight):
        tracker = small_tracker(scales=1, displacement_window=window)
        tracker.init(scene.frame(0), scene.box(0))
        model, state = tracker.model, tracker.state
        with torch.inference_mode():
            (search,) = model.passes(model.search_crops(scene.frame(8), state.centre, state.size))
            seen.append(model.search(search, state.filter, state.memory))
    plain, near = seen
    assert np.hypot(*plain.shift[0]) > 2
    assert near.rank[0] < 0.9 * near.peak[0]
    assert near.peak[0] == pytest.approx(plain.peak[0], rel=0.02)


def test_a_displacement_of_no_weight_has_a_finite_score(small_tracker: Make, scene) -> None:
    tracker = small_tracker(displacement_window=1.0)
    tracker.init(scene.frame(0), scene.box(0))
    assert 0 < tracker.model.prior.min() < tracker.model.prior.max() == 1


@pytest.mark.slow
def test_memory_is_constant_over_two_thousand_frames(small_tracker: Make, scene) -> None:
    tracker = small_tracker(scales=1, update_interval=5)
    tracker.init(scene.frame(0), scene.box(0))
    frame = scene.frame(0)
    tracemalloc.start()
    for _ in range(1500):  # what torch and Python keep for later fills slowly
        tracker.update(frame)
    gc.collect()  # Python keeps some thousand freed tuples for later, which a full collection gives back
    start = tracemalloc.get_traced_memory()[0]
    bytes_of_state = sum(tensor.nbytes for tensor in tracker.state.parts().values())
    for _ in range(2000):
        tracker.update(frame)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    assert grown < 50_000
    assert sum(tensor.nbytes for tensor in tracker.state.parts().values()) == bytes_of_state


def test_a_target_that_leaves_the_picture(small_tracker: Make, scene) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), (-15.0, 100.0, 30.0, 30.0))
    for _ in range(3):
        result = tracker.update(scene.frame(0, hidden=True))
    assert np.isfinite(result.box).all()
    assert -30 <= result.box.x <= 240


def test_a_box_whose_centre_is_outside_the_picture_is_found_where_it_was(small_tracker: Make, scene) -> None:
    tracker, box = small_tracker(scales=1), (-30.0, 60.0, 50.0, 40.0)
    tracker.init(scene.frame(0), box)
    assert_allclose(tracker.update(scene.frame(0)).box, box, atol=1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (6000, 8000)])
def test_frames_of_any_size(small_tracker: Make, shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    tracker = small_tracker()
    tracker.init(frame, (0, 0, shape[1], shape[0]))
    assert np.isfinite(tracker.update(frame).box).all()


def test_a_frame_that_is_a_view_is_copied_once(small_tracker: Make, scene, monkeypatch: pytest.MonkeyPatch) -> None:
    cut, frames, results = model.cut, [], []
    monkeypatch.setattr(model, "cut", lambda frame, *window: frames.append(frame) or cut(frame, *window))
    for view in (lambda frame: frame, lambda frame: frame[..., ::-1].copy()[..., ::-1]):
        tracker = small_tracker(look_again_below=1.1)
        tracker.init(view(scene.frame(0)), scene.box(0))
        results.append(tracker.update(view(scene.frame(1))))
    assert results[0] == results[1]
    assert len(frames) > 2 * 3
    assert all(frame.flags.c_contiguous for frame in frames)


def test_a_blank_frame_gives_a_finite_answer(small_tracker: Make) -> None:
    blank = np.full((60, 80, 3), 128, dtype=np.uint8)
    tracker = small_tracker()
    tracker.init(blank, (20, 20, 20, 20))
    assert np.isfinite(tracker.update(blank).box).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((10, 10), np.uint8), "RGB uint8"),
        (np.zeros((10, 10, 4), np.uint8), "RGB uint8"),
        (np.zeros((10, 10, 3), np.float32), "float32"),
        (np.zeros((0, 10, 3), np.uint8), "empty"),
        ("frame.png", "str"),
    ],
)
def test_frames_that_are_refused(small_tracker: Make, frame: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_tracker().init(frame, (1, 1, 5, 5))


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ((300, 10, 20, 20), "outside the frame"),
        ((10, 10, 0, 20), "above 0"),
        ((10, 10, float("nan"), 20), "finite"),
        ((10, 10, 20), "3 numbers"),
        ("a,b,c,d", "four numbers"),
        ([], "no box"),
        ({}, "no box"),
        (np.empty((0, 4)), "no box"),
        ({"a": (10, 10, 20, 20), "b": (1, 1, -5, 5)}, "target 'b': box 1,1,-5,5: .* above 0"),
        ([(10, 10, 20, 20), (300, 10, 20, 20)], "target '2': box 300,10,20,20: outside"),
        ([(10, 10, 20, 20), 5], "target '2': box 5: expected four numbers"),
        ({1: (10, 10, 20, 20), "1": (40, 40, 20, 20)}, "target 1: a name must be text, such as '1'"),
        ({None: (10, 10, 20, 20)}, "target None: a name must be text"),
    ],
)
def test_boxes_that_are_refused(small_tracker: Make, scene, boxes: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_tracker().init(scene.frame(0), boxes)


def test_frames_of_another_size_than_the_first_are_refused(small_tracker: Make, scene) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    with pytest.raises(InputError, match="frame: 200x180 pixels, but the tracker was started on 240x180; resize"):
        tracker.update(scene.frame(0)[:, :200])
    tracker.state = replace(tracker.state, frame_size=None)
    tracker.update(scene.frame(0)[:, :200])


def test_update_before_init_is_refused(small_tracker: Make, scene) -> None:
    with pytest.raises(InputError, match="call init"):
        small_tracker().update(scene.frame(0))
