"""Find the frames of a sequence on disk and hold them against its annotation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rartrack.boxes import Boxes
from rartrack.errors import InputError
from rartrack.video import ImageFrames
from rartrack.video.images import image_names

if TYPE_CHECKING:
    from rartrack.datasets.sequence import Frames

_NUMBER = re.compile(r"(\d+)(?=\D*$)")
_SAID = 5
"""Gaps in the images' numbers that are named at most."""


def all_images(folder: Path, annotated: int, annotation: Path) -> Frames:
    """Every image of a folder, one per annotated frame.

    Raises:
        InputError: the folder holds more or fewer images than the annotation has lines.
    """
    names = image_names(folder)
    same_length(annotated, annotation, len(names), f"images in {folder}{_lacking(names, annotated - len(names))}")
    return image_frames(folder, names)


def padded_images(folder: Path, boxes: Boxes, annotation: Path) -> tuple[Frames | None, Boxes]:
    """Every image of a folder; an annotation of the first frame alone, as test sets publish it, is filled up with NaN.

    Returns:
        the frames, or None where the folder has none; and boxes (T, 4), one per frame.

    Raises:
        InputError: the numbers differ and the annotation has more than one line.
    """
    names = image_names(folder) if folder.is_dir() else []
    if not names:
        return None, boxes
    if len(boxes) == 1 and len(names) > 1:
        return image_frames(folder, names), np.vstack([boxes, np.full((len(names) - 1, 4), np.nan)])
    lacking = _lacking(names, len(boxes) - len(names))
    same_length(len(boxes), annotation, len(names), f"images in {folder}{lacking}")
    return image_frames(folder, names), boxes


def numbered_images(folder: Path, numbers: Iterable[int]) -> Frames:
    """The images of a folder that bear these numbers, whatever their digits and suffix.

    Raises:
        InputError: some are missing; it names the first.
    """
    by_number = {_number(name): name for name in reversed(image_names(folder))}
    numbers = list(numbers)
    missing = [number for number in numbers if number not in by_number]
    if missing:
        have = [number for number in by_number if number >= 0]
        held = f"it holds {min(have)} to {max(have)}" if have else "it holds no numbered image"
        raise InputError(
            f"{folder}: {len(missing)} of images {numbers[0]} to {numbers[-1]} are missing, first {missing[0]}; {held}"
        )
    return image_frames(folder, [by_number[number] for number in numbers])


def same_length(annotated: int, annotation: Path, frames: int, what: str) -> None:
    """Hold an annotation's length against its frames.

    Raises:
        InputError: they differ.
    """
    if annotated != frames:
        wrong = "shorter" if annotated < frames else "longer"
        raise InputError(f"{annotation}: {annotated} lines, {wrong} than the {frames} {what}")


def image_frames(folder: Path, names: list[str]) -> Frames:
    """Frames read from these images of a folder when asked for."""
    return ImageFrames([folder / name for name in names])


def _lacking(names: list[str], count: int) -> str:
    """What to say of images that bear numbers with gaps, where that explains that so many are missing."""
    numbers = sorted(map(_number, names))
    gaps = [(before + 1, after) for before, after in pairwise(numbers) if after > before + 1]
    lacking = sum(after - first for first, after in gaps)
    if not gaps or numbers[0] < 0 or lacking > count or len(set(numbers)) < len(numbers):
        return ""
    said = [str(first) if after == first + 1 else f"{first} to {after - 1}" for first, after in gaps]
    more = " and more" if len(said) > _SAID else ""
    word, verb = ("number", "is") if lacking == 1 else ("numbers", "are")
    return f", where {word} {', '.join(said[:_SAID])}{more} {verb} missing"


def _number(name: str) -> int:
    match = _NUMBER.search(name)
    return int(match.group(1)) if match else -1
