"""The plots of one-pass results: curves, attributes, ranking, speed. Every function returns a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rartrack.datasets.otb import ATTRIBUTES
from rartrack.errors import InputError
from rartrack.evaluation.metrics import Values
from rartrack.evaluation.scoreboard import Scoreboard, by_attribute
from rartrack.report.drawing import INK, MUTED, Colours, legend, line_of, new_figure, styled
from rartrack.report.summaries import METRICS, interval, ordered_attributes, scored_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_SPAN = 0.05
"""Of figures that a plot of speed spans: trackers that are alike should look it."""


@styled
def curve_plots(boards: Sequence[Scoreboard], palette: Colours) -> Figure:
    """Success and precision curves side by side, a row a benchmark."""
    kinds = ["success", *(["precision"] if _drawn(boards[0], "precision") else [])]
    kinds += ["normalized"] if _drawn(boards[0], "normalized") else []
    figure, axes = new_figure(len(boards), len(kinds), width=5.0, height=3.9)
    for row, board in zip(axes, boards, strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            _curves(axis, board, kind, palette)
    return figure


def _drawn(board: Scoreboard, kind: str) -> bool:
    curves = board.main[0].curves
    return curves is not None and bool(getattr(curves, kind).size)


_KINDS = {
    "success": ("Success", "overlap threshold", "share of frames"),
    "precision": ("Precision", "centre error threshold (px)", "share of frames"),
    "normalized": ("Normalised precision", "centre error threshold (sides of the true box)", "share of frames"),
}


def _curves(axis: Axes, board: Scoreboard, kind: str, palette: Colours) -> None:
    title, across, up = _KINDS[kind]
    metric = board.metrics[list(_KINDS).index(kind)] if len(board.metrics) > 1 and board.protocol != "got10k" else "ao"
    ranked = sorted(board.main, key=lambda score: -score.figures[metric])
    for score in ranked[::-1]:
        assert score.curves is not None
        curve = score.mean(getattr(score.curves, kind))
        axis.plot(_thresholds(kind, len(curve)), curve, **line_of(score, palette))
    axis.set(title=f"{title}, {scored_title(board)}", xlabel=across, ylabel=up, ylim=(0, 1.0))
    axis.set_xlim(0, _thresholds(kind, 2)[-1])
    legend(axis, [(score.figures[metric], score) for score in ranked], palette, METRICS[metric].title)


def _thresholds(kind: str, count: int) -> Values:
    return np.linspace(0, {"success": 1.0, "precision": 50.0, "normalized": 0.5}[kind], count)


@styled
def attribute_plots(board: Scoreboard, palette: Colours) -> Figure:
    """Success curves by attribute, one small plot each, with the best six trackers' figures in it.

    Raises:
        InputError: the benchmark's sequences have no attributes.
    """
    found = ordered_attributes(board)
    if not found:
        raise InputError(f"{board.benchmark}: its sequences have no attributes to draw")
    metric, across = board.metrics[0], 4
    figure, axes = new_figure(math.ceil(len(found) / across), across, width=2.9, height=2.75, share=True)
    flat = [axis for row in axes for axis in row]
    for axis, (name, members) in zip(flat, found.items(), strict=False):
        figures = [(by_attribute(score, metric, members), score) for score in board.main]
        ranked = sorted((pair for pair in figures if pair[0] == pair[0]), key=lambda pair: -pair[0])
        for _, score in ranked[::-1]:
            assert score.curves is not None
            curve = score.mean(score.curves.success, members)
            axis.plot(_thresholds("success", len(curve)), curve, **line_of(score, palette))
        axis.set_title(f"{ATTRIBUTES.get(name, name).capitalize()} ({len(members)})", fontsize=9.5, pad=5)
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=(0.2, 0.4, 0.6, 0.8), yticks=(0, 0.2, 0.4, 0.6, 0.8, 1))
        legend(axis, ranked, palette, "", shown=6, loc="lower left", fontsize=6.3, labelspacing=0.15)
    for axis in flat[len(found) :]:
        axis.set_axis_off()
    if board.first is not None:
        figure.suptitle(scored_title(board), x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    figure.supxlabel("overlap threshold", color=MUTED, fontsize=9.5)
    figure.supylabel("share of frames", color=MUTED, fontsize=9.5)
    return figure


@styled
def ranking_plot(board: Scoreboard, palette: Colours, metric: str | None = None) -> Figure:
    """Trackers from best to worst by one figure, with bootstrap intervals where there are per-sequence figures."""
    metric = metric or board.metrics[0]
    ranked = sorted(board.main, key=lambda score: score.figures[metric])
    if METRICS[metric].better == "lower":
        ranked.reverse()
    figure, axes = new_figure(1, 1, width=6.4, height=0.9 + 0.33 * len(ranked))
    axis = axes[0][0]
    for place, score in enumerate(ranked):
        value, colour = score.figures[metric], palette[score.tracker]
        if metric in score.by_sequence and len(score.sequences) > 1 and not board.protocol.startswith("vot"):
            bounds = interval(score, metric)
            axis.plot([bounds.low, bounds.high], [place, place], color=colour, alpha=0.35, linewidth=5, zorder=2)
        axis.plot(value, place, "o", color=colour, markersize=7.5, zorder=3)
        axis.annotate(f"{value:.3f}", (value, place), (0, 7), textcoords="offset points", ha="center", fontsize=7.5)
    names = [f"{score.tracker}{' *' if score.missing else ''}" for score in ranked]
    axis.set_yticks(range(len(ranked)), names, color=INK)
    axis.set_ylim(-0.6, len(ranked) - 0.2)
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.08)
    axis.set_title(f"{METRICS[metric].title} on {scored_title(board)}")
    axis.set_xlabel(METRICS[metric].about)
    return figure


@styled
def speed_plot(board: Scoreboard, palette: Colours) -> Figure:
    """The ranking figure against frames a second, for trackers whose times are at hand.

    Raises:
        InputError: there are no times of any.
    """
    from matplotlib.ticker import LogLocator

    metric = board.metrics[0]
    timed = [score for score in board.main if score.seconds]
    if not timed:
        raise InputError(f"{board.benchmark}: no tracker's results hold times (<sequence>_time.txt)")
    figure, axes = new_figure(1, 1, width=5.6, height=4.0)
    axis = axes[0][0]
    for score in timed:
        assert score.seconds is not None
        rate = 1 / score.seconds
        axis.plot(rate, score.figures[metric], "o", color=palette[score.tracker], markersize=9)
        axis.annotate(score.tracker, (rate, score.figures[metric]), (8, -3), textcoords="offset points", fontsize=8.5)
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for formatted in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
        formatted(lambda value, _: f"{value:g}")
    axis.tick_params(axis="x", which="minor", length=0, pad=3.5)  # as the major ones, so that numbers are level
    axis.margins(x=0.25, y=0.15)
    low, high = axis.get_ylim()
    if (lacking := _LEAST_SPAN - (high - low)) > 0:
        axis.set_ylim(low - lacking / 2, high + lacking / 2)
    axis.axvline(25, color=MUTED, linewidth=0.9, linestyle=":")
    axis.annotate("25 frames/s", (25, 0.01), xycoords=("data", "axes fraction"), fontsize=7.5, color=MUTED, ha="left")
    axis.set(xlabel="frames a second (median, logarithmic)", ylabel=METRICS[metric].title)
    axis.set_title(f"Speed and {METRICS[metric].title} on {scored_title(board)}")
    return figure
