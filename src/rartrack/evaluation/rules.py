"""The small rules of one-pass evaluation in which toolkits differ, as data, and the scoring of one sequence by them.

One-pass evaluation starts a tracker in the first frame and lets it run to the last. Every toolkit then draws the same
two curves, but they differ in what they do with the first frame, bad boxes, invalid truth and thresholds, and so in
their figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.evaluation import metrics
from rartrack.evaluation.metrics import Values


@dataclass(frozen=True)
class Rules:
    """How a toolkit turns boxes into curves and curves into figures.

    Attributes:
        name: what it is called on the command line.
        source: where the rules were read.
        overlaps: thresholds of the success curve.
        pixels: thresholds of the precision curve, in pixels.
        normalized: thresholds of the normalised precision curve, in sides of the true box; empty: not drawn.
        strict: success needs an overlap above the threshold, not at it.
        area: a success curve's figure is the mean of its values, or the area under it by trapezoids.
        precision: a precision curve's figure is its value at 20 px (0.2 sides), or the area under it.
        first: the first result box is replaced by the truth, taken as given, or its frame dropped.
        repair: a box without area takes the previous one, as does one that is all NaN or has any NaN; None: neither.
        arithmetic: overlap through last pixels (MATLAB) or through edges.
        rounded: all boxes are rounded to whole pixels first.
        invalid: where a true box has x, y, w or h at or below 0, its pixels counted from 1, the frame never succeeds
            and is ``precise`` always; ``centre``: precise only where the centre is at or below 0 too; ``imprecise``
            always; ``dropped``; ``counted`` like any other. ``unseen``: only where it has no area, or is not a number,
            is the frame dropped.
        absent: where the truth is NaN: as ``invalid``, or ``failed``: it counts, and never succeeds.
    """

    name: str
    source: str
    overlaps: tuple[float, ...]
    pixels: tuple[float, ...] = tuple(float(pixel) for pixel in range(51))
    normalized: tuple[float, ...] = ()
    strict: bool = True
    area: Literal["mean", "trapezoid"] = "mean"
    precision: Literal["at 20 px", "area"] = "at 20 px"
    first: Literal["truth", "given", "dropped"] = "truth"
    repair: Literal["all nan", "any nan"] | None = None
    arithmetic: Literal["pixels", "edges"] = "edges"
    rounded: bool = False
    invalid: Literal["precise", "centre", "imprecise", "dropped", "counted", "unseen"] = "counted"
    absent: Literal["invalid", "failed"] = "invalid"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the figures ``figures`` gives, the one trackers are ranked by first."""
        drawn = ("auc", "dp20" if self.precision == "at 20 px" else "precision")
        return (*drawn, "norm_precision") if self.normalized else drawn

    def curves(self, frames: Frames) -> Curves:
        """Draw the curves of one sequence."""
        counts = frames.counts
        return Curves(
            success=metrics.shares_above(frames.overlap[counts], self.overlaps, strict=self.strict),
            precision=metrics.shares_within(frames.error[counts], self.pixels),
            normalized=metrics.shares_within(frames.normalized[counts], self.normalized),
        )

    def figures(self, curves: Curves) -> dict[str, Values]:
        """Reduce curves (..., N) to figures (...), by the names of ``metrics``."""
        found = [
            self._area(curves.success, self.overlaps) if self.area == "trapezoid" else curves.success.mean(axis=-1),
            self._precision(curves.precision, self.pixels, 20.0),
        ]
        if self.normalized:
            found.append(self._precision(curves.normalized, self.normalized, 0.2))
        return dict(zip(self.metrics, found, strict=True))

    def _precision(self, curve: Values, thresholds: tuple[float, ...], limit: float) -> Values:
        if self.precision == "area":
            return self._area(curve, thresholds)
        return curve[..., thresholds.index(limit)]

    @staticmethod
    def _area(curve: Values, thresholds: tuple[float, ...]) -> Values:
        steps = np.diff(thresholds)
        return np.asarray((curve[..., 1:] + curve[..., :-1]) @ steps / 2 / steps.sum())


@dataclass(frozen=True)
class Frames:
    """One sequence, frame by frame: overlap, centre error in pixels, centre error in sides of the true box, each (T,).

    Where the truth is invalid the overlap is -1 and the errors are -1 (always precise) or infinite (never). ``counts``
    (T,) are the frames in the denominator; in those that are dropped the overlap is -1 too.
    """

    overlap: Values
    error: Values
    normalized: Values
    counts: NDArray[np.bool_]


