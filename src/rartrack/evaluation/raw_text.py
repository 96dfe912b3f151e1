"""The lines of raw result files, as the programs of many authors write them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from rartrack.boxes import Boxes
from rartrack.datasets.text import read_text
from rartrack.errors import InputError

_BLANK = str.maketrans(dict.fromkeys(",;\t[](){}\"'", " "))
"""What stands between numbers or around them: separators in any mixture, the brackets and quotes of printed lists."""

_NAN_OF_A_KIND = re.compile(r"nan\(\w*\)", re.IGNORECASE)
_NO_NUMBER = re.compile(r"[-+]?(?:nan|1\.#(?:ind|qnan|snan)\d*|none|null|na|n/a)", re.IGNORECASE)
"""How programs say "not a number": C, MATLAB, Microsoft's C library, Python, tables."""


def read_rows(path: Path, expected: str) -> list[tuple[int, list[float]]]:
    """Read a file's numbers with the number of their line, counted from 1.

    Passed over: a byte order mark, lines at the start without any number (a header), blank lines at the end, and every
    second line where all of those are blank (line ends that were converted twice).

    Args:
        path: the file.
        expected: what a line should hold, for the message.

    Raises:
        InputError: the file is missing, not text or empty, or a line holds something that is no number.
    """
    lines = _NAN_OF_A_KIND.sub("nan", read_text(path)).translate(_BLANK).rstrip().splitlines()
    split = [(number, line.split()) for number, line in enumerate(lines, start=1)]
    if len(split) > 4 and not any(words for _, words in split[1::2]):
        split = split[::2]
    begin = next((place for place, (_, words) in enumerate(split) if any(map(_is_number, words))), 0)
    if not split:
        raise InputError(f"{path}: empty; one line per frame expected, {expected}")
    return [(number, _numbers(words, f"{path}: line {number}", expected)) for number, words in split[begin:]]


def read_boxes(path: Path) -> Boxes:
    """Read boxes (T, 4) as the file has them, NaN and negative sizes included.

    Four numbers a line, ``x,y,w,h``. Also read: a frame number before them, or a score in [0, 1] behind them, where
    every line has one; the four corners of a polygon, whose surrounding box is taken; and a lone 0, 1 or 2 among boxes,
    VOT's word for a frame without one, which becomes four NaN.

    Raises:
        InputError: the file is missing or empty, or a line holds something else; it names the line.
    """
    expected = "4 numbers expected (x,y,w,h)"
    rows = read_rows(path, expected)
    widths = {len(row) for _, row in rows}
    if widths == {4}:
        return np.array([row for _, row in rows], dtype=np.float64)
    if widths == {5}:
        rows = _without_fifth(rows)
    boxed = bool(widths & {4, 5, 8})
    return np.array([_box(row, f"{path}: line {number}", boxed) for number, row in rows], dtype=np.float64)


def _without_fifth(rows: list[tuple[int, list[float]]]) -> list[tuple[int, list[float]]]:
    """Take a column of scores off the back, or one of frame numbers off the front; as it is where there is neither.

    A target may well move by a pixel a frame, but no box is less than a pixel high in every frame: scores go first.
    """
    first, last = np.array([row[0] for _, row in rows]), np.array([row[4] for _, row in rows])
    numbered = len(rows) > 1 and (np.diff(first) == 1).all()
    scored = ((last >= 0) & (last <= 1) | np.isnan(last)).all()
    if scored and not (numbered and np.isnan(last).all()):
        return [(number, row[:4]) for number, row in rows]
    if numbered:
        return [(number, row[1:]) for number, row in rows]
    return rows


def _box(row: list[float], where: str, boxed: bool) -> list[float]:
    if len(row) == 4:
        return row
    if len(row) == 8:
        x, y = row[::2], row[1::2]
        return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
    if len(row) == 1 and row[0] in (0, 1, 2) and boxed:
        return [np.nan] * 4
    raise InputError(f"{where} has {len(row)} numbers, 4 expected (x,y,w,h)")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return _NO_NUMBER.fullmatch(word) is not None
    return True


def _numbers(words: list[str], where: str, expected: str) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        wrong = next((word for word in words if not _is_number(word)), None)
    if wrong is not None:
        raise InputError(f"{where} holds {wrong[:40]!r}, {expected}")
    return [math.nan if _NO_NUMBER.fullmatch(word) else float(word) for word in words]
