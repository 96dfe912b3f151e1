"""The backbone in eight-bit integers by torch: what it computes, for which networks, and how a model gets there."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from small_models import BOX, picture, trained
from torch import Tensor, nn

from rartrack import checkpoints
from rartrack.backends.onnx_file import export
from rartrack.backends.prepared import prepared_network
from rartrack.backends.quantize import CHECKED, quantize
from rartrack.checkpoints import Checkpoint
from rartrack.cli import main
from rartrack.errors import InputError
from rartrack.evaluation.trackers import parse_tracker
from rartrack.network import integers
from rartrack.network.integers import IntegerConv2d, IntegerResNet
from rartrack.network.packed import packed
from rartrack.network.rar import RAR
from rartrack.tracking.load import integers_of, load, precision_of
from small_network import SMALL

pytest.importorskip("onnxruntime", reason="needs the extra export")

QUICK = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
pytestmark = pytest.mark.skipif(not QUICK, reason="a processor without AVX2")
CPU = torch.device("cpu")
NETWORKS = {
    "basic blocks": {},
    "bottlenecks": {"backbone": "resnet50", "levels": (3, 4, 5)},
    "Caffe strides": {"backbone": "resnet50", "stage_stride": "1x1"},
    "one level": {"levels": (3,)},
}


def test_torch_has_them_on_processors_with_avx2() -> None:
    assert integers.available.__wrapped__()
    try:
        torch.set_default_dtype(torch.float64)
        assert integers.available.__wrapped__()
    finally:
        torch.set_default_dtype(torch.float32)


def crops(count: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 255, (count, 6, 6, 3), dtype=np.uint8)
    side = SMALL.input_size
    large = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in images])
    return np.ascontiguousarray(large.transpose(0, 3, 1, 2))


def calibrated(checkpoint: Checkpoint) -> dict[str, Any]:
    content, _ = export(prepared_network(checkpoint, "small"), checkpoint, "0" * 64)
    return quantize(content, crops(CHECKED + 16), {})[1]


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS)
def pair(request: pytest.FixtureRequest) -> tuple[RAR, RAR]:
    """A network in floats and the same in integers."""
    checkpoint = trained(**request.param)
    network = prepared_network(checkpoint, "small")
    return network, packed(network, calibrated(checkpoint)["scales"])


def looked(network: RAR, batch: Tensor) -> list[Tensor]:
    """Levels of the backbone; features of two steps and the memory after them."""
    with torch.inference_mode():
        taps = network.taps(batch)
        first, memory = network(batch, network.initial_memory(len(batch)))
        second, memory = network(batch.flip(3), memory)
    return [*taps.values(), first, second, *memory.tensors().values()]


def test_close_to_the_network_in_floats(pair: tuple[RAR, RAR]) -> None:
    floats, ours = pair
    assert isinstance(ours.backbone, IntegerResNet)
    batch = torch.from_numpy(crops(3, seed=1))
    before = batch.clone()
    found, expected = looked(ours, batch), looked(floats, batch)
    for mine, wanted in zip(found, expected, strict=True):
        assert mine.dtype == wanted.dtype
        assert 0 < (mine - wanted).norm() < 0.2 * wanted.norm()
    assert torch.equal(batch, before)
    assert all(map(torch.equal, looked(ours, batch), found))  # sums are taken in place, of maps of its own


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_and_pickles_compute_the_same(pair: tuple[RAR, RAR], copied: Callable[[RAR], RAR]) -> None:
    batch = torch.from_numpy(crops(1, seed=2))
    assert all(map(torch.equal, looked(copied(pair[1]), batch), looked(pair[1], batch)))


def test_threads_change_nothing(pair: tuple[RAR, RAR]) -> None:
    batch, threads = torch.from_numpy(crops(1, seed=3)), torch.get_num_threads()
    with torch.inference_mode():
        expected = pair[1].taps(batch)
        try:
            torch.set_num_threads(threads + 1)
            found = pair[1].taps(batch)
        finally:
            torch.set_num_threads(threads)
    assert all(torch.equal(found[level], expected[level]) for level in expected)


@pytest.mark.parametrize(("stride", "dilation", "relu"), [(1, 1, True), (2, 1, False), (1, 2, True)])
def test_a_convolution_of_integers_is_exact(stride: int, dilation: int, relu: bool) -> None:
    """Weights that are integers themselves: the sum is, and is rounded once."""
    draw = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 50, (2, 8, 9, 9), generator=draw, dtype=torch.uint8)
    conv = nn.Conv2d(8, 4, 3, stride, dilation, dilation).requires_grad_(False)
    conv.weight.copy_(torch.randint(-127, 128, conv.weight.shape, generator=draw))
    conv.weight[:, 0, 0, 0] = 127
    expected = conv(maps.float())
    ours = IntegerConv2d(conv, maps.shape, 0.5, relu=relu)
    laid = maps.contiguous(memory_format=torch.channels_last)
    wanted = conv(maps.float() / 2)
    assert torch.allclose(ours(laid), wanted.relu() if relu else wanted, atol=1e-3)
    rounded = IntegerConv2d(conv, maps.shape, 1.0, into=100.0, relu=True)(laid)
    assert rounded.dtype == torch.uint8
    assert ((rounded.float() - (expected / 100).clamp(0, 255)).abs() < 0.501).all()
    other = torch.randint(0, 255, rounded.shape, generator=draw, dtype=torch.uint8)
    other = other.contiguous(memory_format=torch.channels_last)
    total = expected / 100 + other.float() / 4
    summed = IntegerConv2d(conv, maps.shape, 1.0, into=100.0, relu=True).plus(other.clone(), 25.0, laid)
    assert ((summed.float() - total.clamp(0, 255)).abs() < 0.501).all()


def test_what_cannot_be_in_integers() -> None:
    scales = calibrated(trained())["scales"]
    other = prepared_network(trained(levels=(3,), backbone="resnet50"), "small")
    with pytest.raises(InputError, match=r"no scale of eight-bit integers for the map 'Relu\(.*layer1.0.*measure them"):
        packed(other, scales)
    for changes in ({"backbone": "vggm"}, {"deformable": ("layer3.0",)}):
        with pytest.raises(InputError, match="for ResNets without trained offsets alone"):
            packed(prepared_network(trained(**changes), "small"), scales)


def test_where_torch_cannot_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = trained()

    def refuse(*_: object) -> None:
        raise RuntimeError("not on this processor")

    scales = calibrated(checkpoint)["scales"]
    monkeypatch.setattr(IntegerConv2d, "_lay_out", refuse)
    with pytest.raises(InputError, match=r"torch \S+ does not compute in eight-bit integers here"):
        packed(prepared_network(checkpoint, "small"), scales)


def test_none_where_torch_computes_them_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IntegerConv2d, "plus", lambda *_: torch.zeros(2, 3, 4, 4, dtype=torch.uint8))
    assert not integers.available.__wrapped__()

    def missing(*_: object) -> None:
        raise AttributeError

    monkeypatch.setattr(IntegerConv2d, "_lay_out", missing)
    assert not integers.available.__wrapped__()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the scales of its maps beside it, by the command."""
    folder = tmp_path_factory.mktemp("mine")
    path = folder / "mine.safetensors"
    checkpoints.save(path, trained())
    videos = folder / "videos"
    for number, name in enumerate(["one", "two"]):
        (videos / name).mkdir(parents=True)
        (videos / f"{name}.txt").write_text("30,40,30,20\n32,41,30,20\n")
        for frame in range(2):
            image = cv2.resize(crops(1, seed=10 * number + frame)[0].transpose(1, 2, 0), (120, 100))
            cv2.imwrite(str(videos / name / f"{frame:04d}.png"), image)
    words = ["--format", "scales", "--calibrate", str(videos), "--calibration-crops", "8"]
    assert main(["export", str(path), *words]) == 0
    assert checkpoints.calibration_path(path) == folder / "mine.int8.json"
    assert main(["export", str(path), *words]) == 2  # it exists now
    offsets = folder / "offsets.safetensors"
    checkpoints.save(offsets, trained(deformable=("layer3.0",)))
    assert main(["export", str(offsets), *words]) == 0
    return path


