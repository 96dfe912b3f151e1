"""Clips' frames from annotated videos, filtered as DCFNet does (SPEC Sec. 9)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.config import ModelConfig
from rartrack.datasets import Dataset, Sequence, load_dataset
from rartrack.datasets.dataset import Entry
from rartrack.errors import InputError
from rartrack.training.cache import CacheError, Surroundings, cache_file, surroundings
from rartrack.training.clips import Shot
from rartrack.training.config import DataConfig, SourceConfig
from rartrack.training.files import frame_files, size_and_time
from rartrack.training.split import is_copy, matches, refuse_tests


class VideoSource:
    """The sequences of one source that can give clips; picklable.

    Args:
        name: the source's name in the config.
        source: where it lies and what is used of it.
        data: exemplars, gaps, the held-out list and the cache.
        model: input size and padding say how much of a frame is kept in the cache.
        held_out: draw from the held-out sequences instead of the others.

    Attributes:
        left_out: sequence -> why it cannot give clips.
        any_held_out: whether some of its sequences are held out.

    Raises:
        InputError: the data set is not found, or is a test benchmark.
    """

    def __init__(
        self, name: str, source: SourceConfig, data: DataConfig, model: ModelConfig, held_out: bool = False
    ) -> None:
        self.name, self.source, self.data, self.model = name, source, data, model
        self.left_out: dict[str, str] = {}
        dataset = load_dataset(source.path)
        refuse_tests(dataset)
        refuse_tests(replace(dataset, entries=tuple(entry for entry in dataset.entries if self._wanted(entry))))
        self.any_held_out = any(matches(entry.name, data.held_out) for entry in dataset.entries if self._wanted(entry))
        self.sequences = [sequence for sequence in self._chosen(dataset, held_out) if self._usable(sequence)]
        lengths = np.array([len(sequence) for sequence in self.sequences], dtype=np.float64)
        share = lengths**source.balance
        self._share = share / share.sum() if len(share) else share
        self._surroundings: dict[int, Surroundings] = {}

    def prepare(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Fill the cache for every sequence that has one, so that workers only read.

        Args:
            stopping: asked after every sequence that was decoded.

        Returns:
            False if it was told to stop; another call goes on from there.

        Raises:
            CacheError: the cache cannot be written.
        """
        for index, sequence in enumerate(self.sequences):
            path = cache_file(sequence, self.model, self.data)
            decodes = path is not None and not path.is_file()
            try:
                self._around(index)
            except CacheError:
                raise
            except InputError as error:
                # It stays among those drawn, so that clips are the same without this call; each draw is skipped.
                self.left_out[sequence.name] = str(error)
                continue
            if decodes and stopping():
                return False
        return True

    def identity(self) -> list[object]:
        """What clips depend on beside the settings, as plain values: in order, each sequence's name, frame size and
        boxes, and of the files of its frames name and size.

        Neither where they lie nor when they were written, so that copies are the same; but pictures changed without a
        byte more or less are not noticed, which compressed ones hardly are.
        """
        return [_identity(sequence) for sequence in self.sequences]

    def draw(self, random: np.random.Generator) -> tuple[list[Shot], str]:
        """T exemplars and a later search frame of one random sequence, and their name.

        Raises:
            InputError: the drawn sequence or one of its frames cannot be used; draw again.
        """
        if not self.sequences:
            raise InputError(f"{self.name}: no sequence to draw from")
        index = int(random.choice(len(self.sequences), p=self._share))
        sequence, around = self.sequences[index], self._around(index)
        usable = acceptable(sequence.boxes, around.frame_size, self.source) & sequence.visible & around.present
        frames = draw_frames(usable, self.data.exemplars, self.data.gap, random)
        if frames is None:
            needed = self.data.exemplars + 1
            raise InputError(f"{sequence.name}: no run of {needed} frames whose boxes pass the filters")
        shots = [around.shot(frame) for frame in frames]
        return shots, f"{self.name}/{sequence.name}:{'-'.join(map(str, frames))}"

    def _around(self, index: int) -> Surroundings:
        if index not in self._surroundings:
            self._surroundings[index] = surroundings(self.sequences[index], self.model, self.data)
        return self._surroundings[index]

    def _chosen(self, dataset: Dataset, held_out: bool) -> list[Sequence]:
        chosen = []
        for entry in dataset.entries:
            if matches(entry.name, self.data.held_out) != held_out:
                continue
            if not self._wanted(entry):
                continue
            if is_copy(entry.name):
                self.left_out[entry.name] = "a test sequence of OTB or VOT under another name"
                continue
            try:
                sequence = entry.read()
            except InputError as error:
                self.left_out[entry.name] = str(error)
                continue
            if not any(matches(attribute, self.source.exclude) for attribute in sequence.attributes):
                chosen.append(sequence)
        return chosen

    def _wanted(self, entry: Entry) -> bool:
        return matches(entry.name, self.source.include) and not matches(entry.name, self.source.exclude)

    def _usable(self, sequence: Sequence) -> bool:
        """Whether clips can be cut at all; what needs the frames' size is decided when a clip is drawn."""
        needed = self.data.exemplars + 1
        if sequence.frames is None:
            self.left_out[sequence.name] = "annotations without frames"
        elif max((stop - start for start, stop in runs(sequence.visible)), default=0) < needed:
            self.left_out[sequence.name] = f"no {needed} frames in a row with a visible box"
        else:
            return True
        return False


def _identity(sequence: Sequence) -> list[object]:
    assert sequence.frames is not None
    boxes = hashlib.sha256(np.ascontiguousarray(sequence.boxes).tobytes() + sequence.visible.tobytes()).hexdigest()
    files = [(path.name, size_and_time(path)[0]) for path in frame_files(sequence.frames)]
    return [sequence.name, sequence.frame_size, boxes, files]


def acceptable(boxes: Boxes, frame_size: tuple[int, int], source: SourceConfig) -> NDArray[np.bool_]:
    """(T,) bool: the boxes (T, 4) that pass DCFNet's filters; False for NaN."""
    frame = np.asarray(frame_size, dtype=np.float64)
    low, high = boxes[:, :2], frame - boxes[:, :2] - boxes[:, 2:]
    with np.errstate(invalid="ignore"):
        side = np.sqrt(boxes[:, 2:].prod(axis=1))
        ratio = side / np.sqrt(frame.prod())
        inside = np.minimum(low, high) >= source.border * boxes[:, 2:]
        small, large = source.area_ratio
        return np.asarray((ratio > small) & (ratio < large) & (side >= source.smallest) & inside.all(axis=1))


def runs(usable: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], usable, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def draw_frames(usable: NDArray[np.bool_], exemplars: int, gap: int, random: np.random.Generator) -> list[int] | None:
    """Indices of T exemplars and the search frame within one run of usable frames.

    Gaps are uniform on 1..gap, or on 1 to a T-th of the run where that is shorter. None if no run is long enough.
    """
    fitting = [(start, stop) for start, stop in runs(usable) if stop - start > exemplars]
    if not fitting:
        return None
    lengths = np.array([stop - start for start, stop in fitting], dtype=np.float64)
    start, stop = fitting[int(random.choice(len(fitting), p=lengths / lengths.sum()))]
    gaps = random.integers(1, min(gap, (stop - start - 1) // exemplars), size=exemplars, endpoint=True)
    first = int(random.integers(start, stop - gaps.sum()))
    return [first, *(first + int(step) for step in np.cumsum(gaps))]
