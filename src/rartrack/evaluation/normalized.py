"""LaSOT's and TrackingNet's one-pass evaluation: OTB's curves and normalised precision.

H. Fan et al., "LaSOT", CVPR 2019; M. Mueller et al., "TrackingNet", ECCV 2018.
"""

from __future__ import annotations

from dataclasses import replace

from rartrack.evaluation.otb import MATLAB_OVERLAPS, PYSOT
from rartrack.evaluation.rules import Rules

_HUNDREDTHS = tuple(k / 100 for k in range(51))

LASOT = Rules(
    name="toolkit",
    source="LaSOT_Evaluation_Toolkit, calc_seq_err_robust and eval_tracker: frames without the target never succeed, "
    "but stay in the denominator; normalised precision at 0.2",
    overlaps=MATLAB_OVERLAPS,
    normalized=_HUNDREDTHS,
    repair="any nan",
    arithmetic="pixels",
    invalid="precise",
    absent="failed",
)
LASOT_PYSOT = replace(
    PYSOT,
    source="pysot-toolkit, ope_benchmark: frames without the target never succeed, but stay in the denominator",
    normalized=_HUNDREDTHS,
    absent="failed",
)
TRACKINGNET = Rules(
    name="toolkit",
    source="TrackingNet-devkit, metrics.py: whole pixels; every figure is the area under 21 points, by trapezoids",
    overlaps=tuple(k * 0.05 for k in range(21)),
    pixels=tuple(k * 2.5 for k in range(21)),
    normalized=tuple(k * 0.025 for k in range(21)),
    area="trapezoid",
    precision="area",
    arithmetic="pixels",
    rounded=True,
)
LASOT_RULES = {rules.name: rules for rules in (LASOT, LASOT_PYSOT)}
TRACKINGNET_RULES = {rules.name: rules for rules in (TRACKINGNET, LASOT_PYSOT)}
