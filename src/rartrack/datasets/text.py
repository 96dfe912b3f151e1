"""Read annotation files: one line a frame, numbers split by commas, tabs or spaces in any mixture; JSON; own tables."""

from __future__ import annotations

import codecs
import csv
import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes, polygon_bounds
from rartrack.errors import InputError

_BOX = "4 expected (x,y,w,h)"
_REGION = "4 (x,y,w,h) or 8 (x1,y1,...,x4,y4) expected"


def read_text(path: Path) -> str:
    """Return a file's text, UTF-8 unless a byte order mark says UTF-16, without that mark.

    Raises:
        InputError: it is missing, not readable or not text.
    """
    try:
        with path.open("rb") as stream:
            wide = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        return path.read_text(encoding="utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeError:
        raise InputError(f"{path}: not a text file") from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: as ``read_text``, or it is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error}") from None


def read_table(room: str, name: str) -> list[dict[str, str]]:
    """Return the rows of ``tables/<name>.csv``, which comes with a room of the package, by the columns' names."""
    with files(f"rartrack.{room}").joinpath(f"tables/{name}.csv").open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def read_lines(path: Path) -> list[str]:
    """Return a file's lines, stripped, without blank lines at its end.

    Raises:
        InputError: as ``read_text``.
    """
    return [line.strip() for line in read_text(path).rstrip().splitlines()]


def read_boxes(path: Path, origin: int = 0, expected: str = _BOX) -> Boxes:
    """Read boxes (T, 4) from lines ``x,y,w,h``; a line that holds a NaN becomes four NaN.

    Args:
        path: the file.
        origin: what the file calls the first pixel of a row, 0 or 1.
        expected: what the message about a line of another length says.

    Raises:
        InputError: the file is missing or empty, or a line holds something else; it names file and line.
    """
    rows = _rows(path, (4,), expected)
    boxes = np.asarray(rows, dtype=np.float64)
    boxes[:, :2] -= origin
    boxes[np.isnan(boxes).any(axis=1)] = np.nan
    return boxes


def holds_numbers(path: Path) -> bool:
    """Whether a line of a file is of numbers alone, as every line of an annotation should be."""
    try:
        return any(map(_is_numbers, read_lines(path)))
    except InputError:
        return False


def read_regions(path: Path) -> tuple[Boxes, Boxes | None]:
    """Read VOT's regions, each line a box or a polygon of four corners, 0-based.

    Returns:
        boxes (T, 4), around the polygon where there is one; polygons (T, 8), NaN where a box is given, or None.

    Raises:
        InputError: as ``read_boxes``.
    """
    return split_regions(_rows(path, (4, 8), _REGION))


def split_regions(rows: list[list[float]]) -> tuple[Boxes, Boxes | None]:
    """Turn rows of 4 or 8 numbers into what ``read_regions`` returns."""
    boxes = np.full((len(rows), 4), np.nan)
    polygons = np.full((len(rows), 8), np.nan)
    for index, row in enumerate(rows):
        (boxes if len(row) == 4 else polygons)[index] = row
    drawn = np.asarray([len(row) == 8 for row in rows], dtype=bool)
    if not drawn.any():
        return boxes, None
    boxes[drawn] = polygon_bounds(polygons[drawn])
    return boxes, polygons


def read_flags(path: Path, frames: int, shorter: bool = False) -> NDArray[np.bool_]:
    """Read per-frame flags (frames,): numbers split by lines or commas, true above 0.

    Args:
        path: of the file.
        frames: that are annotated.
        shorter: whether there may be less values, as in VOT, whose toolkit writes tags only as far as the last flag;
            what is left out is false.

    Raises:
        InputError: the file is missing, holds something else, or another number of values.
    """
    try:
        values = [float(part) for part in read_text(path).replace(",", " ").split()]
    except ValueError as error:
        raise InputError(f"{path}: {error}; expected one 0 or 1 per frame") from None
    if len(values) > frames or (len(values) < frames and not shorter):
        raise InputError(f"{path}: {len(values)} values for {frames} annotated frames")
    flags = np.zeros(frames, dtype=bool)
    flags[: len(values)] = np.asarray(values) > 0
    return flags


def json_numbers(values: list[Any], where: str) -> list[float]:
    """Numbers of a JSON file, NaN for null.

    Raises:
        InputError: something else is among them, or an infinite one; it begins with ``where``.
    """
    numbers = []
    for value in values:
        try:
            numbers.append(math.nan if value is None else float(value))
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where} holds {str(value)[:40]!r}, numbers expected") from None
    if any(map(math.isinf, numbers)):
        raise InputError(f"{where} holds an infinite number")
    return numbers


def json_size(about: dict[str, Any], where: str) -> tuple[int, int]:
    """Width and height in pixels, as a JSON object has them.

    Raises:
        InputError: one is no number from 1; it begins with ``where``.
        KeyError: one is not there.
    """
    width, height = json_numbers([about["width"], about["height"]], f"{where}, width or height")
    if not (width >= 1 and height >= 1):
        raise InputError(f"{where} has a width and height of {width:g} and {height:g}, 1 and more expected")
    return int(width), int(height)


def _rows(path: Path, lengths: tuple[int, ...], expected: str) -> list[list[float]]:
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = _split(line)
        except ValueError:
            raise InputError(f"{path}: line {number} is {line[:60]!r}, {expected}") from None
        if len(row) not in lengths:
            raise InputError(f"{path}: line {number} has {len(row)} numbers, {expected}")
        if any(map(math.isinf, row)):
            raise InputError(f"{path}: line {number} holds an infinite number")
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: empty; one line per frame expected, {expected}")
    return rows


def _split(line: str) -> list[float]:
    return [float(part) for part in line.replace(",", " ").replace(";", " ").split()]


def _is_numbers(line: str) -> bool:
    try:
        return bool(_split(line))
    except ValueError:
        return False
