"""Raw results on disk: RESULTS_DIR/<tracker>/<sequence>.txt, x,y,w,h a line, ours or anybody's.

Also read: RESULTS_DIR/<tracker>/<sequence>/<sequence>_001.txt, one file per repetition (VOT, GOT-10k), in ``baseline/``
too. Numbers are split by commas, tabs, semicolons or spaces in any mixture; names may be spelt in any way in use
(``dataset.plain``), and may end in the tracker's own name (``Basketball_KCF.txt``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rartrack.boxes import Boxes
from rartrack.datasets import otb
from rartrack.datasets.dataset import Dataset, plain
from rartrack.datasets.text import read_text
from rartrack.errors import InputError

_SEPARATORS = str.maketrans(",;\t", "   ")
_REPETITION = re.compile(r"_\d{3}$")
_OTHER_PROTOCOLS = ("tre", "sre")
"""Folders of runs that are no one-pass runs (see ``scoring_runs``)."""
_TIMES = re.compile(r"_times?$")


@dataclass
class Found:
    """What one tracker's folder holds for a data set.

    Attributes:
        files: sequence name -> its files, one per repetition, in order.
        times: sequence name -> its file of seconds per frame.
        unknown: names of files that belong to no sequence of the data set.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    times: dict[str, Path] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def tracker_folders(results: Path) -> dict[str, Path]:
    """Name -> folder of every tracker in a results folder, in alphabetical order.

    Raises:
        InputError: no such folder, or none in it holds text files.
    """
    if not results.is_dir():
        raise InputError(f"{results}: no such folder of raw results")
    folders = [item for item in results.iterdir() if item.is_dir() and not item.name.startswith((".", "_"))]
    found = {item.name: item for item in sorted(folders, key=lambda item: item.name.lower()) if _text_files(item)}
    if not found:
        mend = "expected <tracker>/<sequence>.txt or <tracker>/<sequence>/<sequence>_001.txt in it"
        if next(results.glob("*.txt"), None):
            mend = f"pass {results.parent}, whose folders are trackers"
        raise InputError(f"{results}: no tracker's results found; {mend}")
    return found


def find_results(folder: Path, dataset: Dataset) -> Found:
    """Sort a tracker's files by sequence.

    Raises:
        InputError: two files claim the same sequence.
    """
    found = Found()
    for path in _text_files(folder):
        if path.parent.name in _OTHER_PROTOCOLS:
            continue
        nested = path.parent != folder and plain(path.parent.name) != "baseline"
        of_times = _TIMES.search(path.stem) is not None
        name = _sequence(path.parent.name if nested else _TIMES.sub("", path.stem), folder.name, dataset)
        if of_times:
            if name is not None:
                found.times[name] = path
        elif name is None:
            found.unknown.append(path.stem)
        elif nested and _REPETITION.search(path.stem):
            found.files.setdefault(name, []).append(path)
        elif not nested:
            if name in found.files:
                raise InputError(f"{folder}: {path.name} and {found.files[name][0].name} are both {name}; remove one")
            found.files[name] = [path]
    return found


def _text_files(folder: Path) -> list[Path]:
    patterns = ("*.txt", "*/*.txt", "baseline/*/*.txt")
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _sequence(spelt: str, tracker: str, dataset: Dataset) -> str | None:
    for name in _spellings(spelt, tracker):
        entry = dataset.find(name)
        if entry is not None:
            return entry.name
    return None


def _spellings(name: str, tracker: str) -> Iterator[str]:
    yield name
    if name.lower().endswith(f"_{tracker.lower()}"):
        yield name[: -len(tracker) - 1]


def read_boxes(path: Path) -> Boxes:
    """Read boxes (T, 4) as the file has them, NaN and negative sizes included.

    Raises:
        InputError: the file is missing, empty, or a line holds something other than four numbers.
    """
    lines = read_text(path).translate(_SEPARATORS).rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if len(line.split()) != 4:
            raise InputError(f"{path}: line {number} has {len(line.split())} numbers, 4 expected (x,y,w,h)")
    if not lines:
        raise InputError(f"{path}: empty; one line x,y,w,h per frame expected")
    try:
        return np.array(" ".join(lines).split(), dtype=np.float64).reshape(-1, 4)
    except ValueError:
        raise InputError(f"{path}: {_not_a_number(lines)}, 4 numbers expected (x,y,w,h)") from None


def _not_a_number(lines: list[str]) -> str:
    for number, line in enumerate(lines, start=1):
        for word in line.split():
            try:
                float(word)
            except ValueError:
                return f"line {number} holds {word[:40]!r}"
    return "holds something else"


def read_times(path: Path) -> Boxes:
    """Read seconds per frame, any number of values and lines.

    Raises:
        InputError: the file is missing or holds something that is no number.
    """
    try:
        return np.array(read_text(path).translate(_SEPARATORS).split(), dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path}: {error}; seconds per frame expected") from None


def fit(boxes: Boxes, truth: Boxes, name: str) -> tuple[Boxes, str | None]:
    """Bring a result to the length of the truth where that is possible without guessing.

    Tiger1 is evaluated from frame 6: a result of all its frames loses the first five. A result that lacks only frames
    whose truth is invalid at the end (MDNet's and CNN-SVM's Board and Twinnings) gets boxes that do not exist there.
    A result that is longer keeps its first T boxes.

    Args:
        boxes: (N, 4) raw result.
        truth: (T, 4) in the same coordinates.
        name: the benchmark's name of the sequence.

    Returns:
        the result, shorter than the truth where frames are really missing, and a remark or None.
    """
    target = otb.targets().get(name)
    skipped = 0 if target is None else target.omit
    if skipped and len(boxes) - skipped == len(truth):
        return boxes[skipped:], f"its first {skipped} frames are not evaluated"
    if len(boxes) > len(truth):
        return boxes[: len(truth)], f"{len(boxes)} lines for {len(truth)} frames, the first {len(truth)} were used"
    rest = truth[len(boxes) :]
    if len(rest) and not (rest > 0).all(axis=1).any():
        missing = np.full((len(rest), 4), np.nan)
        return np.vstack([boxes, missing]), f"its last {len(rest)} lines are missing, where the truth is invalid"
    return boxes, None
