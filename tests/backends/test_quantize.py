"""A network in eight-bit integers: what is quantised, what it costs, what it may be calibrated on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_models import trained

from rartrack.backends import quantize as quantize_module
from rartrack.backends.onnx_file import export, read
from rartrack.backends.prepared import prepared_network
from rartrack.backends.quantize import CHECKED, feature_error, quantize, quantize_again
from rartrack.backends.runtimes import open_exported
from rartrack.checkpoints import Checkpoint
from rartrack.cli import main
from rartrack.datasets import Sequence, load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.trackers import parse_tracker
from rartrack.tracking.calibration import calibration_crops
from rartrack.tracking.crops import cut, window_size
from rartrack.tracking.load import load
from small_network import SMALL, untrained

pytest.importorskip("onnxruntime", reason="needs the extra export")
onnx = pytest.importorskip("onnx", reason="needs the extra export")


def crops(count: int, seed: int = 0) -> np.ndarray:
    """(N, 3, S, S) of smooth colour with some texture on it."""
    draw = np.random.default_rng(seed)
    side = SMALL.input_size
    images = draw.integers(0, 255, (count, 6, 6, 3), dtype=np.uint8)
    large = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in images])
    return np.ascontiguousarray(large.transpose(0, 3, 1, 2))


def exported(checkpoint: Checkpoint) -> bytes:
    return export(prepared_network(checkpoint, "small"), checkpoint, "0" * 64)[0]


@pytest.fixture(scope="module")
def whole() -> bytes:
    """An export with a memory and trained offsets."""
    return exported(trained(deformable=("layer3.0",)))


@pytest.fixture(scope="module")
def eight_bits(whole: bytes) -> bytes:
    return quantize(whole, crops(CHECKED + 16), {"data": "made"})[0]


def quantized_weights(content: bytes) -> set[str]:
    nodes = onnx.load_model_from_string(content).graph.node
    return {node.input[0].removesuffix("_quantized") for node in nodes if node.op_type == "DequantizeLinear"}


def test_quantised_are_the_backbones_convolutions_but_the_first(whole: bytes, eight_bits: bytes) -> None:
    convolutions = [n.input[1] for n in onnx.load_model_from_string(whole).graph.node if n.op_type == "Conv"]
    expected = {name for name in convolutions if "backbone" in name and "offset" not in name}
    expected.remove("network.backbone.conv1.weight")
    found = {name for name in quantized_weights(eight_bits) if name.endswith(".weight")}
    assert found == expected
    assert {name for name in convolutions if "offset" in name or "attention" in name or "refinement" in name}
    assert len(eight_bits) < len(whole)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_features_and_memory_stay_close(whole: bytes, eight_bits: bytes, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    batch = torch.from_numpy(crops(2, seed=1))
    expected, found = open_exported(whole, "onnx", "small"), open_exported(eight_bits, backend, "small")
    ours, theirs = expected.initial_memory(2), found.initial_memory(2)
    for _ in range(2):
        wanted, ours = expected(batch, ours)
        features, theirs = found(batch, theirs)
        assert 0 < (features - wanted).norm() < 0.15 * wanted.norm()


def test_the_error_is_that_of_the_features(whole: bytes, eight_bits: bytes) -> None:
    batch = torch.from_numpy(crops(3, seed=2))
    assert feature_error(whole, whole, batch) == 0
    error = feature_error(whole, eight_bits, batch)
    assert 0 < error < 0.15


def test_the_file_says_what_it_was_calibrated_on(whole: bytes, eight_bits: bytes, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(eight_bits)
    stored = read(path)
    assert stored.config == trained(deformable=("layer3.0",)).config
    assert stored.quantized is not None
    assert stored.quantized["data"] == "made"
    assert 0 < stored.quantized["error"] < 0.15
    path.write_bytes(whole)
    assert read(path).quantized is None
    onnx.checker.check_model(onnx.load_model_from_string(eight_bits))


def test_what_was_measured_once_makes_the_same_file_again(whole: bytes, eight_bits: bytes, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(eight_bits)
    about = read(path).quantized
    assert about is not None
    assert quantize_again(whole, about) == eight_bits
    other = exported(trained(deformable=(), levels=(3,)))
    with pytest.raises(InputError, match="maps are not those calibrated; measure them again"):
        quantize_again(other, about)


def test_an_absurd_network_is_refused(whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize_module, "feature_error", lambda *_: quantize_module.LIMIT)
    with pytest.raises(InputError, match="features are off by 25%, 25% is the limit; calibrate on"):
        quantize(whole, crops(CHECKED + 4), {})
    with pytest.raises(InputError, match="at least 17 are needed"):
        quantize(whole, crops(CHECKED), {})


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two training sequences of three frames, one held out, one of OTB's, one whose video is missing."""
    folder = tmp_path / "videos"
    for number, name in enumerate(["one", "two", "davis_dog", "tld_car", "no_video"]):
        (folder / name).mkdir(parents=True)
        (folder / f"{name}.txt").write_text("30,40,30,20\nnan,nan,nan,nan\n32,41,30,20\n")
        for frame in range(3):
            image = cv2.resize(crops(1, seed=10 * number + frame)[0].transpose(1, 2, 0), (120, 100))
            cv2.imwrite(str(folder / name / f"{frame:04d}.png"), image)
    for path in [*(folder / "no_video").iterdir(), folder / "no_video"]:
        path.rmdir() if path.is_dir() else path.unlink()
    return folder


