"""The network laid out for a processor computes what the prepared one does."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

from rartrack.network.inference import pick_precision, prepare_for_inference
from rartrack.network.packed import PackedConv2d, packed
from rartrack.network.rar import RAR

CASES = {
    "bottlenecks": {"deformable": ()},
    "deformable": {},
    "Caffe strides": {"stage_stride": "1x1"},
    "basic blocks": {"backbone": "resnet18", "levels": (3, 4)},
    "deformable basic block": {"backbone": "resnet18", "levels": (3, 4), "deformable": ("layer2.1",)},
    "no blocks": {"backbone": "vggm"},
    "without attention": {"attention": False},
}


def two_steps(network: RAR) -> list[torch.Tensor]:
    """Features of two steps, and the memory after them, in float32."""
    crops = torch.randint(0, 256, (3, 3, 127, 127), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    with torch.inference_mode():
        first, memory = network(crops, network.initial_memory(3))
        second, memory = network(crops.flip(3), memory)
    return [value.float() for value in (first, second, *memory.tensors().values())]


def differences(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> list[float]:
    return [float((a - b).norm() / b.norm()) for a, b in zip(found, wanted, strict=True)]


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_same_features_and_memory(small, perturb, changes):
    prepared = prepare_for_inference(perturb(RAR(small(**changes))).eval())
    ours = packed(prepared)
    assert ours is not prepared
    assert max(differences(two_steps(ours), two_steps(prepared))) < 1e-5


@pytest.mark.skipif(
    pick_precision("auto", torch.device("cpu")) != torch.bfloat16, reason="the processor does not compute in bfloat16"
)
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_in_16_bits_no_further_from_single_precision_than_the_prepared_one(small, perturb, changes):
    network = perturb(RAR(small(**changes))).eval()
    prepared = prepare_for_inference(network, torch.bfloat16)
    ours, exact = packed(prepared), two_steps(prepare_for_inference(network))
    assert ours is not prepared
    pairs = zip(differences(two_steps(ours), exact), differences(two_steps(prepared), exact), strict=True)
    assert all(found < 1.3 * expected for found, expected in pairs)


def test_the_prepared_network_is_left_alone(small):
    prepared = prepare_for_inference(RAR(small()).eval())
    packed(prepared)
    assert not any(isinstance(module, PackedConv2d) for module in prepared.modules())
    assert not any(type(module) is nn.Conv2d for module in packed(prepared).backbone.modules())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_and_pickles_compute_the_same(small, copied):
    ours = packed(prepare_for_inference(RAR(small()).eval()))
    assert all(map(torch.equal, two_steps(copied(ours)), two_steps(ours)))


def test_where_torch_cannot_the_network_stays_as_it_is(small, monkeypatch):
    prepared = prepare_for_inference(RAR(small()).eval())

    def refuse(*_: object) -> None:
        raise RuntimeError("not on this processor")

    monkeypatch.setattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", refuse)
    assert packed(prepared) is prepared


STEPS = """
import torch
import rartrack

ours = rartrack.load("rar-fast", device="cpu", settings={{"tracking.precision": "float32"}}).model.network
crop = torch.zeros(1, 3, 127, 127, dtype=torch.uint8)
torch.set_num_threads({threads})
with torch.inference_mode():
    memory = ours.initial_memory(1)
    for step in range(2):
        print("step", step, flush=True)
        _, memory, _ = ours.look(crop, memory)
"""


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch comes without oneDNN here")
@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_laid_out_in_a_frame(threads):
    """By oneDNN's own account, on instructions that every x86-64 of today has; loaded with one thread."""
    limits = {"ONEDNN_VERBOSE": "1", "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STEPS.format(threads=threads)]
    done = subprocess.run(command, env=os.environ | limits, check=True, capture_output=True, text=True)
    _, step = done.stdout.split("step 1\n")
    assert "convolution" in step
    assert not [line for line in step.splitlines() if ",reorder," in line]
