"""One process or many, started by torchrun: who this one is, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from rartrack.errors import InputError
from rartrack.tracking.load import pick_device

_PATIENCE = timedelta(hours=2)
"""How long the others wait for one: it may be filling the cache."""


@dataclass(frozen=True)
class Processes:
    """Attributes: this process's rank, how many there are, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Let the gradients of all processes be averaged."""
        if self.world == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids)

    def sums(self, *values: float) -> list[float]:
        """Each value summed over the processes."""
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.world > 1:
            dist.all_reduce(total)
        return [float(value) for value in total]

    def together(self, texts: list[str]) -> list[str]:
        """The texts of all processes, in the order of their ranks."""
        if self.world == 1:
            return texts
        every: list[list[str]] = [[] for _ in range(self.world)]
        dist.all_gather_object(every, texts)
        return [text for part in every for text in part]

    def wait(self) -> None:
        """Until all are here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def join(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun or SLURM's launcher of it started (RANK, WORLD_SIZE, LOCAL_RANK); or be alone.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; each process of a machine takes the CUDA device of its local rank.

    Raises:
        InputError: the device is not there, or more processes than CUDA devices on a machine.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    place = pick_device(device)
    if world == 1:
        yield Processes(0, 1, place)
        return
    if place.type == "cuda":
        local, there = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if local >= there:
            raise InputError(f"local rank {local} has no CUDA device, there are {there}; start fewer processes")
        place = torch.device("cuda", local)
        torch.cuda.set_device(place)
    fast = place.type == "cuda" and dist.is_nccl_available()  # not on Windows
    backend, own = ("nccl", place) if fast else ("gloo", None)
    dist.init_process_group(backend, timeout=_PATIENCE, device_id=own)
    yield Processes(rank, world, place)
    # Not after an error, which the others know nothing of: NCCL would wait here for them, and they for this one.
    dist.destroy_process_group()
