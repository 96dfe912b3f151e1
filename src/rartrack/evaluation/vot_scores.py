"""From overlaps and failures to accuracy, robustness and expected average overlap (EAO).

Source: M. Kristan et al., "The Visual Object Tracking VOT2015 Challenge Results" (EAO) and "A Novel Performance
Evaluation Methodology for Single-Target Trackers", PAMI 2016 (accuracy and robustness).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rartrack.evaluation.vot_results import Code
from rartrack.evaluation.vot_rules import Constants, Rules

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Run:
    """One repetition on one sequence of T frames, measured.

    Attributes:
        codes: (T,) a ``Code`` a frame.
        accuracy_overlaps: (T,) overlap in the frames that count for accuracy, NaN elsewhere.
        eao_overlaps: (T,) overlap in every frame that holds a region, 0 elsewhere.
    """

    codes: NDArray[np.int64]
    accuracy_overlaps: Floats
    eao_overlaps: Floats

    @property
    def failures(self) -> NDArray[np.int64]:
        """The frames in which the tracker failed, from 0."""
        return np.flatnonzero(self.codes == Code.FAILED)


@dataclass(frozen=True)
class Fragment:
    """A piece of a run: ``overlaps`` of its frames, whether it ended in a failure, and the frames it is weighed by."""

    overlaps: Floats
    failed: bool
    first: int
    last: int
    """One past the last frame; may lie one beyond the run (see ``fragments``)."""


def counted(codes: NDArray[np.int64], burn_in: int) -> Flags:
    """Return the frames (T,) that count for accuracy: those with a region, but not the first ``burn_in`` of a start."""
    counts = np.asarray(codes == Code.REGION)
    for start in np.flatnonzero(codes == Code.STARTED):
        counts[start : start + burn_in] = False
    return counts


def fragments(run: Run, rules: Rules, constants: Constants) -> Iterator[Fragment]:
    """Cut a run where the tracker started.

    By the rules ``toolkit`` and ``pysot`` a piece begins at frame 0 or ``restart_after`` frames after a failure and
    reaches to the next such frame, that one included; after a failure its overlap is 0 for ever. A failure so late that
    the tracker would start again after the last frame ends nothing. ``pysot`` lets it end a piece when that start
    would be the very next frame after the last; the piece is then weighed as if it had one frame more.
    By the rules ``vot-toolkit`` a piece lasts from a start up to the failure.
    """
    overlaps, count = run.eao_overlaps, len(run.codes)
    if rules.fragments == "vot-toolkit":
        starts, failures = np.flatnonzero(run.codes == Code.STARTED), run.failures
        for start, failure in zip(starts, [*failures, *[count] * (len(starts) - len(failures))], strict=False):
            yield Fragment(overlaps[start:failure], bool(failure < count), int(start), int(failure))
        return
    limit = count if rules.fragments == "pysot" else count - 1
    restarts = run.failures + constants.restart_after
    starts = np.concatenate([[0], restarts[restarts <= limit]])
    for first, following in zip(starts, [*starts[1:], None], strict=True):
        last = count if following is None else int(following) + 1
        yield Fragment(overlaps[first:last], following is not None, int(first), last)


def eao_curve(pieces: Sequence[Fragment], weights: Sequence[float], longest: int) -> Floats:
    """Return the expected average overlap (L,) of sequences of 1, 2, ..., L frames, L being ``longest``.

    A piece of which nothing more is known after its end counts as far as it reaches; one that failed counts to the
    end. The first frame is given and does not count; a sequence of one frame has overlap 1. NaN where no piece counts.
    """
    values = np.zeros((len(pieces), longest))
    weight = np.zeros((len(pieces), longest))
    for row, (piece, share) in enumerate(zip(pieces, weights, strict=True)):
        values[row, : len(piece.overlaps)] = piece.overlaps
        weight[row, : None if piece.failed else len(piece.overlaps)] = share
    means = np.cumsum(values[:, 1:], axis=1) / np.arange(1, longest)
    total = weight[:, 1:].sum(axis=0)
    expected = (means * weight[:, 1:]).sum(axis=0)
    return np.concatenate([[1.0], np.divide(expected, total, out=np.full(longest - 1, np.nan), where=total > 0)])


def eao(curve: Floats, lengths: tuple[int, int], first_length: int = 1) -> float:
    """Average the curve over sequence lengths (both included); NaN where it reaches none of them.

    Args:
        curve: (L,) as ``eao_curve`` returns it.
        lengths: shortest and longest length.
        first_length: the length that the curve's first value stands for.
    """
    part = curve[lengths[0] - first_length : lengths[1] - first_length + 1]
    known = part[~np.isnan(part)]
    return float(known.mean()) if len(known) else float("nan")


def share(flags: Flags, piece: Fragment) -> float:
    """Return the share of a piece's frames that carry a tag (T,): its weight where the tag alone is scored."""
    length = piece.last - piece.first
    return float(flags[piece.first : piece.last].sum()) / length if length else 0.0


def mean_known(values: Floats) -> float:
    """Return the mean of those that are not NaN, NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
