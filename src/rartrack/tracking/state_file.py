"""A tracker's state as one safetensors file: its tensors, and in the header's ``state`` its words as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rartrack.errors import InputError
from rartrack.filter.context import Statistics
from rartrack.network.memory import Memory
from rartrack.outputs import check_output
from rartrack.results import Status
from rartrack.tracking.load import pick_device
from rartrack.tracking.state import STATISTICS, Form, TrackerState, Waiting


def save(state: TrackerState, path: str | Path) -> None:
    """See ``TrackerState.save``."""
    check_output(path, overwrite=True, pipes=True)
    try:
        save_file(tensors(state), str(path), metadata={"state": json.dumps(state.words())})
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot write the tracker's state: {error}") from None


def load(path: str | Path, device: torch.device | str | None) -> TrackerState:
    """See ``TrackerState.load``."""
    place = pick_device(device)
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        raise InputError(f"{path}: is a folder; give the name of a file")
    if not os.path.exists(path):  # noqa: PTH110
        raise InputError(f"{path}: no such file; give one that TrackerState.save wrote")
    try:
        with safe_open(str(path), framework="pt", device=str(place)) as stored:
            words = (stored.metadata() or {}).get("state", "")
            # Copies: the tensors would keep the file open, and Windows lets no open file be replaced.
            found = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: cannot read the tracker's state: {error}") from None
    try:
        return _restored(json.loads(words), found)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        raise InputError(f"{path}: not a tracker state; give a file that TrackerState.save wrote") from None


def tensors(state: TrackerState) -> dict[str, Tensor]:
    """What the file holds, each on the processor and in storage of its own, as safetensors wants them."""
    # safetensors knows no complex128: complex tensors travel as pairs of reals.
    return {
        name + ("#complex" if tensor.is_complex() else ""): (
            torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
        )
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, tensor in state.parts().items()
    }


def _restored(words: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> TrackerState:
    """The state of a file's words and tensors."""
    found = {
        name.removesuffix("#complex"): torch.view_as_complex(tensor) if name.endswith("#complex") else tensor
        for name, tensor in tensors.items()
    }
    memory = {name.removeprefix("memory."): t for name, t in found.items() if name.startswith("memory.")}
    form = words.get("form", "one" if len(words["names"]) == 1 else "mapping")  # files had none at first
    if form not in get_args(Form):
        raise ValueError(form)
    return TrackerState(
        form=form,
        frame_size=tuple(size) if (size := words.get("frame_size")) else None,
        names=tuple(words["names"]),
        frame=words["frame"],
        centre=found["centre"].cpu().numpy(),
        size=found["size"].cpu().numpy(),
        first_size=found["first_size"].cpu().numpy(),
        status=tuple(Status(status) for status in words["status"]),
        unseen=found["unseen"].cpu().numpy(),
        hint=found["hint"].cpu().numpy(),
        statistics=Statistics(*(found[name] for name in STATISTICS)),
        filter=found["filter"],
        memory=Memory.from_tensors(memory),
        first=_statistics(found, "first."),
        scale=_statistics(found, "scale."),
        waiting=Waiting(found["waiting"].cpu().numpy(), tuple(words["waiting"])) if "waiting" in found else None,
        thumbnail=found["thumbnail"].cpu().numpy() if "thumbnail" in found else None,
    )


def _statistics(tensors: Mapping[str, Tensor], prefix: str) -> Statistics | None:
    """Those of which a file has the first part."""
    if prefix + STATISTICS[0] not in tensors:
        return None
    return Statistics(*(tensors[prefix + name] for name in STATISTICS))
