"""The network's time against the time its arithmetic would take at the speed of one large matrix product."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from rartrack.config import NetworkConfig
from rartrack.evaluation.trackers import Tracker
from rartrack.network.memory import Memory
from rartrack.network.rar import RAR
from rartrack.tracking.tracker import Tracker as OurTracker

SIDES = {"cpu": 1536, "cuda": 8192}
"""Of the square matrices that are multiplied; on a processor, at a quarter of it the speed is the same within a few
percent."""
CROPS = (1, 3)


@torch.inference_mode()
def against_ceiling(trackers: dict[str, Tracker], repeats: int = 30) -> None:
    """Print, for every tracker of ours, a pass over one crop and over three, best of several.

    A pass is one of a target that is followed: the first one's memory is there. The operations are those of the whole
    network, box head included, counted by torch on its own; the precision of the product is that of the floats of
    torch's network, and single for the other backends. A backbone in integers may be quicker than it.
    """
    ours = {name: tracker for name, tracker in trackers.items() if isinstance(tracker, OurTracker)}
    width = max(map(len, ours), default=8)
    print(f"\n{'network':{width}s}{'crops':>7s}{'GFLOP':>8s}{'ms':>8s}{'GFLOP/s':>9s}{'ceiling':>9s}{'ratio':>7s}")
    counted: dict[NetworkConfig, int] = {}
    for name, tracker in ours.items():
        network, side, shape = tracker.model.network, tracker.model.side, tracker.config.network
        precision = network.dtype if isinstance(network, RAR) else torch.float32
        for count in CROPS:
            crops = torch.zeros(count, 3, side, side, dtype=torch.uint8, device=network.device)
            crops = crops.contiguous(memory_format=torch.channels_last)
            memory = network.look(crops, network.initial_memory(count))[1]
            if isinstance(network, RAR) and shape not in counted:
                counted[shape] = operations(network, crops, memory) // count
            if shape not in counted:
                continue
            best = fastest(lambda network=network, given=(crops, memory): network.look(*given), network.device, repeats)
            speed = counted[shape] * count / best / 1e9
            limit = product_speed(network.device, precision) / 1e9
            print(
                f"{name:{width}s}{count:7d}{counted[shape] * count / 1e9:8.2f}{best * 1e3:8.1f}{speed:9.0f}{limit:9.0f}"
                f"{speed / limit:7.2f}",
                flush=True,
            )


def operations(network: RAR, crops: torch.Tensor, memory: Memory) -> int:
    """Floating-point operations of one pass, those of packed convolutions, which torch does not know, included."""
    packed = {
        torch.ops.mkldnn._convolution_pointwise: _convolution,
        torch.ops.onednn.qconv2d_pointwise: _integer_convolution,
    }
    with FlopCounterMode(display=False, custom_mapping=packed) as counter:
        network.look(crops, memory)
    return counter.get_total_flops()


def _convolution(*shapes: Sequence[int] | None, out_shape: Sequence[int], **_: object) -> int:
    """Arguments are x, weight, bias, ...; or x, the map that is added, weight, bias, ..."""
    weight = shapes[2] if shapes[2] is not None and len(shapes[2]) == 4 else shapes[1]
    assert weight is not None
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


def _integer_convolution(*shapes: Sequence[int] | float | None, out_shape: Sequence[int], **_: object) -> int:
    """Arguments are x, its scale and zero point, weight, ..."""
    weight = shapes[3]
    assert isinstance(weight, Sequence)
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


def product_speed(device: torch.device, precision: torch.dtype) -> float:
    """Operations a second of a square matrix product, best of ten."""
    side = SIDES[device.type]
    matrix = torch.randn(side, side, device=device).to(precision)
    return 2 * side**3 / fastest(lambda: matrix @ matrix, device, 10)


def fastest(function: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Seconds of the fastest of several calls, after two that are not counted; what they ask of a device among them."""
    taken: Sequence[float] = [_seconds(function, device) for _ in range(repeats + 2)]
    return min(taken[2:])


def _seconds(function: Callable[[], object], device: torch.device) -> float:
    begin = time.perf_counter()
    function()
    finish(device)
    return time.perf_counter() - begin


def finish(device: torch.device) -> None:
    """Wait until a device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
