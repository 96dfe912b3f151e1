"""What each trial reached on each sequence, read from the raw results, and the table of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rartrack.boxes import iou
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import raw
from rartrack.evaluation.protocols import OPE, starts
from rartrack.outputs import replace_file

RESULTS = "results.csv"
COLUMNS = ("trial", "sequence", "overlap", "frames", "ms", "failure")


@dataclass(frozen=True)
class Run:
    """One trial on one sequence.

    Attributes:
        overlap: mean over the frames after the first that have a visible box; NaN where the run failed.
        frames: tracked after the first.
        ms: mean time of a frame. A mean, since settings such as an update interval spare time on some frames only,
            which a median hides.
        failure: why there is no overlap, or empty.
    """

    overlap: float = float("nan")
    frames: int = 0
    ms: float = float("nan")
    failure: str = ""


Runs = Mapping[tuple[int, str], Run]
"""By trial and sequence."""


def check_visible(sequence: Sequence, frames: int | None) -> None:
    """Refuse a sequence of which nothing would be scored.

    Raises:
        InputError: it has no frames, or no visible box in those that would be tracked after the first.
    """
    if sequence.frames is None:
        raise InputError(f"{sequence.name}: only its annotation is there, no frames; tuning needs both")
    start, stop = _span(sequence, frames)
    if not sequence.visible[start + 1 : stop].any():
        raise InputError(
            f"{sequence.name}: no visible box in frames {start + 1} to {stop - 1}; "
            "give more --first, or leave it out by --sequences"
        )


def read_run(folder: Path, sequence: Sequence, frames: int | None) -> Run:
    """Score a finished run of a trial.

    Args:
        folder: the trial's, as ``evaluation.store`` writes it.
        sequence: which one.
        frames: tracked at most, the first included; None: all.

    Raises:
        InputError: the run is not there, or its files are damaged.
    """
    start, stop = _span(sequence, frames)
    path = folder / f"{sequence.name}.txt"
    boxes = raw.read_boxes(path)
    try:
        ms = float(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["milliseconds"]["mean"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path.with_suffix('.json')}: damaged; give another --output") from None
    scored = np.flatnonzero(sequence.visible[start + 1 : stop]) + start + 1
    return Run(float(iou(boxes[scored], sequence.boxes[scored]).mean()), stop - start - 1, ms)


def write_runs(path: Path, runs: Runs) -> None:
    """Write the table, a line a run, in one step.

    Raises:
        InputError: the disk refuses.
    """
    rows: list[list[Any]] = []
    for (trial, sequence), run in sorted(runs.items()):
        numbers = ["", run.frames or "", ""] if run.failure else [f"{run.overlap:.6f}", run.frames, f"{run.ms:.3f}"]
        rows.append([trial, sequence, *numbers, run.failure])
    write_table(path, COLUMNS, rows)


def write_table(path: Path, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    """Write a csv file in one step.

    Raises:
        InputError: the disk refuses.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    replace_file(path, text.getvalue().encode())


def _span(sequence: Sequence, frames: int | None) -> tuple[int, int]:
    """Index of the first frame tracked and of the one after the last."""
    start = starts(OPE, sequence)[0].frame
    return start, len(sequence) if frames is None else min(len(sequence), start + frames)
