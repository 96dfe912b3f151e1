"""The models that come with the package: whole, small, and able to follow something."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

import rartrack
from rartrack import checkpoints
from rartrack.boxes import iou
from rartrack.cli import doctor, main
from rartrack.network.rar import RAR
from rartrack.video import open_source

CLIP = Path(__file__).parents[1] / "examples" / "coffee.mp4"
MUG = (398.0, 206.0, 88.0, 104.0)


@pytest.mark.parametrize("name", ["rar-fast", "rar-resnet50"])
def test_a_model_fits_its_own_settings(name: str) -> None:
    checkpoint = checkpoints.load(name)
    RAR(checkpoint.config.network).load_state_dict(checkpoint.weights)
    assert checkpoint.provenance["licence"]


def test_the_fast_model_is_small() -> None:
    assert checkpoints.locate("rar-fast")[0].stat().st_size < 8e6


def test_the_fast_model_follows_the_mug_of_the_clip() -> None:
    results = [result for result, _ in zip(rartrack.track(CLIP, MUG), range(8), strict=False)]
    assert results[0].box == MUG
    assert all(result.status is rartrack.Status.TRACKED for result in results)
    assert iou(results[-1].box, MUG) > 0.6  # it hardly moves in its first quarter of a second


def test_what_cannot_be_tracked_is_said_at_once_and_frames_come_as_they_are_asked_for() -> None:
    with pytest.raises(rartrack.InputError, match=r"nowhere\.mp4"):
        rartrack.track("nowhere.mp4", MUG)
    with pytest.raises(rartrack.InputError, match="outside"):
        rartrack.track(CLIP, (4000, 0, 10, 10))
    with pytest.raises(rartrack.InputError, match="start '5': expected a whole number"):
        rartrack.track(CLIP, MUG, start="5")  # type: ignore[arg-type]
    with pytest.raises(rartrack.InputError, match="no source is given"):
        rartrack.track("", MUG)
    named = rartrack.track(CLIP, {"mug": MUG, "kettle": (225, 152, 110, 160)}, start=100)
    first, second = next(named), next(named)
    assert set(first) == set(second) == {"mug", "kettle"}
    assert first["mug"].box == MUG
    with open_source(CLIP, start=100) as frames:
        tracker = rartrack.load()
        tracker.init(next(frames).image, [MUG, (225, 152, 110, 160)])
        found = tracker.update(next(frames).image)
    assert [result.box for result in found] == [second["mug"].box, second["kettle"].box]


@pytest.mark.parametrize("name", ["model", "device", "settings", "backend", "preset"])
def test_an_array_for_an_argument_is_named_in_a_line(name: str) -> None:
    with pytest.raises(rartrack.InputError, match=rf"^{name}.* array\(\[\[.{{1,80}} \.\.\..{{0,60}}$"):
        rartrack.load(**{name: np.zeros((20, 20))})


def test_an_array_for_a_setting_is_named_in_a_line() -> None:
    with pytest.raises(rartrack.InputError, match=r"^settings: tracking.padding: .*, got array\(\[\[.{1,80} \.\.\.$"):
        rartrack.load(settings={"tracking.padding": np.zeros((20, 20))})
    with pytest.raises(rartrack.InputError, match=r"unknown key 'update_interval'; did you mean 'tracking.update_int"):
        rartrack.load(settings={"update_interval": 5})


def test_wrong_kinds_of_arguments_are_named() -> None:
    with pytest.raises(rartrack.InputError, match="settings: expected a mapping"):
        rartrack.load(settings=["tracking.scales=1"])  # type: ignore[arg-type]
    with pytest.raises(rartrack.InputError, match="settings: expected a mapping"):
        rartrack.load(settings={1: 2})  # type: ignore[dict-item]
    with pytest.raises(rartrack.InputError, match="preset 3: expected quality"):
        rartrack.load(preset=3)  # type: ignore[arg-type]
    with pytest.raises(rartrack.InputError, match="backend None: expected torch"):
        rartrack.load(backend=None)  # type: ignore[arg-type]
    with pytest.raises(rartrack.InputError, match=r"preset .*: expected quality"):
        rartrack.load(preset=["fast"])  # type: ignore[arg-type]
    with pytest.raises(rartrack.InputError, match=r"backend .*: expected torch"):
        rartrack.load(backend=["onnx"])  # type: ignore[arg-type]
    with pytest.raises(rartrack.InputError, match="model None: expected a name or a path"):
        rartrack.load(None)  # type: ignore[arg-type]


def test_the_package_shows_what_it_has() -> None:
    assert set(rartrack.__all__) <= set(dir(rartrack))
    assert rartrack.TrackerState.__name__ == "TrackerState"


@pytest.mark.slow
def test_the_large_model_follows_the_mug_of_the_clip() -> None:
    tracker = rartrack.load("rar-resnet50")
    with open_source(CLIP) as frames:
        tracker.init(next(frames).image, MUG)
        for _ in range(4):
            result = tracker.update(next(frames).image)
    assert iou(result.box, MUG) > 0.7


def test_settings_are_changed_by_name_and_the_network_is_not() -> None:
    tracker = rartrack.load("rar-fast", settings={"filter.form": "shared", "tracking.scales": 1})
    assert tracker.config.filter.form == "shared"
    with open_source(CLIP) as frames:
        frame = next(frames).image
    tracker.init(frame, MUG)
    again = tracker.update(frame)  # the same frame: the same box
    assert again.status is rartrack.Status.TRACKED
    assert again.box == pytest.approx(MUG, abs=0.5)
    with pytest.raises(rartrack.InputError, match=r"did you mean 'filter\.form'"):
        rartrack.load("rar-fast", settings={"filter.fomr": "shared"})
    with pytest.raises(rartrack.InputError, match="'tracking' is a section"):
        rartrack.load("rar-fast", settings={"tracking": {"update_interval": 5}})
    with pytest.raises(rartrack.InputError, match="fixed by its weights"):
        rartrack.load("rar-fast", settings={"network.dilate": False})


def test_a_preset_changes_settings_and_settings_go_before_it() -> None:
    own = rartrack.load("rar-fast").config
    assert rartrack.load("rar-fast", preset="balanced").config == own
    quality = rartrack.load("rar-fast", settings={"tracking.scales": 5}, preset="quality").config.tracking
    assert (quality.scale_interval, quality.scales) == (1, 5)
    fast = rartrack.load("rar-fast", settings={"tracking.scale_interval": 2}, preset="fast").config.tracking
    assert fast.scale_interval == 2
    assert fast.update_interval > own.tracking.update_interval
    with pytest.raises(rartrack.InputError, match=r"quality, balanced, fast; did you mean 'fast'"):
        rartrack.load("rar-fast", preset="fats")


def test_devices() -> None:
    assert str(rartrack.load("rar-fast", "cpu").model.device) == "cpu"
    with pytest.raises(rartrack.InputError, match="expected auto, cpu, cuda"):
        rartrack.load("rar-fast", "tpu-of-a-kind")
    if not torch.cuda.is_available():
        with pytest.raises(rartrack.InputError, match="not on this machine"):
            rartrack.load("rar-fast", "cuda")


def test_models_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "rar-fast" in listed
    assert "rar-resnet50" in listed


def test_doctor_sees_films_that_come_back_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_model", lambda *_: "not asked")
    monkeypatch.setattr(doctor, "_TOLERANCE", -1)
    assert main(["doctor"]) == 2
    assert "DOES NOT WORK: a film that was written is read back otherwise" in capsys.readouterr().out


def test_doctor_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "model rar-resnet50" in told
    assert "DOES NOT WORK" not in told


def test_files_in_integers_need_no_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra export")
    assert all(map(checkpoints.calibration, checkpoints.BUILT_IN))
    output = tmp_path / "rar-fast-int8.onnx"
    assert main(["export", "rar-fast", "--precision", "int8", "--output", str(output)]) == 0
    assert "calibrated on 96 crops" in capsys.readouterr().out
    assert output.stat().st_size < 6e6
    with open_source(CLIP) as source:
        first, *others = (frame.image for frame in itertools.islice(source, 6))
    trackers = [rartrack.load("rar-fast"), rartrack.load(output, backend="onnx")]
    for tracker in trackers:
        tracker.init(first, MUG)
    for frame in others:
        ours, integers = (tracker.update(frame).box for tracker in trackers)
        assert iou(ours, integers) > 0.8
