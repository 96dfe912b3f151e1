"""The programs of ``examples/`` that track with an exported file, without torch and without rartrack."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose
from small_models import BOX, picture, trained

from rartrack import checkpoints, track
from rartrack.backends.onnx_file import CropType, export
from rartrack.backends.prepared import prepared_network
from rartrack.backends.quantize import CHECKED, quantize
from rartrack.boxes import iou
from rartrack.checkpoints import Checkpoint
from rartrack.tracking.load import DEFAULT_MODEL, load
from rartrack.video import VideoWriter, open_source

EXAMPLES = Path(__file__).parents[2] / "examples"
MUG = (398.0, 206.0, 88.0, 104.0)
LARGE = (180.0, 30.0, 360.0, 300.0)
Box = tuple[float, float, float, float]


@pytest.fixture(scope="session")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example in JavaScript and the package it needs."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(EXAMPLES / "track.mjs", folder)
    called(
        ["npm", "install", "--ignore-scripts", "onnxruntime-node"], "onnxruntime-node cannot be installed", cwd=folder
    )
    return folder


def called(words: list[str | Path], skip: str, **others: Any) -> None:
    """Run what fetches packages; without a network the test is skipped."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240, **others)
    if done.returncode:
        pytest.skip(f"{skip}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def boxes_of(text: str) -> np.ndarray:
    """(T, 5) boxes and scores of the table that an example prints."""
    return np.array(
        [[float(row[key]) for key in ("x", "y", "w", "h", "score")] for row in csv.DictReader(text.splitlines())]
    )


SMALL = {
    "update_interval": 2,
    "context_turns": 2,
    "scale_search": "box",
    "box_centre": 0.02,
    "classification": 0.02,
}
"""Settings of a small model with random weights, whose boxes would otherwise toss it about."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small model whose memory counts, and which learns from every other frame."""
    return saved(trained(box_channels=8), tmp_path / "small.safetensors", **SMALL)


def saved(checkpoint: Checkpoint, path: Path, contexts: Any = 4, first_share: float = 0.25, **tracking: Any) -> Path:
    """A model with other settings of the filter and the loop."""
    config = checkpoint.config
    filter = replace(config.filter, contexts=contexts, first_share=first_share)
    tracking = replace(config.tracking, **tracking)
    checkpoints.save(path, replace(checkpoint, config=replace(config, filter=filter, tracking=tracking)))
    return path


def made() -> np.ndarray:
    """The made clip, (T, H, W, 3)."""
    return np.stack([picture(index) for index in range(7)])


def real(count: int) -> np.ndarray:
    """The first frames of the shipped clip; there the built-in model's boxes do not yet part by rounding."""
    with open_source(EXAMPLES / "coffee.mp4") as source:
        return np.stack([frame.image for frame in islice(source, count)])


def write(model: str | Path, path: Path, int8: bool = False, crops: CropType = "uint8") -> Path:
    """Export a model to a file, if asked for in eight bits."""
    checkpoint = checkpoints.load(model)
    content, _ = export(prepared_network(checkpoint, model), checkpoint, "0" * 64, crops)
    if int8:
        side = checkpoint.config.network.input_size
        cut = [cv2.resize(image[100:300, 200:600], (side, side)) for image in real(CHECKED + 16)]
        content, _ = quantize(content, np.ascontiguousarray(np.stack(cut).transpose(0, 3, 1, 2)), {})
    path.write_bytes(content)
    return path


def followed(model: Path, frames: np.ndarray, box: Box, backend: str) -> np.ndarray:
    """Boxes and scores, (T - 1, 5), of rartrack itself."""
    tracker = load(model, "cpu", {"tracking.precision": "float32"}, backend)
    tracker.init(frames[0], box)
    return np.array([(*found.box, found.score) for found in map(tracker.update, frames[1:])])


def in_python(model: Path, frames: np.ndarray, box: Box, folder: Path) -> np.ndarray:
    """Those of the example, run by a process that shows it loads neither torch nor rartrack."""
    np.save(folder / "frames.npy", frames)
    script = (
        "import sys, numpy; sys.path.insert(0, sys.argv[1]); import without_torch\n"
        "tracker, frames = without_torch.Tracker(sys.argv[2]), numpy.load(sys.argv[3])\n"
        f"tracker.init(frames[0], {box})\n"
        "print([[*map(float, box), score] for box, score in map(tracker.update, frames[1:])])\n"
        "assert not {'torch', 'rartrack'} & set(sys.modules)\n"
    )
    words = [sys.executable, "-c", script, EXAMPLES, model, folder / "frames.npy"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": "", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout))


def in_javascript(project: Path, model: Path, frames: np.ndarray, box: Box, folder: Path) -> np.ndarray:
    """Those of the example in JavaScript, from a folder of images."""
    images = folder / "frames"
    images.mkdir()
    for index, image in enumerate(frames):
        cv2.imwrite(str(images / f"{index:04d}.ppm"), image[:, :, ::-1])
    words = ["node", "track.mjs", model, images, ",".join(map(str, box))]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return boxes_of(done.stdout)[1:]


def unread(words: list[Any], folder: Path) -> tuple[int, str]:
    """A program's status and what it says where nobody reads what it prints."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, text=True, cwd=folder, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("again", "classification", "count"),
    # Second looks are taken from the first frame on; later ones, of crops rounded otherwise, part as runs do.
    [(0.0, 0.02, None), (1.0, 0.02, 2), (0.0, 0.5, 1)],
)
def test_python_follows_as_the_tracker_does(
    tmp_path: Path, again: float, classification: float, count: int | None
) -> None:
    settings = {**SMALL, "look_again_below": again, "classification": classification}
    model = saved(trained(box_channels=8), tmp_path / "small.safetensors", **settings)
    found = in_python(write(model, tmp_path / "small.onnx"), made(), BOX, tmp_path)
    assert_allclose(found[:count], followed(model, made(), BOX, "torch")[:count], atol=0.05)


def test_python_follows_a_target_whose_middle_is_outside(tmp_path: Path) -> None:
    model = saved(trained(box_channels=8), tmp_path / "small.safetensors", **{**SMALL, "look_again_below": 0.0})
    frames, box = np.ascontiguousarray(made()[:2, :, 58:]), (BOX[0] - 58, *BOX[1:])
    found = in_python(write(model, tmp_path / "small.onnx"), frames, box, tmp_path)
    assert_allclose(found, followed(model, frames, box, "torch"), atol=0.05)


def test_python_takes_a_window_that_shows_nothing_of_the_frame(tmp_path: Path) -> None:
    write("rar-fast", tmp_path / "fast.onnx")
    script = (
        "import sys, numpy; sys.path.insert(0, sys.argv[1]); import without_torch\n"
        "tracker = without_torch.Tracker(sys.argv[2])\n"
        "frame = numpy.full((400, 600, 3), 90, numpy.uint8)\n"
        "print(numpy.unique(tracker.crop(frame, numpy.array([-360.0, 200.0]), numpy.array([200.0, 200.0]))))\n"
    )
    words = [sys.executable, "-c", script, EXAMPLES, tmp_path / "fast.onnx"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout == "[90]\n", done.stderr


def test_python_ends_quietly_where_nobody_reads(small: Path, tmp_path: Path) -> None:
    model = write(small, tmp_path / "small.onnx")
    with VideoWriter(tmp_path / "short.mkv", 25, (96, 64)) as video:
        video.write(np.zeros((64, 96, 3), np.uint8))
    words = [sys.executable, EXAMPLES / "without_torch.py", model, "short.mkv", "20,20,30,30"]
    assert unread(words, tmp_path) == (141, "")


def test_settings_that_the_example_does_not_follow_are_refused(tmp_path: Path) -> None:
    model = saved(trained(), tmp_path / "small.safetensors", displacement_window=0.1)  # and scales by the pyramid
    words = [
        sys.executable,
        EXAMPLES / "without_torch.py",
        write(model, tmp_path / "small.onnx"),
        "none.mp4",
        "1,1,9,9",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "scale_search, displacement_window: a setting that is not shown here" in done.stderr


def test_examples_show_what_the_default_model_is_set_to() -> None:
    config = checkpoints.load(DEFAULT_MODEL).config
    assert config.filter.form == "exact"
    for file in ("without_torch.py", "track.mjs"):
        shown = re.search(r"SHOWN = (\{.*\})", (EXAMPLES / file).read_text(encoding="utf-8"))
        assert shown is not None
        for setting, value in yaml.safe_load(shown[1]).items():
            assert getattr(config.tracking, setting) == value, (file, setting)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["second look", "eight bits", "averaged blocks"])
def test_the_built_in_model_in_python_and_javascript(
    request: pytest.FixtureRequest, tmp_path: Path, variant: str
) -> None:
    contexts = 0 if variant == "second look" else 4
    box = LARGE if variant == "averaged blocks" else MUG
    settings = {"update_interval": 2, "look_again_below": 1.0 if variant == "second look" else 0.3}
    share = 0.25
    if variant == "eight bits":  # what is rounded to integers parts soon: without what carries it on
        share, settings = 0.0, {**settings, "context_turns": 1, "classification": 0.25, "box_rate": 0.15}
    model = saved(checkpoints.load("rar-fast"), tmp_path / "fast.safetensors", contexts, share, **settings)
    exported = write(model, tmp_path / "fast.onnx", int8=variant == "eight bits")
    frames = real(5 if variant == "second look" else 12)  # nine windows a frame part sooner by rounding than one
    expected = followed(exported, frames, box, "onnx")
    # In half a dozen frames what is rounded otherwise moves a box of 360 pixels by up to two.
    tolerance = {"second look": 0.15, "eight bits": 0.5, "averaged blocks": 2.0}[variant]
    assert_allclose(in_python(exported, frames, box, tmp_path), expected, atol=tolerance)
    project = request.getfixturevalue("node_project")  # where it cannot be had, Python has been tried all the same
    assert_allclose(in_javascript(project, exported, frames, box, tmp_path), expected, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("crops", ["uint8", "float32"])
def test_javascript_keeps_the_memory(node_project: Path, small: Path, tmp_path: Path, crops: CropType) -> None:
    model = write(small, tmp_path / "small.onnx", crops=crops)
    found = in_javascript(node_project, model, made(), BOX, tmp_path)
    expected = followed(small, made(), BOX, "torch")
    assert_allclose(found[:2], expected[:2], atol=0.02)
    assert_allclose(found, expected, atol=0.3)  # crops are rounded otherwise, and each box decides the next crop


@pytest.mark.slow
def test_javascript_ends_quietly_where_nobody_reads(node_project: Path, small: Path, tmp_path: Path) -> None:
    model = write(small, tmp_path / "small.onnx")
    cv2.imwrite(str(tmp_path / "0.ppm"), made()[0])
    words = ["node", "track.mjs", model, tmp_path, ",".join(map(str, BOX))]
    assert unread(words, node_project) == (141, "")


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_python_in_an_environment_that_has_no_torch(tmp_path: Path) -> None:
    model = write("rar-fast", tmp_path / "rar-fast.onnx")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "numpy", "onnxruntime", "opencv-python-headless"]
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", str(tmp_path))}
    called(install, "packages cannot be installed", env=clean)
    absent = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False, env=clean)
    assert absent.returncode != 0
    words = [python, EXAMPLES / "without_torch.py", model, EXAMPLES / "coffee.mp4", ",".join(map(str, MUG))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, done.stderr
    found = boxes_of(done.stdout)
    expected = np.array([one.box for one in track(EXAMPLES / "coffee.mp4", MUG, "rar-fast", backend="onnx")])
    assert len(found) == 200
    # The example decodes and cuts by OpenCV: hundredths of a pixel apart at first, then each goes its own way.
    assert_allclose(found[:6, :4], expected[:6], atol=0.05)
    assert iou(found[:, :4], expected).min() > 0.97
