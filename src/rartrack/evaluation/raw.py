"""Raw results on disk: RESULTS_DIR/<tracker>/<sequence>.txt, x,y,w,h a line, ours or anybody's.

Also read: RESULTS_DIR/<tracker>/<sequence>/<sequence>_001.txt, one file per repetition (VOT, GOT-10k). Between tracker
and files there may stand a folder that says nothing more: ``baseline``, ``results``, the benchmark's name. Names may be
spelt in any way in use (``dataset.plain``), and may end in the tracker's own name (``Basketball_KCF.txt``), or begin
or end in what nearly all of the tracker's files do. What the lines may look like, ``raw_text`` says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.datasets import BENCHMARKS, otb
from rartrack.datasets.dataset import Dataset, Entry, plain
from rartrack.errors import InputError
from rartrack.evaluation.raw_text import read_boxes, read_rows

__all__ = ["LACKING", "Found", "find_results", "fit", "read_boxes", "read_times", "repetitions", "tracker_folders"]

LACKING = 1
"""Lines that a result may lack at its end: some programs leave out the last frame, or the first."""

_REPETITION = re.compile(r"_(\d{3})$")
_OTHER_PROTOCOLS = ("tre", "sre", "unsupervised", "realtime")
"""Folders of runs that are no one-pass or supervised runs (see ``scoring_runs``)."""
_TIMES = re.compile(r"_times?$")
_NEARLY_ALL = 0.8


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
    """Name -> folder of every tracker in a results folder, alphabetically; also of one that failed on everything.

    Raises:
        InputError: no such folder, or none in it holds text files, or says why there are none.
    """
    if not results.is_dir():
        raise InputError(f"{results}: no such folder of raw results")
    folders = [item for item in results.iterdir() if item.is_dir() and not item.name.startswith((".", "_"))]
    found = {item.name: item for item in sorted(folders, key=lambda item: item.name.lower()) if _is_tracker(item)}
    if not found:
        mend = "expected <tracker>/<sequence>.txt or <tracker>/<sequence>/<sequence>_001.txt in it"
        if next(results.glob("[!.]*.txt"), None):
            mend = f"pass {results.parent}, whose folders are trackers"
        raise InputError(f"{results}: no tracker's results found; {mend}")
    return found


def find_results(folder: Path, dataset: Dataset) -> Found:
    """Sort a tracker's files by sequence.

    Raises:
        InputError: two files claim the same sequence, and neither its spelling nor its content settles it.
    """
    found = Found()
    paths = _text_files(folder)
    claims: dict[tuple[str, int], list[tuple[Path, str]]] = {}
    stems = [path.stem for path in paths if not _of_times(path, dataset)]
    beginning, ending = _common_ending([stem[::-1] for stem in stems])[::-1], _common_ending(stems)
    for path in paths:
        inside = [plain(part) for part in path.relative_to(folder).parts[:-1]]
        if any(part in _OTHER_PROTOCOLS for part in inside):
            continue
        nested = dataset.find(path.parent.name) if inside else None
        transparent = all(part in _wrappers(dataset) for part in (inside[:-1] if nested else inside))
        named = _of_times(path, dataset)
        times = inside[-1:] == ["times"] or named
        spelt = _TIMES.sub("", path.stem) if named else path.stem
        entry = nested or _entry(spelt, beginning, (f"_{folder.name}", ending), dataset)
        repetition = _REPETITION.search(path.stem)
        if entry is None or not (transparent or times):
            found.unknown += [] if times else [path.parent.name if inside and repetition else path.stem]
        elif times:
            found.times[entry.name] = path
        elif not nested or repetition or plain(path.stem) == plain(path.parent.name):
            number = int(repetition[1]) if repetition else 0
            claims.setdefault((entry.name, number), []).append((path, entry.name))
    for name, number in sorted(claims):
        found.files.setdefault(name, []).append(_one_of(claims[name, number], folder))
    return found


def holds_results(folder: Path, dataset: Dataset) -> bool:
    """Whether results of a data set lie in a folder as a tracker's do."""
    try:
        return bool(find_results(folder, dataset).files)
    except InputError:  # two for one sequence
        return True


def is_of_a_protocol(name: str, dataset: Dataset) -> bool:
    """Whether a folder in a tracker's, by its name, holds its runs by one protocol, or all that it has."""
    return plain(name) in (*_OTHER_PROTOCOLS, *_wrappers(dataset))


def _of_times(path: Path, dataset: Dataset) -> bool:
    """Whether a file is called as one of times is, and no sequence is called so."""
    return _TIMES.search(path.stem) is not None and dataset.find(path.stem) is None


def _is_tracker(folder: Path) -> bool:
    return bool(_text_files(folder) or _text_files(folder, "error"))


