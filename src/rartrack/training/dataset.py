"""Clips by index: the same clip for the same seed and index, whatever worker cuts it and in whatever order."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from rartrack.errors import InputError
from rartrack.processors import available_processors
from rartrack.training.augment import augment
from rartrack.training.cache import CacheError
from rartrack.training.clips import Clip, Jitter, Shot, cut_clip
from rartrack.training.config import TrainingConfig
from rartrack.training.stills import StillSource
from rartrack.training.videos import VideoSource

Split = Literal["train", "validation"]

_STREAM = {"train": 0, "validation": 1}
_ATTEMPTS = 50
"""Draws for one clip before the data counts as unusable."""

_CLASS = re.compile(r"^[\w.]+Error: ")
"""What begins a traceback's last line."""

_NOTICE = 1.0
"""Seconds within which the signal of a process's death arrives."""


class ClipDataset:
    """Endless: clip i depends on the seed, the split and i alone. Picklable; opens its files in each process anew.

    Args:
        config: sources, split, augmentation and the crops' geometry.
        split: ``"train"``, or ``"validation"``: clips of the held-out sequences, without change of colour or mirror.

    Raises:
        InputError: a source is not found or is a test benchmark, or the split has no sequence.
    """

    def __init__(self, config: TrainingConfig, split: Split = "train") -> None:
        self.config, self.split = config, split
        self.sources: list[VideoSource | StillSource] = []
        weights = []
        for name, source in config.data.sources.items():
            if source.kind == "video":
                held_out = split == "validation"
                videos = VideoSource(name, source, config.data, config.model, held_out)
                if split == "train" and source.weight and not (videos.sequences or videos.any_held_out):
                    why = next(iter(videos.left_out.items()), None)
                    said = f"{why[0]}: {why[1]}" if why else "none that include and exclude leave"
                    raise InputError(f"data.sources.{name}: no sequence to train on in {source.path} ({said})")
                if videos.sequences:
                    self.sources.append(videos)
                    weights.append(source.weight)
            elif split == "train":
                self.sources.append(StillSource(name, source, config.data))
                weights.append(source.weight)
        if not self.sources:
            what = "sequence to train on" if split == "train" else "held-out sequence (see data.held_out)"
            raise InputError(f"data.sources: no {what} among {', '.join(config.data.sources) or 'no sources at all'}")
        self._share = np.array(weights, dtype=np.float64)
        if split == "validation" and not self._share.any():  # what never trains may validate
            self._share[:] = 1
        if self._share.min() < 0 or self._share.sum() <= 0:
            raise InputError("data.sources: every weight must be at least 0, and one above it")
        self._share /= self._share.sum()

    @property
    def left_out(self) -> dict[str, str]:
        """Sequences that cannot give clips, and why."""
        return {f"{source.name}/{name}": why for source in self.sources for name, why in source.left_out.items()}

    def identity(self) -> dict[str, list[object]]:
        """Source -> what its clips depend on beside the settings, as plain values."""
        return {source.name: source.identity() for source in self.sources}

    def prepare(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Fill the cache, once, before workers share it; returns False if it was told to stop.

        Args:
            stopping: asked after every sequence that was decoded.
        """
        return all(source.prepare(stopping) for source in self.sources)

    def __getitem__(self, index: int) -> Clip:
        """Clip ``index``, 0 or above.

        Raises:
            InputError: fifty draws in a row met unusable data.
        """
        skipped: list[str] = []
        for attempt in range(_ATTEMPTS):
            random = np.random.default_rng([self.config.seed, _STREAM[self.split], index, attempt])
            source = self.sources[int(random.choice(len(self.sources), p=self._share))]
            try:
                shots, name = source.draw(random)
            except CacheError:
                raise
            except InputError as error:
                skipped.append(str(error))
                continue
            return replace(self._cut(shots, name, isinstance(source, StillSource), random), skipped=tuple(skipped))
        raise InputError(f"{_ATTEMPTS} draws in a row could not be used; the last: {skipped[-1]}")

    def _cut(self, shots: list[Shot], name: str, still: bool, random: np.random.Generator) -> Clip:
        data, model = self.config.data, self.config.clip_model
        jitter = Jitter.draw(random, data, model.network.input_size)
        others, place = shots[-1].others, None
        if data.elsewhere and len(others) and random.random() < data.elsewhere:
            place = others[int(random.integers(len(others)))]
        clip = cut_clip(shots, jitter, model, name, place)
        if self.split == "validation":
            return clip
        if data.turned and random.random() < data.turned:
            clip = clip.turned(int(random.integers(1, 4)))
        return augment(clip, data.augment, random, still, model.tracking.padding)


@dataclass(frozen=True)
class Batch:
    """Clips stacked.

    Attributes:
        crops: (N, T (1 + k) + 1, 3, S, S) RGB uint8: for each t the exemplar and its contexts, last the search.
        label: (N, 5) float32, as of ``Clip``.
        names: of the clips.
        skipped: for each clip, why draws for it could not be used.
    """

    crops: Tensor
    label: Tensor
    names: tuple[str, ...]
    skipped: tuple[tuple[str, ...], ...]

    @staticmethod
    def stack(clips: Sequence[Clip]) -> Batch:
        """Clips of one T, k and S as one batch."""
        crops = []
        for clip in clips:
            templates = np.concatenate([clip.exemplars[:, None], clip.contexts], axis=1)
            crops.append(np.concatenate([templates.reshape(-1, *clip.search.shape), clip.search[None]]))
        return Batch(
            torch.from_numpy(np.stack(crops).transpose(0, 1, 4, 2, 3).copy()),
            torch.from_numpy(np.stack([clip.label for clip in clips]).astype(np.float32)),
            tuple(clip.name for clip in clips),
            tuple(clip.skipped for clip in clips),
        )

    def pin_memory(self) -> Batch:
        """The same in page-locked memory, from which a GPU copies without waiting (DataLoader calls this)."""
        return replace(self, crops=self.crops.pin_memory(), label=self.label.pin_memory())

    def __len__(self) -> int:
        return len(self.crops)


class Items(Protocol):
    """Anything with items by index."""

    def __getitem__(self, index: int, /) -> Any: ...


class _Indexed(Dataset[Any]):
    """What DataLoader wants of a data set."""

    def __init__(self, clips: Items) -> None:
        self.clips = clips

    def __getitem__(self, index: int) -> Any:
        return self.clips[index]


@dataclass(frozen=True)
class Share(Sampler[list[int]]):
    """The clips of one process: update u takes clips u * batch + position, cut in order among processes and parts.

    Attributes:
        batch: clips an update over all processes.
        rank, world: this process and how many there are.
        parts: how many pieces a process's share is computed in.
        start, stop: first update, and the one after the last.
    """

    batch: int
    rank: int
    world: int
    parts: int
    start: int
    stop: int

    def __iter__(self) -> Iterator[list[int]]:
        size = self.batch // (self.world * self.parts)
        for update in range(self.start, self.stop):
            for part in range(self.parts):
                first = update * self.batch + (self.rank * self.parts + part) * size
                yield list(range(first, first + size))


def batches(
    clips: Items, share: Iterable[list[int]], workers: int, pin: bool = False, stack: Callable[..., Any] | None = None
) -> Iterator[Any]:
    """The batches of one process, in order, made by ``workers`` processes.

    Args:
        clips: by index.
        share: the indices of each batch.
        workers: processes, at most one for each processor; 0 makes them in this one. Each starts afresh instead of as a
            copy of this process (spawned, not forked: a copy made while another thread held a lock waits for it for
            ever), so a script that trains with workers needs the usual ``if __name__ == "__main__":``.
        pin: keep them in page-locked memory, for a GPU.
        stack: clips to batch; ``Batch.stack`` by default.

    Raises:
        InputError: a clip cannot be had, or a process was ended from outside; one line, whatever process it is of.
    """
    count = min(workers, available_processors())
    loader = DataLoader(
        _Indexed(clips),
        batch_sampler=share,
        collate_fn=Batch.stack if stack is None else stack,
        num_workers=count,
        pin_memory=pin,
        worker_init_fn=_apart,
        prefetch_factor=4 if count else None,
        multiprocessing_context="spawn" if count else None,
    )
    with dead_workers_in_one_line():
        try:
            yield from loader
        except InputError as error:
            # PyTorch sends a worker's whole traceback.
            raise InputError(_CLASS.sub("", str(error).strip().rpartition("\n")[2])) from None
        except (ConnectionError, EOFError) as error:
            # A process that dies closes its connections first; the signal that follows says which one and why.
            time.sleep(_NOTICE)
            raise _gone(error) from None


@contextmanager
def dead_workers_in_one_line() -> Iterator[None]:
    """PyTorch tells of a worker's death from a signal's handler, wherever this process happens to be."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise _gone(error) from None


def _gone(error: BaseException) -> InputError:
    return InputError(
        f"a process that cuts clips was ended from outside ({error}); memory may be short: try fewer workers; "
        "the same command goes on from the last checkpoint"
    )


def _apart(worker: int) -> None:  # noqa: ARG001
    """Workers are many: each keeps to one core. And each has a process group of its own, so that a signal to the run's
    group, as launchers and terminals send it, lets the run stop by itself, which ends them."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
