"""Features of a frozen backbone, computed once a clip and kept on disk: on a CPU the backbone is most of the work."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from rartrack.code_digest import code_digest
from rartrack.config import to_dict
from rartrack.errors import InputError
from rartrack.network.inference import frozen_taps, pick_precision
from rartrack.network.rar import RAR
from rartrack.outputs import remove_leftovers
from rartrack.training.cache import CacheError, default_folder
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset, batches
from rartrack.training.teacher import Teacher

_PART = 4
"""Clips that pass the backbone together while the store is filled."""

_OF_BACKBONE = ("backbone", "width_divisor", "stage_stride", "dilate", "deformable", "levels", "input_size")
"""What of the network's settings the features depend on; variants of the attention share them."""

_CODE = (
    *(
        f"training/{name}.py"
        for name in ("augment", "cache", "clips", "dataset", "pseudo", "remember", "stills", "teacher", "videos")
    ),
    "datasets/coco.py",
    "tracking/crops.py",
    "network/backbone.py",
    "network/base.py",
    "network/deformable.py",
    "network/inference.py",
    "network/resnet.py",
    "network/vggm.py",
)
"""Code that says what is in a clip, what the backbone makes of it, and in what form it is kept: features of other code
are not taken."""

_OF_THE_TEACHER = ("network/box.py", "training/objective.py")
"""Code that says what a teacher says, besides."""

_NEWS = 30.0
"""Seconds between two lines about how far the filling is."""


@dataclass(frozen=True)
class RememberedClip:
    """A clip after the backbone.

    Attributes:
        taps: level -> (T (1 + k) + 1, C_l, n, n) float32, in the order of ``Batch.crops``.
        label: (5,) float32, as of ``Batch``.
        name: of the clip.
        skipped: why draws for it could not be used when it was cut; said in the first round alone.
        taught: (5, n, n) float32, what the teacher says of it; None without one.
    """

    taps: dict[int, Tensor]
    label: Tensor
    name: str
    skipped: tuple[str, ...] = ()
    taught: Tensor | None = None


@dataclass(frozen=True)
class RememberedBatch:
    """Remembered clips stacked; stands where a ``Batch`` of new clips would.

    Attributes:
        inputs: level -> (N, T (1 + k) + 1, C_l, n, n) float32.
        label: (N, 5) float32, as of ``Batch``.
        names, skipped: as of ``Batch``.
        taught: (N, 5, n, n) float32, what a teacher says of them; None without one.
    """

    inputs: dict[int, Tensor]
    label: Tensor
    names: tuple[str, ...]
    skipped: tuple[tuple[str, ...], ...]
    taught: Tensor | None = None

    @staticmethod
    def stack(clips: Sequence[RememberedClip]) -> RememberedBatch:
        """Clips of one shape as one batch."""
        taught = [clip.taught for clip in clips if clip.taught is not None]
        return RememberedBatch(
            {level: torch.stack([clip.taps[level] for clip in clips]) for level in clips[0].taps},
            torch.stack([clip.label for clip in clips]),
            tuple(clip.name for clip in clips),
            tuple(clip.skipped for clip in clips),
            torch.stack(taught) if taught else None,
        )


