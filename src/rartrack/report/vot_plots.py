"""The plots of the VOT challenges: EAO, its curve, accuracy and robustness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.evaluation.vot import BENCHMARKS
from rartrack.report.drawing import MUTED, Colours, legend, line_of, new_figure, styled
from rartrack.report.summaries import scored_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SURVIVAL = 30
"""Frames for which the robustness axis says how likely it is to track on without a failure (VOT's own plots)."""


@styled
def eao_plots(
    boards: Sequence[Scoreboard], palette: Colours, quoted: Mapping[str, Mapping[str, float]] | None = None
) -> Figure:
    """EAO ranking of each challenge, side by side, the best at the right.

    Args:
        boards: the challenges.
        palette: tracker -> colour.
        quoted: benchmark -> tracker -> EAO printed in a paper, drawn as a dashed line.
    """
    figure, axes = new_figure(1, len(boards), width=5.4, height=4.2)
    for axis, board in zip(axes[0], boards, strict=True):
        ranked = sorted(board.main, key=lambda score: score.figures["eao"])
        places = range(len(ranked), 0, -1)
        for place, score in zip(places, ranked, strict=True):
            axis.plot(place, score.figures["eao"], "o", color=palette[score.tracker], markersize=9)
        for tracker, value in (quoted or {}).get(board.benchmark, {}).items():
            axis.axhline(value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            axis.annotate(
                f"{tracker}, paper: {value:.3f}",
                (0.02, value),
                (0, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                fontsize=7.5,
                color=MUTED,
            )
        axis.margins(x=0.15, y=0.15)
        axis.invert_xaxis()
        axis.set_xticks(list(places))
        axis.set(title=f"EAO, {scored_title(board)}", xlabel="rank", ylabel="expected average overlap")
        legend(axis, [(score.figures["eao"], score) for score in ranked[::-1]], palette, "EAO")
    return figure


@styled
def eao_curve_plot(board: Scoreboard, palette: Colours) -> Figure:
    """Expected average overlap against sequence length, with the lengths shaded over which EAO is the mean."""
    figure, axes = new_figure(1, 1, width=8.0, height=3.9)
    axis = axes[0][0]
    benchmark = BENCHMARKS.get(board.benchmark.removesuffix("-realtime"), BENCHMARKS["vot2018"])
    low, high = benchmark.eao_range
    axis.axvspan(low, high, color="#eef2f7", zorder=0)
    longest = 0
    for score in board.main[::-1]:
        if score.challenge is not None:
            curve = score.challenge.curve
            longest = max(longest, len(curve))
            axis.plot(np.arange(1, len(curve) + 1), curve, **line_of(score, palette))
    axis.annotate(f"{low} to {high} frames", ((low + high) / 2, 0.97), ha="center", va="top", fontsize=8, color=MUTED)
    axis.set(xlim=(1, max(min(longest, round(1.6 * high)), 2)), ylim=(0, 1))
    axis.set(xlabel="sequence length (frames)", ylabel="expected average overlap")
    axis.set_title(f"Expected average overlap, {scored_title(board)}")
    legend(axis, [(score.figures["eao"], score) for score in board.main], palette, "EAO")
    return figure


@styled
def accuracy_robustness_plot(board: Scoreboard, palette: Colours) -> Figure:
    """Accuracy against the chance of tracking 30 frames without a failure, exp(-30 failures / frames)."""
    figure, axes = new_figure(1, 1, width=5.6, height=4.0)
    axis = axes[0][0]
    for score in board.main:
        place = (math.exp(-SURVIVAL * score.figures["robustness"] / 100), score.figures["accuracy"])
        axis.plot(*place, "o", color=palette[score.tracker], markersize=9)
        axis.annotate(score.tracker, place, (8, -3), textcoords="offset points", fontsize=8.5)
    axis.margins(x=0.3, y=0.2)
    axis.set(xlabel=f"chance of {SURVIVAL} frames without a failure", ylabel="accuracy")
    axis.set_title(f"Accuracy and robustness, {scored_title(board)}")
    return figure
