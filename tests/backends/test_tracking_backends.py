"""Tracking with the network run by another library: the same boxes, and one line for every mistake."""

from __future__ import annotations

import copy
import importlib.util
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from small_models import BOX, picture, trained

import rartrack
from rartrack import checkpoints
from rartrack.backends.runtimes import backend_precision
from rartrack.cli import main
from rartrack.errors import InputError
from rartrack.evaluation.trackers import parse_tracker
from rartrack.network.inference import pick_precision
from rartrack.tracking.load import load, pick_device

OTHERS = [
    "onnx",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed"),
    ),
]
SETTINGS = {"tracking.scales": 1, "tracking.precision": "float32"}
"""Two scales that fit as well could be told apart by the last bit, and ``auto`` is another precision per backend."""


def boxes(tracker: rartrack.Tracker, frames: int = 7) -> np.ndarray:
    """Boxes and scores of two targets in one batch."""
    tracker.init(picture(0), [BOX, (120.0, 40.0, 40.0, 30.0)])
    return np.array([[(*each.box, each.score) for each in tracker.update(picture(i))] for i in range(1, frames)])


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """The made clip as a folder of images."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index:04d}.png"), picture(index)[:, :, ::-1])
    return folder


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.usefixtures("cache")
def test_boxes_agree_with_torchs(model: Path, backend: str) -> None:
    expected = boxes(load(model, settings=SETTINGS))
    assert_allclose(expected[-1, 0, :2], (52, 66), atol=3)  # the target is followed
    found = boxes(load(model, settings=SETTINGS, backend=backend))
    assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.usefixtures("cache")
def test_boxes_of_the_box_head_agree_with_torchs(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "boxed.safetensors"
    checkpoints.save(path, trained(box_channels=8))
    settings = {**SETTINGS, "tracking.scale_search": "box", "tracking.box_centre": 0.1, "tracking.classification": 0.3}
    expected = boxes(load(path, settings=settings))
    assert len(np.unique(expected[:, 0, 2])) == len(expected)  # the sizes change
    # Step by step from the same states: an untrained head's boxes are noise, which makes much of a last bit.
    ours, theirs = load(path, settings=settings), load(path, settings=settings, backend=backend)
    boxes(ours, 1)
    for index, row in enumerate(expected, start=1):
        theirs.state = ours.state
        found = theirs.update(picture(index))
        assert_allclose([(*each.box, each.score) for each in found], row, atol=0.005)
        ours.update(picture(index))


@pytest.mark.usefixtures("cache")
def test_a_state_goes_from_one_backend_to_another(model: Path) -> None:
    torch_tracker, onnx_tracker = load(model, settings=SETTINGS), load(model, settings=SETTINGS, backend="onnx")
    boxes(torch_tracker, 4)
    onnx_tracker.state = torch_tracker.state
    ours, theirs = onnx_tracker.update(picture(4)), torch_tracker.update(picture(4))
    for one, other in zip(ours, theirs, strict=True):
        assert_allclose(one.box, other.box, atol=0.02)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
@pytest.mark.usefixtures("cache")
def test_another_librarys_tracker_cannot_be_copied_but_its_state_can(model: Path, copied: Callable) -> None:
    tracker = load(model, settings=SETTINGS, backend="onnx")
    boxes(tracker, 1)
    copied(tracker.state)
    with pytest.raises(InputError, match=r"tracker\.state.*rartrack\.load"):
        copied(tracker)


def test_the_command_exports_a_file_that_can_be_tracked_with(
    model: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, table = tmp_path / "small.onnx", tmp_path / "out.csv"
    assert main(["export", str(model), "--format", "onnx", "--output", str(output)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    line, path = said.out.splitlines()
    assert float(line.rpartition(" ")[2]) < 1e-4
    assert path == str(output)
    words = ["track", str(frames), "--box", "40,60,30,30", "--results", str(table)]
    assert main([*words, "--model", str(output), "--backend", "onnx"]) == 0
    last = table.read_text().splitlines()[-1].split(",")
    with_torch = list(rartrack.track(frames, BOX, model, settings={"tracking.precision": "float32"}))[-1]
    assert_allclose([float(number) for number in last[3:7]], with_torch.box, atol=0.02)
    assert parse_tracker(str(output), backend="onnx").describe()["backend"].startswith("onnxruntime ")
    capsys.readouterr()
    assert main([*words, "--model", str(output), "--overwrite"]) == 2
    assert "run it by the backend onnx or openvino" in capsys.readouterr().err
    assert main(["export", str(output), "--output", str(tmp_path / "again.onnx")]) == 2
    assert "exported already; to export it in another way, give the checkpoint" in capsys.readouterr().err
    assert main(["export", str(model), "--output", str(output)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.usefixtures("cache")
def test_evaluates_trackers_take_a_backend(model: Path) -> None:
    spec = parse_tracker(f"fast={model}", "cpu", backend="onnx")
    assert spec.describe()["backend"].startswith("onnxruntime ")
    assert spec.describe()["backend"] != parse_tracker(str(model), "cpu").describe()["backend"]
    tracker = spec.build(1)
    tracker.init(picture(0), BOX)
    assert_allclose(tracker.update(picture(0)).box, BOX, atol=1)


@pytest.mark.parametrize(
    ("backend", "wanted", "found"),
    [
        ("onnx", "auto", "float32"),
        ("onnx", "float32", "float32"),
        ("openvino", "float32", "float32"),
        ("openvino", "bfloat16", "bfloat16"),
    ],
)
def test_results_say_the_precision(model: Path, backend: str, wanted: str, found: str) -> None:
    pytest.importorskip("onnxruntime" if backend == "onnx" else backend)
    spec = parse_tracker(str(model), "cpu", {"tracking.precision": wanted}, backend=backend)
    assert spec.describe()["precision"] == found


def test_auto_is_in_openvino_what_it_is_in_torch() -> None:
    processor = torch.device("cpu")
    assert backend_precision("auto", "openvino", processor) == pick_precision("auto", processor)


@pytest.mark.parametrize(
    ("backend", "wanted", "choices"),
    [
        ("onnx", "bfloat16", "auto, int8, float32;"),
        ("onnx", "float16", "auto, int8, float32;"),
        ("openvino", "float16", "auto, int8, float32, bfloat16;"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_a_precision_that_a_backend_has_not_is_one_line(model: Path, backend: str, wanted: str, choices: str) -> None:
    pytest.importorskip("onnxruntime" if backend == "onnx" else backend)
    with pytest.raises(InputError, match=f"the backend {backend} computes in {choices}") as caught:
        load(model, settings={"tracking.precision": wanted}, backend=backend)
    assert "\n" not in str(caught.value)


def test_an_unknown_backend_names_the_choices(model: Path, frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="expected torch, onnx, openvino; did you mean 'onnx'"):
        load(model, backend="onx")
    assert main(["track", str(frames), "--box", "1,1,9,9", "--backend", "tvm"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert all(name in error[0] for name in ("torch", "onnx", "openvino"))


@pytest.mark.parametrize(
    ("package", "backend", "extra"),
    [
        ("onnxruntime", "onnx", "export"),
        ("onnxscript", "onnx", "export"),
        ("openvino", "openvino", "openvino"),
    ],
)
def test_a_missing_package_is_one_line(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without: Callable[[str], None],
    package: str,
    backend: str,
    extra: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    without(package)
    with pytest.raises(InputError) as caught:
        load(model, backend=backend)
    assert str(caught.value) == f'{package} is not installed; pip install "rartrack[{extra}]" brings it'


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_export_without_its_extra(
    model: Path, tmp_path: Path, without: Callable[[str], None], capsys: pytest.CaptureFixture[str], package: str
) -> None:
    without(package)
    assert main(["export", str(model), "--output", str(tmp_path / "out.onnx")]) == 2
    assert capsys.readouterr().err == (
        f'rartrack: {package} is not installed; pip install "rartrack[export]" brings it\n'
    )


def test_other_backends_run_on_the_processor() -> None:
    assert pick_device("auto", "onnx").type == "cpu"
    with pytest.raises(InputError, match=r"not on this machine|runs on cpu"):
        pick_device("cuda", "onnx")


def test_no_device_is_auto() -> None:
    assert pick_device(None) == pick_device("auto")


@pytest.mark.parametrize("name", ["mps", "meta", "gpu", "cuda:x", 1.5])
def test_other_devices_are_one_line(name: object) -> None:
    with pytest.raises(InputError, match="expected auto, cpu, cuda or cuda:NUMBER"):
        pick_device(name)  # type: ignore[arg-type]


@pytest.mark.usefixtures("cache")
def test_crops_of_two_sizes_need_torch(model: Path) -> None:
    with pytest.raises(InputError, match=r"tracking\.shared_context"):
        load(model, settings={"tracking.shared_context": True}, backend="onnx")
