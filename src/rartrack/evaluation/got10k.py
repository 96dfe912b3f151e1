"""GOT-10k's average overlap (AO) and success rates (SR): means over all frames of all sequences but the first of each.

L. Huang, X. Zhao, K. Huang, "GOT-10k", TPAMI 2021; the rules are those of the got10k package 0.1.3.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike

import numpy as np

from rartrack.boxes import Boxes
from rartrack.evaluation import metrics
from rartrack.evaluation.metrics import Values

OVERLAPS = (*(k * 0.01 for k in range(100)), 1.0)
"""Thresholds of the success curve."""
SUCCESS_RATES = {"sr50": 0.5, "sr75": 0.75}
METRICS = ("ao", *SUCCESS_RATES)


def overlaps(result: Boxes, truth: Boxes, frame_size: tuple[int, int] | None = None) -> Values:
    """Overlaps (T,), -1 in frames that do not count: the first and those where the target is not visible.

    Args:
        result, truth: (T, 4) in the benchmark's own coordinates; truth is NaN where the target is not visible.
        frame_size: (width, height); both boxes are cut to it where given, as the package does.
    """
    visible = np.asarray(~np.isnan(truth).any(axis=1))
    visible[0] = False
    if frame_size is not None:
        result, truth = _cut(result, frame_size), _cut(truth, frame_size)
    return np.where(visible, np.clip(np.nan_to_num(metrics.overlap(result, truth)), 0.0, 1.0), -1.0)


def counted(overlap: Values) -> Values:
    """Those of the overlaps (T,) that count."""
    return overlap[overlap >= 0]


def _cut(boxes: Boxes, frame_size: tuple[int, int]) -> Boxes:
    corner = np.clip(boxes[:, :2], 0, frame_size)
    # The size is not shortened by what a negative corner loses: the package cuts sizes only at the far side.
    return np.hstack([corner, np.clip(boxes[:, 2:], 0, np.asarray(frame_size) - corner)])


def figures(overlap: Values) -> dict[str, float]:
    """AO and SR at 0.5 and 0.75 of pooled overlaps (T,); NaN of none."""
    if not len(overlap):
        return dict.fromkeys(METRICS, float("nan"))
    rates = {name: float(np.mean(overlap > limit)) for name, limit in SUCCESS_RATES.items()}
    return {"ao": float(np.mean(overlap)), **rates}


def success_curve(pooled: ListLike[Values]) -> Values:
    """Share of all frames above each of ``OVERLAPS``."""
    return metrics.shares_above(np.concatenate(list(pooled)), OVERLAPS)