@dataclass(frozen=True)
class Curves:
    """Shares of frames by threshold, (N,) for one sequence or (S, N) for several."""

    success: Values
    precision: Values
    normalized: Values


def measure(result: Boxes, truth: Boxes, rules: Rules, origin: int = 1) -> Frames:
    """Compare one trajectory with the truth.

    Args:
        result, truth: (T, 4) x, y, width, height in the benchmark's own coordinates, 1-based for OTB: equality to the
            last bit needs the same numbers.
        rules: what to do with bad boxes and invalid truth.
        origin: what the boxes call the first pixel. Rule 4 of OTB asks whether x and y, counted from 1, are above 0;
            counted from 0, a box at the picture's border has 0 and is as valid as any.

    Raises:
        ValueError: the two differ in length.
    """
    if result.shape != truth.shape:
        raise ValueError(f"result {result.shape} and truth {truth.shape} differ in shape")
    result = repaired(result, truth, rules)
    if rules.rounded:
        result, truth = np.round(result), np.round(truth)
    from_one = _from_one(truth, origin)
    absent, invalid = np.isnan(truth).any(axis=1), ~_held_valid(truth, rules, origin)
    if rules.absent != "invalid":
        invalid &= ~absent
    overlap = (metrics.pixel_overlap if rules.arithmetic == "pixels" else metrics.overlap)(result, truth)
    errors = [metrics.centre_error(result, truth), metrics.normalized_error(result, truth)]
    if rules.invalid in ("precise", "centre", "imprecise"):
        overlap = np.where(invalid, -1.0, overlap)
    if rules.invalid in ("precise", "centre"):
        centre = from_one[:, :2] + (from_one[:, 2:] - 1) / 2
        outside = invalid if rules.invalid == "precise" else ~(centre > 0).all(axis=1)
        errors = [np.where(outside, -1.0, error) for error in errors]
    elif rules.invalid == "imprecise":
        errors = [np.where(invalid, np.inf, error) for error in errors]
    if rules.absent == "failed":
        overlap = np.where(absent, -1.0, overlap)
        errors = [np.where(absent, np.inf, error) for error in errors]
    kept = np.ones(len(truth), dtype=bool)
    kept[0] = rules.first != "dropped"
    kept &= ~(invalid & (rules.invalid in ("dropped", "unseen")))
    return Frames(np.where(kept, overlap, -1.0), errors[0], errors[1], kept)


def valid(truth: Boxes, rules: Rules, origin: int = 1) -> NDArray[np.bool_]:
    """The frames (T,) whose truth is a box, and one that the rules hold valid; arguments as of ``measure``."""
    boxed = np.asarray(~np.isnan(truth).any(axis=1))
    return boxed if rules.invalid == "counted" else boxed & _held_valid(truth, rules, origin)


def _held_valid(truth: Boxes, rules: Rules, origin: int) -> NDArray[np.bool_]:
    above = (truth[:, 2:] if rules.invalid == "unseen" else _from_one(truth, origin)) > 0
    return np.asarray(above.all(axis=1))


def _from_one(boxes: Boxes, origin: int) -> Boxes:
    return np.asarray(boxes + np.array([1.0 - origin, 1.0 - origin, 0.0, 0.0]))


def repaired(result: Boxes, truth: Boxes, rules: Rules) -> Boxes:
    """Return the result with its bad boxes and then its first replaced as the rules say.

    In this order, as in the toolkits: a bad second box takes the tracker's own first, which in SRE is not the truth.
    """
    boxes = result.copy()
    if rules.repair is not None:
        missing = np.isnan(boxes)
        unusable = missing.all(axis=1) if rules.repair == "all nan" else missing.any(axis=1)
        bad = np.asarray(unusable | (boxes[:, 2:] <= 0).any(axis=1))
        if rules.absent == "invalid":  # else NaN stands for a box that the annotators did write, which is asked later
            bad &= ~np.isnan(truth).any(axis=1)
        last_good = np.maximum.accumulate(np.where(bad, 0, np.arange(len(boxes))))
        boxes = boxes[last_good]
    if rules.first == "truth":
        boxes[0] = truth[0]
    return boxes
