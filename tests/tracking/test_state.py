"""What a tracker remembers, as a value: kept, saved, restored, selected, stacked, refused."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import save_file

from rartrack.boxes import iou
from rartrack.errors import InputError
from rartrack.network.memory import Memory
from rartrack.tracking import state_file
from rartrack.tracking.load import pick_device
from rartrack.tracking.state import TrackerState
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]
BOX, OTHER = (40.0, 60.0, 30.0, 30.0), (120.0, 40.0, 40.0, 30.0)


@pytest.mark.parametrize("camera", [0.0, 1.0])
def test_saved_and_restored_in_the_middle_equals_uninterrupted(
    small_tracker: Make, scene, tmp_path: Path, camera: float
) -> None:
    one = small_tracker(camera_below=camera)
    one.init(scene.frame(0), {"a": scene.box(0), "b": (120, 40, 40, 30)})
    for index in range(1, 4):
        one.update(scene.frame(index))
    one.state.save(tmp_path / "state.safetensors")
    other = small_tracker(camera_below=camera)
    other.state = TrackerState.load(tmp_path / "state.safetensors")
    assert (other.state.thumbnail is not None) == bool(camera)
    for index in range(4, 8):
        assert one.update(scene.frame(index)) == other.update(scene.frame(index))
    assert one.state == other.state


@pytest.mark.parametrize("delayed", [False, True])
def test_a_state_may_be_saved_at_once_and_comes_back_equal(
    small_tracker: Make, scene, tmp_path: Path, delayed: bool
) -> None:
    tracker = small_tracker(delayed_update=delayed)
    tracker.init(scene.frame(0), scene.box(0))
    first = tracker.state
    tracker.update(scene.frame(1))
    for state in (first, tracker.state):
        state.save(tmp_path / "state")
        assert TrackerState.load(tmp_path / "state") == state
    assert first != tracker.state
    assert first != replace(first, hint=first.hint + 1)
    assert first != "state"


def test_a_kept_state_is_not_changed_by_tracking_on(small_tracker: Make, scene) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    kept = tracker.state
    before = [tensor.clone() for tensor in kept.parts().values()]
    first = tracker.update(scene.frame(1))
    assert all(torch.equal(x, y) for x, y in zip(before, kept.parts().values(), strict=True))
    tracker.state = kept
    assert tracker.update(scene.frame(1)) == first


def test_a_state_goes_to_a_network_of_another_precision(small_tracker: Make, scene) -> None:
    tracker, other = (small_tracker(scale_search="box") for _ in range(2))
    other.model.network.double()
    tracker.init(scene.frame(0), scene.box(0))
    other.state = tracker.state
    assert_allclose(other.update(scene.frame(1)).box, tracker.update(scene.frame(1)).box, atol=1e-3)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tracker: pickle.loads(pickle.dumps(tracker))])
def test_a_copied_tracker_goes_on_as_the_first_does(small_tracker: Make, scene, copied) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), {"a": scene.box(0)})
    tracker.update(scene.frame(1))
    other = copied(tracker)
    assert other.state == tracker.state
    assert other.update(scene.frame(2)) == tracker.update(scene.frame(2))


def test_states_stack_and_select(small_tracker: Make, scene) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), {"a": scene.box(0), "b": (120, 40, 40, 30)})
    state = tracker.state
    assert TrackerState.stack([state.select([0]), state.select([1])]) == state
    assert state.select([0]) != state
    assert state.select([1, 0]).names == state.select(torch.tensor([1, 0])).names == ("b", "a")
    assert state.select([1]).form == "mapping"
    one, listed = replace(state.select([0]), form="one"), replace(state.select([1]), form="list")
    assert [TrackerState.stack(parts).form for parts in ([one], [listed], [one, listed])] == ["one", "list", "list"]
    assert TrackerState.stack([one, one, listed]).names == ("1", "2", "3")
    assert TrackerState.stack([one, state.select([1])]).form == "mapping"
    elsewhere = state.select([0]).to("meta")
    stacked = TrackerState.stack([elsewhere, state.select([1])])
    assert {part.device.type for part in (stacked.filter, stacked.statistics.gram)} == {"meta"}
    for wrong in ([], [2], [-1], [0, 0], [True, 1], [False, False], [0.0], [np.float64(1)], 2, None, [[0]], ["a", 0]):
        with pytest.raises(InputError, match="give different positions from 0 to 1, or names of targets, at least one"):
            state.select(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="comes twice"):
        TrackerState.stack([state, state])
    larger = replace(state, names=("c", "d"), frame_size=(300, 200))
    assert TrackerState.stack([replace(state, frame_size=None), larger]).frame_size == (300, 200)
    with pytest.raises(InputError, match="different sizes"):
        TrackerState.stack([state, larger])
    with pytest.raises(InputError, match="no states"):
        TrackerState.stack([])
    for wrong in (None, 1, []):
        with pytest.raises(InputError, match="expected TrackerStates, got"):
            TrackerState.stack([wrong])  # type: ignore[list-item]
    assert TrackerState.stack(state.select(place) for place in (0, 1)) == state
    for wrong in (state, None):
        with pytest.raises(InputError, match=r"expected a list of TrackerStates, got (TrackerState|NoneType)$"):
            TrackerState.stack(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("cup", ["cup"]),
        (["plate", "cup"], ["plate", "cup"]),
        (np.array(["cup", "plate"]), ["cup", "plate"]),
        (np.int64(1), ["spoon"]),
        ([np.int64(2), 0], ["plate", "cup"]),
        (np.array([2, 1]), ["plate", "spoon"]),
        (np.array([True, False, True]), ["cup", "plate"]),
        (torch.tensor([False, False, True]), ["plate"]),
        ([False, True, np.True_], ["spoon", "plate"]),
        ((place for place in (1, 2)), ["spoon", "plate"]),
    ],
)
def test_targets_are_selected_by_name_position_or_mask(small_tracker: Make, scene, targets, expected: list) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), {"cup": BOX, "spoon": OTHER, "plate": BOX})
    assert list(tracker.state.select(targets).names) == expected


@pytest.mark.parametrize(
    ("form", "targets", "message"),
    [
        ("mapping", "cap", r"no target 'cap'; did you mean 'cup'\?; there are \['cup', 'spoon'\]$"),
        ("list", ["1"], "target '1': targets were not given by name; give positions from 0 to 1$"),
        ("mapping", np.ones(3, bool), r"targets array\(\[ True,.*\]\): 3 booleans, expected 2, one for each$"),
        (
            "list",
            np.zeros((50, 50)),
            r"targets array\(.{60,80} \.\.\.: give different positions from 0 to 1, at least one$",
        ),
    ],
)
def test_what_selects_no_target_is_said_in_a_line(small_tracker: Make, scene, form, targets, message: str) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), {"cup": BOX, "spoon": OTHER} if form == "mapping" else [BOX, OTHER])
    with pytest.raises(InputError, match=f"^{message}"):
        tracker.state.select(targets)


@pytest.mark.parametrize("settings", [{}, {"update_interval": 2, "context_turns": 2}, {"delayed_update": True}])
def test_targets_are_added_and_removed_while_tracking(small_tracker: Make, scene, settings: dict) -> None:
    tracker, alone = small_tracker(**settings), small_tracker(**settings)
    tracker.init(scene.frame(0), {"a": scene.box(0)})
    alone.init(scene.frame(0), {"a": scene.box(0)})
    for index in range(1, 4):
        assert tracker.update(scene.frame(index)) == alone.update(scene.frame(index))
    running = tracker.state
    tracker.init(scene.frame(3), {"b": OTHER})
    with pytest.raises(InputError, match=r"different frames cannot be stacked: \[0, 3\]; .* by state\.at\(3\)"):
        TrackerState.stack([running, tracker.state])
    tracker.state = TrackerState.stack([running, tracker.state.at(running.frame)])
    for index in range(4, 7):
        both, expected = tracker.update(scene.frame(index)), alone.update(scene.frame(index))["a"]
        assert list(both) == ["a", "b"]
        assert_allclose(both["a"].box, expected.box, atol=1e-3)
        assert iou(both["b"].box, OTHER) > 0.8
    tracker.state = tracker.state.select([1])
    assert list(tracker.update(scene.frame(7))) == ["b"]


def test_a_state_counts_from_any_whole_number(small_tracker: Make, scene) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    for frame in (4, np.int64(4), np.uint8(4)):
        assert tracker.state.at(frame) == tracker.state.at(4)
        assert type(tracker.state.at(frame).frame) is int


@pytest.mark.parametrize("change", [{"names": ("a", "b")}, {"status": ()}, {"hint": np.zeros((3, 2))}])
def test_a_state_whose_parts_are_of_different_numbers_of_targets_is_refused(
    small_tracker: Make, scene, change: dict
) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    with pytest.raises(InputError, match=r"a tracker state of \d names, but (centre|status|hint) of \d; change them"):
        replace(tracker.state, **change)


def test_a_state_of_two_targets_of_one_name_is_refused(small_tracker: Make, scene) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), {"a": BOX, "b": OTHER})
    with pytest.raises(InputError, match=r"targets \['a', 'a'\]: a name comes twice; names must differ"):
        replace(tracker.state, names=("a", "a"))


@pytest.mark.parametrize("frame", [-1, 1.0, True, "3", None, np.zeros((9, 9))])
def test_a_frame_that_is_no_count_is_refused(small_tracker: Make, scene, frame) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    with pytest.raises(InputError, match="expected a whole number"):
        tracker.state.at(frame)


def test_dssts_statistics_are_part_of_the_state(small_tracker: Make, scene, tmp_path: Path) -> None:
    tracker = small_tracker(scale_search="dsst")
    tracker.init(scene.frame(0), {"a": scene.box(0), "b": (120, 40, 40, 30)})
    tracker.update(scene.frame(1))
    tracker.state.save(tmp_path / "state")
    other = small_tracker(scale_search="dsst")
    other.state = TrackerState.stack([TrackerState.load(tmp_path / "state").select([index]) for index in (0, 1)])
    assert tracker.update(scene.frame(2))["b"].box == pytest.approx(other.update(scene.frame(2))["b"].box, abs=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: replace(state, filter=state.filter[:, :-1]),
        lambda state: replace(state, statistics=replace(state.statistics, gram=state.statistics.gram[..., 0, 0])),
        lambda state: replace(state, memory=Memory()),
        lambda state: replace(state, memory=state.memory._map(lambda maps: maps[:, :-1])),
        lambda state: replace(state, memory=state.memory._map(lambda maps: maps[..., :-1])),
        lambda state: replace(state, scale=state.statistics),
        lambda state: replace(state, first=state.statistics),
    ],
    ids=["filter", "form of the filter", "no memory", "memory's channels", "memory's cells", "scale filter", "first"],
)
def test_another_models_state_is_refused(
    small_tracker: Make, scene, change: Callable[[TrackerState], TrackerState]
) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    kept = tracker.state
    with pytest.raises(InputError, match="another model's"):
        tracker.state = change(kept)
    assert tracker.state is kept


def test_what_is_no_state_is_refused(small_tracker: Make) -> None:
    with pytest.raises(InputError, match="expected a TrackerState, got NoneType"):
        small_tracker().state = None


@pytest.mark.parametrize("device", ["auto", None, "cpu", torch.device("cpu")])
def test_a_state_is_read_to_a_device_named_as_for_a_tracker(small_tracker: Make, scene, tmp_path: Path, device) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), scene.box(0))
    tracker.state.save(tmp_path / "state")
    state = TrackerState.load(tmp_path / "state", device)
    assert state.to("cpu") == tracker.state
    assert state.filter.device.type == pick_device(device).type


@pytest.mark.parametrize("device", ["cuda:99", "mps", "gpu", 3, np.zeros((9, 9))])
def test_a_device_that_is_not_there_is_said_before_the_file_is_read(tmp_path: Path, device) -> None:
    with pytest.raises(InputError, match=r"^device .*: (expected auto, cpu, cuda or|not on this machine)"):
        TrackerState.load(tmp_path / "nowhere", device)


def test_a_place_that_holds_no_state_is_said(small_tracker: Make, scene, tmp_path: Path) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), scene.box(0))
    for act in (tracker.state.save, TrackerState.load):
        with pytest.raises(InputError, match="is a folder; give the name of a file"):
            act(tmp_path)
    with pytest.raises(InputError, match="nowhere does not exist; make the folder first"):
        tracker.state.save(tmp_path / "nowhere" / "state")
    for name in ("nowhere", 300 * "a"):
        with pytest.raises(InputError, match=r"no such file; give one that TrackerState.save wrote"):
            TrackerState.load(tmp_path / name)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot read"):
        TrackerState.load(tmp_path / "state")


@pytest.mark.parametrize("boxes", [BOX, [BOX], {"cup": BOX}, [BOX, OTHER], {"cup": BOX, "spoon": OTHER}])
def test_a_state_keeps_how_the_boxes_were_given(small_tracker: Make, scene, tmp_path: Path, boxes) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), boxes)
    tracker.state.save(tmp_path / "state")
    expected = tracker.update(scene.frame(1))
    other = small_tracker(scales=1)
    other.init(scene.frame(0), OTHER)
    other.state = TrackerState.load(tmp_path / "state")
    assert other.update(scene.frame(1)) == expected


@pytest.mark.parametrize(
    ("form", "names", "expected"),
    [(None, ["1"], "one"), (None, ["a"], "one"), (None, ["1", "2"], "mapping"), ("list", ["1"], "list")],
)
def test_files_without_a_form(small_tracker: Make, scene, tmp_path: Path, form, names, expected: str) -> None:
    tracker = small_tracker(scales=1)
    tracker.init(scene.frame(0), [scene.box(0)] * len(names))
    state = replace(tracker.state, names=tuple(names))
    about = {**state.words(), "form": form}
    about = {key: value for key, value in about.items() if value is not None and key != "frame_size"}
    save_file(state_file.tensors(state), tmp_path / "state", {"state": json.dumps(about)})
    assert TrackerState.load(tmp_path / "state") == replace(state, form=expected, frame_size=None)


@pytest.mark.parametrize(
    "about", [None, "nonsense", "[]", "{}", "3", '{"names": ["1"], "frame": 0, "status": ["tracked"]}']
)
def test_another_programs_file_is_refused(tmp_path: Path, about: str | None) -> None:
    metadata = None if about is None else {"state": about}
    save_file({"centre": torch.zeros(1, 2)}, tmp_path / "state", metadata)
    with pytest.raises(InputError, match="state: not a tracker state"):
        TrackerState.load(tmp_path / "state")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists what is mapped")
def test_a_state_that_was_read_leaves_its_file_alone(small_tracker: Make, scene, tmp_path: Path) -> None:
    tracker = small_tracker()
    tracker.init(scene.frame(0), scene.box(0))
    tracker.state.save(tmp_path / "state.safetensors")
    read = TrackerState.load(tmp_path / "state.safetensors")
    assert "state.safetensors" not in Path("/proc/self/maps").read_text()
    assert read == tracker.state