def test_a_model_with_its_scales_tracks_in_integers(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = load(mine, "cpu", {"tracking.precision": "int8"})
    assert isinstance(tracker.model.network, RAR)
    assert isinstance(tracker.model.network.backbone, IntegerResNet)
    tracker.init(picture(0), BOX)
    assert np.allclose(tracker.update(picture(0)).box, BOX, atol=1)
    spec = parse_tracker(str(mine), "cpu", {"tracking.precision": "int8"})
    assert spec.describe()["precision"].startswith("int8, ")
    for serve in (True, False):
        monkeypatch.setattr(integers, "serve", lambda serve=serve: serve)
        network = load(mine, "cpu").model.network
        assert isinstance(network, RAR)
        assert isinstance(network.backbone, IntegerResNet) == serve
        assert precision_of(mine, tracker.config, "torch", CPU).startswith("int8")
        assert parse_tracker(str(mine), "cpu").describe()["precision"].startswith("int8") == serve


def test_a_network_that_torch_has_no_integers_for_stays_in_floats(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integers, "serve", lambda: True)
    offsets = mine.with_name("offsets.safetensors")
    assert checkpoints.calibration(offsets) is not None
    assert parse_tracker(str(offsets), "cpu").describe()["precision"] == "float32"
    load(offsets, "cpu")
    with pytest.raises(InputError, match=r"offsets\.safetensors: torch .* without trained offsets alone; set"):
        load(offsets, "cpu", {"tracking.precision": "int8"})


def test_results_tell_scales_apart(mine: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(mine.read_bytes())
    content = json.loads(checkpoints.calibration_path(mine).read_text())
    made_by = []
    for factor in (1, 2):
        scales = {place: [scale * factor, zero] for place, (scale, zero) in content["scales"].items()}
        checkpoints.calibration_path(path).write_text(json.dumps(content | {"scales": scales}))
        made_by.append(parse_tracker(str(path), "cpu", {"tracking.precision": "int8"}).describe())
    assert made_by[0] != made_by[1]
    assert made_by[0] == parse_tracker(str(mine), "cpu", {"tracking.precision": "int8"}).describe()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_other_backends_take_the_same_scales(mine: Path, backend: str) -> None:
    pytest.importorskip("onnxruntime" if backend == "onnx" else backend)
    settings = {"tracking.precision": "int8"}
    tracker = load(mine, "cpu", settings, backend)
    tracker.init(picture(0), BOX)
    assert np.allclose(tracker.update(picture(0)).box, BOX, atol=1)
    assert parse_tracker(str(mine), "cpu", settings, backend=backend).describe()["precision"].startswith("int8, ")
    floats, ours = load(mine, "cpu", {"tracking.precision": "float32"}, backend), tracker
    batch = torch.from_numpy(crops(2, seed=4))
    expected, found = (
        each.model.network.look(batch, each.model.network.initial_memory(2))[0] for each in (floats, ours)
    )
    assert 0 < (found - expected).norm() < 0.12 * expected.norm()


def test_what_is_of_other_weights_is_not_taken(mine: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    checkpoints.save(path, trained())
    content = checkpoints.calibration_path(mine).read_text()
    beside = checkpoints.calibration_path(path)
    beside.write_text(json.dumps(json.loads(content) | {"model": "0" * 64}))
    assert checkpoints.calibration(path) is None
    with pytest.raises(InputError, match=r"stand for was measured on other weights; .* VIDEOS --overwrite`"):
        load(path, "cpu", {"tracking.precision": "int8"})
    beside.unlink()
    with pytest.raises(InputError, match=r"stand for is not known; measure it by `rartrack export .* VIDEOS`"):
        load(path, "cpu", {"tracking.precision": "int8"})
    nothing = [content.replace('"scales": {', f'"scales": {{"x": {each},') for each in ('"wide"', "[0, 0]", "[NaN, 0]")]
    for damaged in (content[:-20], "[]", "{}", content.replace('"error"', '"mistake"'), *nothing):
        beside.write_text(damaged)
        with pytest.raises(InputError, match=r"other\.int8\.json: not a whole calibration .* make it again, or remove"):
            load(path, "cpu", {"tracking.precision": "int8"})


def test_integers_that_cannot_be_had(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(mine, "cpu", {"tracking.precision": "int8"}).config
    with pytest.raises(InputError, match="is for processors, not for cuda:0; take auto, or device cpu"):
        integers_of(mine, config, "torch", torch.device("cuda:0"))
    monkeypatch.setattr(integers, "available", lambda: False)
    with pytest.raises(InputError, match="cannot here; take float32, or the backend onnx"):
        integers_of(mine, config, "torch", CPU)
    output = tmp_path / "floats.onnx"
    assert main(["export", str(mine), "--output", str(output)]) == 0
    with pytest.raises(InputError, match="an exported network in floats; export it in integers"):
        load(output, "cpu", {"tracking.precision": "int8"}, "onnx")
