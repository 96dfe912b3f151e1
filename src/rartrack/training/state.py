"""Everything a run needs to go on as if it had never stopped: one safetensors file, replaced in one step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rartrack.config import flat, to_dict
from rartrack.errors import InputError
from rartrack.outputs import replace_file
from rartrack.training.config import TrainingConfig

FILE = "state.safetensors"

_FREE = frozenset({"output", "device", "workers", "threads", "log_interval", "data.cache"})
"""Settings that may differ when a run goes on: where and how fast, not what is computed."""


@dataclass
class RunState:
    """Attributes:
    step: updates made. It is the sampler's position and the state of chance, too: the clips of update u follow from
        the seed and u, and nothing else in a run is left to chance.
    network, average: weights and statistics by name.
    optimizer: index of the parameter -> name -> tensor, as PyTorch's optimizers number them.
    scaler: loss scale of float16, empty otherwise.
    best: step and overlap (or negative loss) of the best validation so far, empty before the first.
    skipped: draws that met unusable data.
    losses: of the updates since the last row of the log; empty in states that older versions wrote.
    config: the run's settings, as plain values.
    """

    step: int
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[int, dict[str, Tensor]]
    config: dict[str, Any]
    scaler: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    skipped: int = 0
    losses: list[float] = field(default_factory=list)


def write(folder: Path, state: RunState) -> None:
    """Write a run's state; a crash at any moment leaves either the old file or the new one.

    Raises:
        InputError: the disk refuses, as when it is full; the old file stays.
    """
    tensors = {f"network.{name}": value for name, value in state.network.items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    tensors |= {
        f"optimizer.{index}.{name}": value for index, slots in state.optimizer.items() for name, value in slots.items()
    }
    about = {
        "step": state.step,
        "scaler": state.scaler,
        "best": state.best,
        "skipped": state.skipped,
        "losses": state.losses,
        "config": state.config,
    }
    # A copy each: safetensors refuses tensors that share memory.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(about)
    replace_file(folder / FILE, save(tensors, {"state": text, "digest": _digest(text, tensors)}))


def read(folder: Path) -> RunState | None:
    """Read a run's state, or None if there is none.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            about = json.loads(metadata["state"])
            # Copies: what is kept of them would keep the file open, and Windows lets no open file be replaced.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it to start the run anew") from None
    # States that older versions wrote have no digest.
    if metadata.get("digest") not in (None, _digest(metadata["state"], tensors)):
        raise InputError(f"{path}: damaged: it does not hold what was written; delete it to start the run anew")
    optimizer: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(tensors, "optimizer").items():
        index, _, slot = name.partition(".")
        optimizer.setdefault(int(index), {})[slot] = value
    return RunState(
        network=_part(tensors, "network"),
        average=_part(tensors, "average"),
        optimizer=optimizer,
        **about,
    )


def refuse_changes(folder: Path, before: Mapping[str, Any], config: TrainingConfig) -> None:
    """Refuse to go on with other settings than a run began with.

    Raises:
        InputError: it names what differs.
    """
    old, new = flat(before), flat(to_dict(config))
    differing = [key for key in sorted({*old, *new}) if key not in _FREE and old.get(key) != new.get(key)]
    if differing:
        listed = ", ".join(f"{key}: {old.get(key)!r} -> {new.get(key)!r}" for key in differing)
        raise InputError(f"{folder}: holds a run with other settings ({listed}); choose another output, or undo that")


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """What an optimizer remembers, by parameter index."""
    slots = optimizer.state_dict()["state"]
    return {
        index: {name: value for name, value in slot.items() if isinstance(value, Tensor)}
        for index, slot in slots.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[int, Mapping[str, Tensor]]) -> None:
    """The reverse of ``optimizer_tensors``."""
    content = optimizer.state_dict()
    content["state"] = {index: dict(slot) for index, slot in tensors.items()}
    optimizer.load_state_dict(content)


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that a state's file says."""
    digest = hashlib.sha256(text.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"\n{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(f"{part}.")}
