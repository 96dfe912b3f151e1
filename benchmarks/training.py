"""Clips a second while training, where the time goes, and how far that is from what the arithmetic allows.

    RARTRACK_DATA=DIR python benchmarks/training.py configs/fast.yaml --threads 2 --workers 2

Timed, each alone: cutting clips in one process; the backbone; the network forward with its loss; one whole step. Then
both together: whole steps fed by worker processes, with the share of time the network waits for clips. With
``optimization.remembered`` cutting and backbone come once a clip, not in a step, which begins with features in memory
(how long it waits for their files, the run's ``training.csv`` says). The limit is a step's number of operations, as
PyTorch counts them, over the speed of one large matrix product.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from ceiling import fastest, finish, product_speed
from torch.utils.flop_counter import FlopCounterMode

from rartrack.config_files import load_yaml
from rartrack.errors import one_line
from rartrack.network.inference import pick_precision
from rartrack.network.rar import RAR
from rartrack.tracking.load import pick_device
from rartrack.training.allocator import keep_freed_memory
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset, Share, batches
from rartrack.training.objective import objective
from rartrack.training.optimizer import build_optimizer, freeze, set_modes


@one_line()
def main() -> None:
    """Print the table."""
    options = _options()
    measure_steps(options)


def measure_steps(options: argparse.Namespace) -> None:
    """Time a config's steps and their parts, print the table."""
    if not options.system_allocator:
        keep_freed_memory()
    config = load_yaml(TrainingConfig, options.config)
    if options.batch:
        config = replace(config, optimization=replace(config.optimization, batch=options.batch))
    device = pick_device(options.device)
    torch.set_num_threads(options.threads)
    size, settings = config.optimization.batch, config.optimization
    precision = pick_precision(settings.precision, device)
    clips = ClipDataset(config)
    clips.prepare()

    network = RAR(config.model.network).to(device)
    freeze(network, settings)
    measure, optimizer = objective(network, config, precision), build_optimizer(network, settings)
    batch = Batch.stack([clips[index] for index in range(size)])
    set_modes(network, settings, batch.crops.shape[0] * batch.crops.shape[1])

    def taps() -> dict[int, torch.Tensor]:
        with torch.no_grad(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
            return measure.taps(batch.crops.to(device))

    remembered = taps() if settings.remembered else None

    def forward(given: Batch) -> torch.Tensor:
        inputs = given.crops.to(device) if remembered is None else remembered
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            loss: torch.Tensor = measure(inputs, given.label.to(device)).mean()
        return loss

    def step(given: Batch) -> None:
        optimizer.zero_grad(set_to_none=True)
        forward(given).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    cutting = fastest(lambda: [clips[index] for index in range(size, 2 * size)], device, options.repeats)
    backbone = fastest(taps, device, options.repeats)
    onward = fastest(lambda: forward(batch), device, options.repeats)
    whole = fastest(lambda: step(batch), device, options.repeats)
    with FlopCounterMode(display=False) as counter:
        step(batch)
    limit = counter.get_total_flops() / product_speed(device, precision)
    once = ", once a clip" if settings.remembered else ""
    rows = [
        (f"cutting clips, one process{once}", cutting),
        (f"backbone forward{once}", backbone),
        ("forward with loss", onward),
        ("backward and update", whole - onward),
        ("step", whole),
        ("step by arithmetic alone", limit),
    ]
    waited = ""
    if not settings.remembered:
        together, waiting = _fed(clips, config, options.workers, options.steps, step, device)
        rows.append(("step fed by workers", together))
        waited = f"waiting for clips: {100 * waiting:.0f} % of the time; "

    print(f"{options.config}: {size} clips of {batch.crops.shape[1]} crops, {device.type}, {precision}")
    print(f"threads {options.threads}, workers {options.workers}; best of {options.repeats}")
    for name, seconds in rows:
        print(f"{name:40s} {1e3 * seconds:9.1f} ms a batch  {size / seconds:8.1f} clips/s")
    print(f"{waited}{limit / whole:.0%} of the arithmetic's speed")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--system-allocator", action="store_true", help="leave the allocator as it is")
    parser.add_argument("--batch", type=int, help="clips a step (the config's)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="steps fed by workers")
    return parser.parse_args()


def _fed(
    clips: ClipDataset,
    config: TrainingConfig,
    workers: int,
    steps: int,
    step: Callable[[Batch], None],
    device: torch.device,
) -> tuple[float, float]:
    """Seconds a step, and the share of them spent waiting, once the workers have filled their queues."""
    share = Share(config.optimization.batch, 0, 1, 1, 0, steps + 2)
    waiting, begin = 0.0, time.perf_counter()
    mark = begin
    for number, batch in enumerate(batches(clips, share, workers, device.type == "cuda")):
        if number == 2:
            waiting, begin = 0.0, time.perf_counter()
        else:
            waiting += time.perf_counter() - mark
        step(batch)
        finish(device)
        mark = time.perf_counter()
    total = mark - begin
    return total / steps, waiting / total


if __name__ == "__main__":
    main()
