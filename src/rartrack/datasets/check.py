"""Look through a data set for what is missing, misnamed, short or unreadable, sequence by sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rartrack.datasets.dataset import Dataset
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.errors import InputError


@dataclass(frozen=True)
class Finding:
    """One problem: in which sequence, and what it is, in one line that names the file."""

    sequence: str
    problem: str


@dataclass(frozen=True)
class Checked:
    """What looking through one sequence gave.

    Attributes:
        sequence: its name.
        frames: how many frames are annotated; 0 where that could not be read.
        has_frames: whether its frames are there, or its annotation alone.
        findings: its problems.
    """

    sequence: str
    frames: int
    has_frames: bool
    findings: tuple[Finding, ...]


def check(dataset: Dataset, deep: bool = False) -> Iterator[Checked]:
    """Look through a data set, a sequence at a time.

    Reads every annotation, holds it against the frames that are there, and decodes the first and the last frame of each
    sequence, or, with ``deep``, every frame.
    """
    for entry in dataset.entries:
        try:
            sequence = entry.read()
        except InputError as error:
            yield Checked(entry.name, 0, False, (Finding(entry.name, str(error)),))
            continue
        problems = [*_annotation(sequence), *_frames(sequence, deep)]
        findings = tuple(Finding(entry.name, problem) for problem in problems)
        yield Checked(entry.name, len(sequence), sequence.frames is not None, findings)


def without_frames(checked: list[Checked]) -> list[Finding]:
    """Sequences whose frames are missing while others have theirs; a set of annotations alone is none of these."""
    if not any(each.has_frames for each in checked):
        return []
    absent = [each for each in checked if not each.has_frames and not each.findings]
    return [Finding(each.sequence, "no frames, only an annotation") for each in absent]


def _annotation(sequence: Sequence) -> Iterator[str]:
    if not sequence.visible[0]:
        yield f"the first frame has no box to start from: {_numbers(sequence.boxes[0])}"


def _frames(sequence: Sequence, deep: bool) -> Iterator[str]:
    frames = sequence.frames
    if frames is None:
        return
    try:
        count = len(frames)
    except InputError as error:
        yield str(error)
        return
    if count != len(sequence):
        wrong = "shorter" if len(sequence) < count else "longer"
        yield f"the annotation has {len(sequence)} lines, {wrong} than the {count} frames"
    yield from _decode(sequence, frames, range(count) if deep else sorted({0, count - 1}))


def _decode(sequence: Sequence, frames: Frames, indices: range | list[int]) -> Iterator[str]:
    size = sequence.frame_size
    for index in indices:
        try:
            height, width = frames[index].shape[:2]
        except InputError as error:
            yield str(error)
            continue
        if size is not None and (width, height) != size:
            yield f"frame {index} has {width}x{height} pixels, {size[0]}x{size[1]} expected"


def _numbers(box: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return ",".join(f"{number:g}" for number in box)
