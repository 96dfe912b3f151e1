"""The exported network computes what torch's does, whichever library runs it."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_models import trained

from rartrack.backends import onnx_file
from rartrack.backends.onnx_file import OnnxFile, export, read
from rartrack.backends.prepared import prepared_network
from rartrack.backends.runtimes import Runtime, open_exported
from rartrack.checkpoints import Checkpoint
from rartrack.config import to_dict
from rartrack.errors import InputError
from rartrack.network.deformable import DeformableConv2d
from rartrack.network.inference import pick_precision
from rartrack.network.memory import Memory
from rartrack.network.rar import RAR
from small_network import SMALL, untrained

TOLERANCE = 1e-4
"""Largest difference from torch, relative to the largest value; sums in another order make about 1e-6."""

OTHERS = [
    "onnx",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed"),
    ),
]

Pair = tuple[RAR, bytes]


@pytest.fixture(scope="module")
def with_memory() -> Pair:
    """A trained network, prepared, and its export."""
    return _pair(trained())


@pytest.fixture(scope="module")
def without_memory() -> Pair:
    """An untrained network, prepared, and its export."""
    return _pair(untrained())


def _pair(checkpoint: Checkpoint, crops: onnx_file.CropType = "uint8") -> Pair:
    network = prepared_network(checkpoint, "small")
    return network, export(network, checkpoint, "0" * 64, crops)[0]


def crops(batch: int, seed: int = 0) -> torch.Tensor:
    """As the tracker cuts them: (B, S, S, 3) seen as (B, 3, S, S)."""
    draw = torch.Generator().manual_seed(seed)
    side = SMALL.input_size
    return torch.randint(0, 256, (batch, side, side, 3), generator=draw, dtype=torch.uint8).permute(0, 3, 1, 2)


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert (found - expected).abs().max() < TOLERANCE * expected.abs().max()


@torch.inference_mode()
def assert_agree(network: RAR, runtime: Runtime, batch: int) -> None:
    """Features and memory of two steps, the second of which reads the memory of the first."""
    ours, theirs = network.initial_memory(batch), runtime.initial_memory(batch)
    for seed in range(2):
        expected, ours = network(crops(batch, seed), ours)
        found, theirs = runtime(crops(batch, seed), theirs)
        assert_close(found, expected)
        assert theirs.tensors().keys() == ours.tensors().keys()
        for name, tensor in ours.tensors().items():
            assert_close(theirs.tensors()[name], tensor)


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_features_and_memory_agree_at_any_batch(with_memory: Pair, backend: str, batch: int) -> None:
    network, content = with_memory
    assert network.remembers
    assert_agree(network, open_exported(content, backend, "small"), batch)


@pytest.mark.parametrize("backend", OTHERS)
def test_the_memory_counts(with_memory: Pair, backend: str) -> None:
    runtime = open_exported(with_memory[1], backend, "small")
    first, after = runtime(crops(1), runtime.initial_memory(1))
    second, _ = runtime(crops(1), after)
    assert (second - first).abs().max() > 0.01 * first.abs().max()


@pytest.mark.parametrize("backend", OTHERS)
def test_a_network_without_memory(without_memory: Pair, backend: str) -> None:
    network, content = without_memory
    runtime = open_exported(content, backend, "small")
    assert not runtime.initial_memory(2).levels
    assert_agree(network, runtime, 2)


@pytest.fixture(scope="module")
def with_boxes() -> Pair:
    """A network with a box head, prepared, and its export."""
    return _pair(trained(box_channels=8))


@pytest.mark.parametrize("backend", OTHERS)
def test_boxes_agree_and_the_template_is_the_first_crops(with_boxes: Pair, backend: str) -> None:
    network, content = with_boxes
    runtime = open_exported(content, backend, "small")
    assert runtime.gives_boxes
    assert runtime.initial_memory(2).template is None
    assert_agree(network, runtime, 2)
    _, ours, _ = network.look(crops(2), network.initial_memory(2))
    _, theirs, _ = runtime.look(crops(2), runtime.initial_memory(2))
    _, later, found = runtime.look(crops(2, seed=1), theirs)
    assert later.template is theirs.template
    _, _, expected = network.look(crops(2, seed=1), ours)
    assert expected is not None
    assert found is not None
    assert expected.std() > 0.01
    assert_close(found, expected)


NATIVE = pick_precision("auto", torch.device("cpu")) == torch.bfloat16


@pytest.mark.skipif(not NATIVE, reason="the processor does not compute in bfloat16")
def test_openvino_in_bfloat16_differs_by_rounding(with_memory: Pair) -> None:
    pytest.importorskip("openvino")
    _, content = with_memory
    exact = open_exported(content, "openvino", "small", torch.float32)
    rounded = open_exported(content, "openvino", "small", torch.bfloat16)
    expected, _ = exact(crops(2), exact.initial_memory(2))
    found, after = rounded(crops(2), rounded.initial_memory(2))
    assert not torch.equal(found, expected)
    assert found.dtype == next(iter(after.tensors().values())).dtype == torch.float32
    assert (found - expected).norm() < 0.05 * expected.norm()


@pytest.mark.skipif(NATIVE, reason="the processor computes in bfloat16")
def test_openvino_says_that_a_processor_has_no_bfloat16(with_memory: Pair) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(InputError, match=r"no bfloat16; set tracking\.precision to auto"):
        open_exported(with_memory[1], "openvino", "small", torch.bfloat16)


def test_a_memory_in_bfloat16_is_taken(with_memory: Pair) -> None:
    """A state goes on in another backend than the one that made it."""
    network, content = with_memory
    runtime = open_exported(content, "onnx", "small")
    _, memory = network(crops(1), network.initial_memory(1))
    rounded = Memory.from_tensors({name: tensor.bfloat16() for name, tensor in memory.tensors().items()})
    expected, _ = runtime(crops(1, seed=1), memory)
    assert (runtime(crops(1, seed=1), rounded)[0] - expected).norm() < 0.05 * expected.norm()


@pytest.mark.parametrize("backend", OTHERS)
def test_results_are_not_overwritten_by_the_next_call(with_memory: Pair, backend: str) -> None:
    runtime = open_exported(with_memory[1], backend, "small")
    features, memory = runtime(crops(1), runtime.initial_memory(1))
    kept = [features.clone(), *(tensor.clone() for tensor in memory.tensors().values())]
    runtime(crops(1, seed=1), memory)
    for before, now in zip(kept, [features, *memory.tensors().values()], strict=True):
        assert torch.equal(before, now)


@pytest.fixture(scope="module")
def with_offsets() -> Pair:
    """A network whose deformable convolution is trained, prepared, and its export."""
    return _pair(trained(deformable=("layer3.0",), attention=False))


@pytest.mark.parametrize("backend", OTHERS)
def test_trained_offsets_run_too(with_offsets: Pair, backend: str) -> None:
    network, content = with_offsets
    assert any(isinstance(module, DeformableConv2d) for module in network.modules())
    assert_agree(network, open_exported(content, backend, "small"), 2)


def test_crops_as_floats() -> None:
    network, content = _pair(untrained(), "float32")
    session = onnxruntime.InferenceSession(content)
    assert session.get_inputs()[0].type == "tensor(float)"
    found = session.run(None, {"crops": crops(2).float().numpy()})[0]
    assert_close(torch.from_numpy(found), network(crops(2), Memory())[0])
    assert_agree(network, open_exported(content, "onnx", "small"), 2)


def test_what_the_file_holds(with_memory: Pair, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(with_memory[1])
    model = onnx.load(path)
    onnx.checker.check_model(model)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["rartrack"] == onnx_file.FORMAT
    assert json.loads(about["config"]) == to_dict(trained().config)
    assert json.loads(about["provenance"]) == {"licence": "none"}
    memory = [f"{level}.{part}" for level in (3, 4) for part in ("hidden", "cell")]
    assert [entry.name for entry in model.graph.input] == ["crops", *(f"memory.{name}" for name in memory)]
    assert [entry.name for entry in model.graph.output] == ["features", *(f"next.{name}" for name in memory)]
    stored = read(path)
    assert isinstance(stored, OnnxFile)
    assert stored.config == trained().config
    assert stored.fingerprint == "0" * 64


def test_the_exported_graph_is_the_prepared_one(without_memory: Pair) -> None:
    operations = {node.op_type for node in onnx.load_model_from_string(without_memory[1]).graph.node}
    assert "BatchNormalization" not in operations
    assert "Sigmoid" not in operations  # attention at its neutral start is not computed


def test_an_export_that_differs_is_refused(without_memory: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_converted", lambda *_: onnx.load_model_from_string(without_memory[1]))
    monkeypatch.setattr(onnx_file, "largest_difference", lambda *_: 0.1)
    checkpoint = untrained()
    with pytest.raises(InputError, match=r"differs from torch's by 1\.0e-01"):
        export(prepared_network(checkpoint, "small"), checkpoint, "")


def test_what_is_no_number_is_no_agreement(without_memory: Pair) -> None:
    network = copy.deepcopy(without_memory[0])
    next(network.refinement.parameters()).fill_(float("nan"))
    assert onnx_file.largest_difference(network, without_memory[1]) == float("inf")


def test_files_that_are_refused(with_memory: Pair, tmp_path: Path) -> None:
    foreign = onnx.load_model_from_string(with_memory[1])
    del foreign.metadata_props[:]
    newer = onnx.load_model_from_string(with_memory[1])
    next(entry for entry in newer.metadata_props if entry.key == "rartrack").value = "99"
    bare = onnx.load_model_from_string(with_memory[1])
    bare.metadata_props.remove(next(entry for entry in bare.metadata_props if entry.key == "config"))
    cases = {
        "bare": (bare.SerializeToString(), r"metadata are not whole \(KeyError\('config'\)\); export it again"),
        "damaged": (with_memory[1][:-100], "not a complete ONNX file"),
        "foreign": (foreign.SerializeToString(), "without rartrack's settings"),
        "newer": (newer.SerializeToString(), "export it again"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read(path)
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "missing.onnx")


def test_a_network_that_a_library_cannot_run_is_one_line() -> None:
    with pytest.raises(InputError, match="backend onnx cannot run this network") as caught:
        open_exported(b"nonsense", "onnx", "some.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_torchs(with_memory: Pair, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    session = onnxruntime.InferenceSession

    def watch(content: bytes, options: onnxruntime.SessionOptions, **others: object) -> object:
        seen.append(options.intra_op_num_threads)
        return session(content, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watch)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    open_exported(with_memory[1], "onnx", "small")
    assert seen == [threads]


def test_arrays_of_the_callers_own(with_memory: Pair) -> None:
    """Crops in any memory order, and floats where the file takes integers."""
    runtime = open_exported(with_memory[1], "onnx", "small")
    memory = runtime.initial_memory(2)
    expected, _ = runtime(crops(2), memory)
    for same in (crops(2).contiguous(), crops(2).float(), torch.from_numpy(np.asfortranarray(crops(2).numpy()))):
        assert torch.equal(runtime(same, memory)[0], expected)
