"""The models that come with the package: whole, small, and able to follow something."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rartrack
from rartrack import checkpoints
from rartrack.boxes import iou
from rartrack.cli import main
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
    assert tracker.update(frame).score > 0.8
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


@pytest.mark.slow
def test_doctor_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "model rar-resnet50" in told
    assert "DOES NOT WORK" not in told
