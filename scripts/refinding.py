"""Is a target found again where it reappears? Absences that the annotation marks, one line each.

    python scripts/refinding.py DIR/train --tracker rar-fast --tracker opencv:csrt

Looked at are absences of ``--absent`` frames or more after which the target returns. Found: within ``--within`` frames
of the return a box overlaps the truth by more than a half. Claimed: share of the absent frames in which the tracker
says ``tracked`` (OpenCV's trackers have no status). Trackers start on the first frame that shows the target and run on
from there; an absence counts only if the target was held, by the same overlap, in one of the five frames before it, for
a target lost earlier is another matter.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from videos import followed

from rartrack.cli.names import listed
from rartrack.datasets import load_dataset
from rartrack.errors import InputError, one_line
from rartrack.evaluation.trackers import parse_tracker
from rartrack.tracking.threads import use_threads

HELD, BEFORE = 0.5, 5
"""Overlap that counts as holding the target, and the frames before an absence that are looked at."""


@one_line()
def main() -> None:
    """Print a line for each absence and tracker, then each tracker's sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--tracker", action="append", help="as of rartrack evaluate (default: rar-fast)")
    parser.add_argument("--sequences", help="A,B: these only")
    parser.add_argument("--absent", type=int, default=3)
    parser.add_argument("--within", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    compare(options)


def compare(options: argparse.Namespace) -> None:
    """Print the table."""
    use_threads(options.threads)
    dataset = load_dataset(options.dataset, None, listed("--sequences", options.sequences) or None)
    sequences = [sequence for sequence in dataset.sequences if next(absences(sequence.boxes, options.absent), None)]
    if not sequences:
        raise InputError(f"{options.dataset}: no target is absent for {options.absent} frames and returns")
    width = max(len(sequence.name) for sequence in sequences)
    print(f"{'tracker':12s} {'sequence':{width}s}{'absent':>12s}{'claimed':>9s}  found again")
    for text in options.tracker or ["rar-fast"]:
        spec = parse_tracker(text)
        tracker = spec.build(options.threads)
        counts = {"held before": 0, "found again": 0}
        for sequence in sequences:
            start = int(np.flatnonzero(sequence.visible)[0])
            run = followed(tracker, sequence, start)
            overlaps = np.concatenate([np.full(start, np.nan), [1.0], run.overlaps])
            claims = np.concatenate([np.zeros(start), [1.0], run.claimed])
            for begin, end in absences(sequence.boxes, options.absent):
                held = bool(np.any(overlaps[max(0, begin - BEFORE) : begin] > HELD))
                after = np.flatnonzero(overlaps[end : end + options.within] > HELD)
                counts["held before"] += held
                counts["found again"] += held and len(after) > 0
                said = f"after {after[0]} frames" if len(after) else "no"
                outcome = said if held else "lost before"
                claimed = f"{np.mean(claims[begin:end]):9.0%}"
                print(
                    f"{spec.name:12s} {sequence.name:{width}s}{f'{begin} to {end - 1}':>12s}{claimed}  {outcome}",
                    flush=True,
                )
        print(f"{spec.name}: {counts['found again']} of {counts['held before']} found again\n")


def absences(boxes: np.ndarray, shortest: int) -> Iterator[tuple[int, int]]:
    """First frame of each absence and of the return."""
    edges = np.flatnonzero(np.diff(np.isnan(boxes).any(axis=1).astype(int)))
    starts = [edge + 1 for edge in edges if not np.isnan(boxes[edge]).any()]
    for start in starts:
        returns = [edge + 1 for edge in edges if edge >= start]
        if returns and returns[0] - start >= shortest:
            yield start, returns[0]


if __name__ == "__main__":
    main()