class Memorised:
    """The first ``config.optimization.remembered`` training clips as files of features, in a new order every round.

    Args:
        config, network: name the folder by everything that the features depend on; the network is not kept.
        teacher: whose maps are kept with the features, if one teaches.
        clips: of the config, whose data names the folder too; made anew if None.
    """

    def __init__(
        self, config: TrainingConfig, network: RAR, teacher: Teacher | None = None, clips: ClipDataset | None = None
    ) -> None:
        self.count, self.seed, self.teacher = config.optimization.remembered, config.seed, teacher
        self.taught = teacher is not None
        base = default_folder().parent if config.data.cache is None else Path(config.data.cache).expanduser()
        self.folder = base / "features" / _digest(config, network, teacher, clips)

    def __getstate__(self) -> dict[str, Any]:
        """What processes that read clips are given: the teacher has said all."""
        return {**self.__dict__, "teacher": None}

    def __getitem__(self, index: int) -> RememberedClip:
        """Clip ``index`` of an endless sequence of rounds."""
        turn, position = divmod(index, self.count)
        order = np.random.default_rng([self.seed, 2, turn]).permutation(self.count)
        path = self._path(int(order[position]))
        try:
            tensors = load(path.read_bytes())  # in one go: mapped, it comes page by page from a cold disk
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: damaged ({error}); delete it and it is made again") from None
        label, name = tensors["label"], _text(tensors["name"])
        skipped = tuple(json.loads(_text(tensors["skipped"]))) if turn == 0 else ()
        taps = {int(level): tensors[level] * tensors[f"{level}.step"] for level in tensors if level.isdigit()}
        taught = tensors["taught"].float() if self.taught else None
        return RememberedClip(taps, label, name, skipped, taught)

    def missing(self) -> list[int]:
        """Clips that have no file yet."""
        return [index for index in range(self.count) if not self._path(index).is_file()]

    def fill(
        self,
        network: RAR,
        clips: ClipDataset,
        indices: Sequence[int],
        workers: int,
        say: Callable[[str], None],
        stopping: Callable[[], bool],
    ) -> bool:
        """Compute and keep the features of these clips; returns False if it was told to stop before the end.

        Args:
            network: its backbone computes the features.
            clips: cut as for training.
            indices: of the clips.
            workers: processes that cut.
            say: takes a line of news.
            stopping: asked after every few clips.

        Raises:
            CacheError: the disk refuses.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder)
        except OSError as error:
            raise CacheError(f"{self.folder}: no folder can be made there ({error}); see data.cache") from None
        taps = frozen_taps(network, _precision(network))
        parts = [list(indices[start : start + _PART]) for start in range(0, len(indices), _PART)]
        spoken = time.monotonic()
        made = zip(parts, batches(clips, parts, workers), self._taught(parts, workers), strict=True)
        for number, (part, batch, taught) in enumerate(made):
            self._write(part, batch, taps(batch.crops.to(network.device).flatten(0, 1)), taught)
            if time.monotonic() - spoken > _NEWS:
                say(f"features of {min(len(indices), (number + 1) * _PART)} of {len(indices)} clips")
                spoken = time.monotonic()
            if stopping():
                return number == len(parts) - 1
        return True

    def _taught(self, parts: Sequence[list[int]], workers: int) -> Iterator[Tensor | None]:
        """What the teacher says of the clips of each part; None without one."""
        if self.teacher is None:
            yield from repeat(None, len(parts))
        else:
            for batch in batches(self.teacher.clips, parts, workers):
                yield self.teacher.maps(batch.crops)

    def _write(self, part: Sequence[int], batch: Batch, taps: dict[int, Tensor], taught: Tensor | None) -> None:
        count = batch.crops.shape[1]
        for row, index in enumerate(part):
            tensors = {"label": batch.label[row].clone()}
            if taught is not None:
                tensors["taught"] = taught[row].half()
            for level, tap in taps.items():
                tensors[f"{level}.step"], tensors[str(level)] = _eight_bits(tap[row * count : (row + 1) * count])
            tensors["name"] = _letters(batch.names[row])
            tensors["skipped"] = _letters(json.dumps(batch.skipped[row]))
            path = self._path(index)
            partial = path.with_suffix(f".{os.getpid()}.partial")  # another run may share the folder
            try:
                save_file(tensors, partial)
                partial.replace(path)
            except (OSError, SafetensorError) as error:
                partial.unlink(missing_ok=True)
                raise CacheError(f"{path}: cannot write ({error}); see data.cache, optimization.remembered") from None

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


def _letters(text: str) -> Tensor:
    """A text as a tensor of bytes; ``_text`` is the reverse."""
    return torch.tensor(list(text.encode(errors="surrogateescape")), dtype=torch.uint8)


def _text(letters: Tensor) -> str:
    return bytes(letters.tolist()).decode(errors="surrogateescape")


def _eight_bits(taps: Tensor) -> tuple[Tensor, Tensor]:
    """Steps (1, C, 1, 1) float32 and codes (B, C, n, n) uint8 of features, which a ReLU has left at 0 or above.

    Half the place of half floats, so that twice as many clips stay in the page cache; a channel's error is at most
    1/510 of its largest value in the clip.
    """
    step = taps.float().amax((0, 2, 3), keepdim=True) / 255
    codes = (taps.float() / step.clamp(min=1e-12)).round_().to(torch.uint8)
    return step.cpu(), codes.contiguous().cpu()


def _digest(config: TrainingConfig, network: RAR, teacher: Teacher | None, clips: ClipDataset | None) -> str:
    """Names everything that a clip's features depend on.

    Of the data not where it lies but what it is, as far as ``VideoSource.identity`` and ``StillSource.identity`` tell:
    names, annotation, and sizes of files.
    """
    tracking, data = config.model.tracking, to_dict(config.data)
    for source in data["sources"].values():
        del source["path"]
    weights = hashlib.sha256()
    for name, values in network.backbone.state_dict().items():
        weights.update(name.encode() + values.cpu().numpy().tobytes())
    content: dict[str, object] = {
        "code": code_digest(*_CODE),
        "data": {key: value for key, value in data.items() if key not in ("cache", "contexts")},
        "clips": (ClipDataset(config) if clips is None else clips).identity(),
        "network": {key: value for key, value in to_dict(config.model.network).items() if key in _OF_BACKBONE},
        "contexts": config.clip_model.filter.contexts,
        "window": [tracking.padding, tracking.crop],
        "seed": config.seed,
        "weights": weights.hexdigest(),
        "precision": str(_precision(network)),
    }
    if teacher is not None:
        content["teacher"] = [teacher.fingerprint, code_digest(*_OF_THE_TEACHER)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _precision(network: RAR) -> torch.dtype:
    """In which a backbone's features are computed that are kept in eight bits anyway."""
    return pick_precision("auto", network.device)