def test_crops_are_the_trackers_own(videos: Path) -> None:
    config = untrained().config
    sequence = load_dataset(videos, None, ["one"])[0]
    still = Sequence("still", sequence.boxes[:1], sequence.frames)
    found, drawn = calibration_crops([still], config, 40, seed=0)
    assert found.shape == (40, 3, SMALL.input_size, SMALL.input_size)
    assert drawn == ["still"] * 40
    window = window_size(np.array([[30.0, 20.0]]), config.tracking.padding, config.tracking.crop)
    template = cut(sequence.frames[0], np.array([[45.0, 50.0]]), window, SMALL.input_size)[0].transpose(2, 0, 1)
    assert any(np.array_equal(template, crop) for crop in found)
    again, _ = calibration_crops([still], config, 40, seed=0)
    other, _ = calibration_crops([still], config, 40, seed=1)
    assert np.array_equal(found, again)
    assert not np.array_equal(found, other)


def test_sequences_take_turns_and_hidden_frames_are_passed_over(videos: Path) -> None:
    sequences = list(load_dataset(videos, None, ["one", "two"]))
    _, drawn = calibration_crops(sequences, untrained().config, 6, seed=0)
    assert sorted(drawn) == ["one", "one", "one", "two", "two", "two"]
    blind = Sequence("blind", np.full((3, 4), np.nan), sequences[0].frames)
    with pytest.raises(InputError, match="no sequence has frames"):
        calibration_crops([blind], untrained().config, 1, seed=0)


def test_the_command_calibrates_on_training_videos(
    model: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "small.onnx"
    words = ["export", str(model), "--precision", "int8", "--calibration-crops", "8", "--output", str(output)]
    assert main([*words, "--calibrate", str(videos)]) == 0
    said = capsys.readouterr().out
    assert "calibrated on 8 crops of 2 sequences of videos" in said
    assert "error of the features" in said
    about = read(output).quantized
    assert about is not None
    assert about["sequences"] == {"one": 4, "two": 4}  # those that only measure the error do not count
    assert (about["data"], about["crops"], about["seed"]) == ("videos", 8, 0)
    assert parse_tracker(str(output), backend="onnx").describe()["precision"] == "int8, float32"
    tracker = load(output, backend="onnx")
    frame = cv2.imread(str(videos / "one" / "0000.png"))[:, :, ::-1].copy()
    tracker.init(frame, (30.0, 40.0, 30.0, 20.0))
    assert np.allclose(tracker.update(frame).box, (30, 40, 30, 20), atol=1.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precision", "int8"], "--precision int8 needs --calibrate DIR"),
        (["--calibrate", "videos"], "--calibrate videos: is for --precision int8"),
        (["--format", "scales"], "--format scales: is for --precision int8, and needs --calibrate DIR"),
        (["--format", "scales", "--calibrate", "videos", "--crops", "uint8"], "--crops uint8: is for --format onnx"),
        (["--format", "scales", "--calibrate", "videos"], "out.onnx: unknown ending '.onnx'; known are .json"),
        (["--calibration-crops", "0"], "--calibration-crops: '0' is not a whole number from 1 on"),
    ],
)
def test_options_that_do_not_fit(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["export", str(model), "--output", str(tmp_path / "out.onnx"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_benchmark_is_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sequence = tmp_path / "otb" / "Basketball"
    (sequence / "img").mkdir(parents=True)
    (sequence / "groundtruth_rect.txt").write_text("1,1,9,9\n")
    cv2.imwrite(str(sequence / "img" / "0001.jpg"), np.zeros((20, 20, 3), np.uint8))
    words = ["export", str(model), "--precision", "int8", "--calibrate", str(tmp_path / "otb")]
    assert main([*words, "--output", str(tmp_path / "out.onnx")]) == 2
    assert "for testing, never for calibration" in capsys.readouterr().err
