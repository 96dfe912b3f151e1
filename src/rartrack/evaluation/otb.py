"""OTB's one-pass evaluation as three toolkits in wide use compute it, the first of them the benchmark's own; and for
folders of one's own, which have no published figures to agree with.

Y. Wu, J. Lim, M.-H. Yang, "Object Tracking Benchmark", TPAMI 2015. Success is the share of frames whose overlap is
above a threshold, precision the share whose centre is within a distance; AUC and DP@20 px are means over sequences.
"""

from __future__ import annotations

from rartrack.evaluation.rules import Rules

MATLAB_OVERLAPS = tuple(k * 0.05 if k <= 10 else 1 - (20 - k) * 0.05 for k in range(21))
"""0:0.05:1 with the bits MATLAB's colon gives it: counted from both ends towards the middle."""

TOOLKIT = Rules(
    name="toolkit",
    source="tracker_benchmark v1.1 (MATLAB), calcSeqErrRobust and calcRectInt; published figures follow it",
    overlaps=MATLAB_OVERLAPS,
    repair="all nan",
    arithmetic="pixels",
    invalid="precise",
)
PYSOT = Rules(
    name="pysot",
    source="pysot-toolkit, ope_benchmark: the first box counts as given, bad boxes are not repaired",
    overlaps=tuple(k * 0.05 for k in range(21)),
    first="given",
    invalid="centre",
)
GOT10K = Rules(
    name="got10k",
    source="the got10k package 0.1.3, ExperimentOTB: no rule for bad boxes or invalid truth",
    overlaps=tuple(k * 0.05 for k in range(21)),
)
RULES = {rules.name: rules for rules in (TOOLKIT, PYSOT, GOT10K)}

VISIBLE = Rules(
    name="visible",
    source="OTB's curves over the frames in which the target is there, wherever it lies",
    overlaps=GOT10K.overlaps,
    repair="all nan",
    invalid="unseen",
)
FOLDER_RULES = {VISIBLE.name: VISIBLE, **RULES}