def _text_files(folder: Path, ending: str = "txt") -> list[Path]:
    patterns = (f"{above}[!.]*.{ending}" for above in ("", "*/", "*/*/"))  # macOS leaves ._NAME.txt
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _wrappers(dataset: Dataset) -> frozenset[str]:
    """Names of folders that may stand between a tracker's and its files and say nothing more."""
    known = BENCHMARKS.get(dataset.name)
    return frozenset({"baseline", "ope", "results", "times", plain(dataset.name), *(known.folders if known else ())})


def _common_ending(stems: list[str]) -> str:
    """What nearly all files of a tracker end in behind the sequence's name, such as ``_CF2``: its name when it was run.

    Empty where nothing is so common. Names are cut at ``_``, ``-`` or a point. For what they begin with, give the names
    reversed.
    """
    cuts = (stem[cut.start() :] for stem in stems for cut in re.finditer(r"(?<=.)[_.-]", stem))
    common = [ending for ending, count in Counter(cuts).items() if count > max(1, _NEARLY_ALL * len(stems))]
    return max(common, key=len, default="")


def _entry(spelt: str, beginning: str, endings: tuple[str, ...], dataset: Dataset) -> Entry | None:
    """The sequence of that name in any spelling: as it stands, or without what may stand before and after it."""
    for whole in (spelt, _REPETITION.sub("", spelt)):
        for name in (whole, whole.removeprefix(beginning)):
            for ending in ("", *endings):
                if name.lower().endswith(ending.lower()):
                    entry = dataset.find(name[: len(name) - len(ending)])
                    if entry is not None:
                        return entry
    return None


def repetitions(files: Sequence[Path]) -> Sequence[Path]:
    """The files of a sequence that are numbered; all where none is."""
    return [path for path in files if _REPETITION.search(path.stem)] or files


def one_pass(files: Sequence[Path]) -> Sequence[Path]:
    """The file of a sequence that bears no number; all, which are repetitions, where each bears one."""
    return [path for path in files if not _REPETITION.search(path.stem)] or files


def _one_of(claims: list[tuple[Path, str]], folder: Path) -> Path:
    """The file that holds a sequence's results, where several claim to: its name in full, or all say the same."""
    if len(claims) > 1:
        claims = [claim for claim in claims if plain(claim[0].stem) == plain(claim[1])] or claims
    if len({path.read_bytes() for path, _ in claims} if len(claims) > 1 else claims) > 1:
        first, second = (path.relative_to(folder) for path, _ in claims[:2])
        raise InputError(f"{folder}: {first} and {second} are both {claims[0][1]}; remove one")
    return claims[0][0]


def read_times(path: Path) -> Boxes:
    """Read seconds per frame, any number of values and lines.

    Raises:
        InputError: the file is missing or holds something that is no number.
    """
    rows = read_rows(path, "seconds per frame expected")
    return np.array([value for _, row in rows for value in row], dtype=np.float64)


def fit(boxes: Boxes, valid: NDArray[np.bool_], name: str) -> tuple[Boxes, str | None]:
    """Bring a result to the length of the truth where that is possible without guessing.

    Tiger1 is evaluated from frame 6: a result of all its frames loses the first five. A result that lacks only its last
    line, or only frames at the end whose truth is invalid (MDNet's and CNN-SVM's Board and Twinnings), gets boxes that
    do not exist there, which each set of rules judges as it does any other. A result that is longer keeps its first T.

    Args:
        boxes: (N, 4) raw result.
        valid: (T,) the frames whose truth the benchmark's own rules hold valid (``rules.valid``).
        name: OTB's name of the sequence; empty where the truth is not OTB's.

    Returns:
        the result, shorter than the truth where frames are really missing, and a remark or None.
    """
    target = otb.targets().get(name)
    evaluated = 0 if target is None else target.last - target.first + 1 - target.omit
    if target and target.omit and len(boxes) - target.omit == evaluated >= len(valid):
        return boxes[target.omit :][: len(valid)], f"its first {target.omit} frames are not evaluated"
    if len(boxes) > len(valid):
        return boxes[: len(valid)], f"{len(boxes)} lines for {len(valid)} frames, the first {len(valid)} were used"
    rest = valid[len(boxes) :]
    invalid = not rest.any()
    if len(rest) and (invalid or len(rest) <= LACKING):
        why = "where the truth is invalid" if invalid else "which counts as frames without a box"
        lacking = f"its last {len(rest)} lines are" if len(rest) > 1 else "its last line is"
        return np.vstack([boxes, np.full((len(rest), 4), np.nan)]), f"{lacking} missing, {why}"
    return boxes, None
