"""Score TRE and SRE: several one-pass runs a sequence, whose frames are pooled.

The benchmark's toolkit counts the successes of all runs of a sequence and divides by all their frames
(tracker_benchmark v1.1, genPerfMat); only then are sequences averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rartrack.boxes import Boxes
from rartrack.datasets.dataset import Dataset
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import raw
from rartrack.evaluation.beside import Reading, first_pixel
from rartrack.evaluation.protocols import PROTOCOLS, starts
from rartrack.evaluation.rules import Frames, Rules, measure
from rartrack.evaluation.scoring import Score, own_coordinates, summarise, truth_of


@dataclass
class SeveralRuns(Reading):
    """One tracker's runs by sequence, each with the frame it starts in."""

    runs: dict[str, list[tuple[int, Boxes]]] = field(default_factory=dict)


def read_several(
    folder: Path,
    dataset: Dataset,
    sequences: Mapping[str, Sequence],
    protocol: str,
    given_origin: int | None,
    first: int | None = None,
) -> SeveralRuns:
    """Read ``<tracker>/<protocol>/<sequence>_01.txt`` and so on, one file a run of the protocol.

    Args:
        folder: the tracker's.
        dataset, sequences: whole, since where runs start depends on all their frames.
        protocol: ``tre`` or ``sre``.
        given_origin: what the files call the first pixel, 0 or 1; None: what is said beside them, else what the
            benchmark's own files call it.
        first: frames of a run that count, at most; None: all.

    Raises:
        InputError: beside a file is said that it counts from another first pixel than is given.
    """
    read = SeveralRuns(folder.name)
    for name, sequence in sequences.items():
        runs = []
        for start in starts(PROTOCOLS[protocol], sequence):
            path = folder / protocol / f"{name}_{start.number:02d}.txt"
            try:
                boxes = raw.read_boxes(path)
            except InputError as error:
                read.refuse(str(error))
                break
            said = read.beside(path)
            origin = first_pixel(said, given_origin, dataset.origin)
            boxes = own_coordinates(boxes, dataset.origin - origin)
            expected = len(sequence) - start.frame
            if first is not None:
                expected = min(expected, first)
                boxes = boxes[:expected]
            if len(boxes) != expected:
                short = f"{path}: {len(boxes)} lines, {expected} expected from frame {start.frame} on"
                read.refuse_short(said, len(boxes), short)
                break
            runs.append((start.frame, boxes))
        else:
            read.runs[name] = runs
            continue
        read.missing.append(name)
    return read


def score_several(
    read: SeveralRuns, dataset: Dataset, sequences: Mapping[str, Sequence], rules: Rules, benchmark: str
) -> Score:
    """Score one tracker's runs by one-pass rules."""
    frames = {}
    for name, runs in read.runs.items():
        truth = truth_of(sequences[name], dataset)
        measured = [measure(boxes, truth[start : start + len(boxes)], rules, dataset.origin) for start, boxes in runs]
        frames[name] = Frames(
            overlap=np.concatenate([each.overlap for each in measured]),
            error=np.concatenate([each.error for each in measured]),
            normalized=np.concatenate([each.normalized for each in measured]),
            counts=np.concatenate([each.counts for each in measured]),
        )
    return summarise(frames, rules, benchmark, read.tracker, missing=tuple(read.missing))
