"""The plots of a report, drawn without a screen and without matplotlib's global state.

Every function returns a figure; ``save`` writes it as SVG and PNG. A tracker keeps its colour in all plots of a report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from rartrack.errors import InputError
from rartrack.evaluation.metrics import Values
from rartrack.evaluation.otb import ATTRIBUTES
from rartrack.evaluation.scoreboard import Scoreboard, by_attribute
from rartrack.evaluation.scoring import Score
from rartrack.evaluation.vot import BENCHMARKS
from rartrack.report.summaries import METRICS, benchmark_title, interval, ordered_attributes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

COLOURS = ("#0b5fa5", "#d1495b", "#1b998b", "#e28413", "#7b4fa3", "#5aa9e6", "#8c6a3f", "#c65b9a", "#4f772d", "#3d405b")
OTHERS = "#b8bec8"
"""Of trackers beyond the tenth."""
INK, MUTED, GRID = "#1f2733", "#5d6878", "#e4e8ee"

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": "#c3cad5",
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
    "figure.facecolor": "white",
}
Colours = Mapping[str, str]


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    @wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> Figure:
        try:
            import matplotlib
        except ModuleNotFoundError:
            raise InputError("plots need matplotlib: pip install 'rartrack[report]'") from None
        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return drawn


def colours(boards: Collection[Scoreboard]) -> dict[str, str]:
    """Tracker -> colour, by rank on the first board that has it."""
    names = list(dict.fromkeys(score.tracker for board in boards for score in board.main))
    return {name: COLOURS[index] if index < len(COLOURS) else OTHERS for index, name in enumerate(names)}


@_styled
def curve_plots(boards: Sequence[Scoreboard], palette: Colours) -> Figure:
    """Success and precision curves side by side, a row a benchmark."""
    kinds = ["success", *(["precision"] if _drawn(boards[0], "precision") else [])]
    kinds += ["normalized"] if _drawn(boards[0], "normalized") else []
    figure, axes = _figure(len(boards), len(kinds), width=5.0, height=3.9)
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
        curve = getattr(score.curves, kind).mean(axis=0)
        axis.plot(_thresholds(kind, len(curve)), curve, **_line(score, palette))
    axis.set(title=f"{title}, {benchmark_title(board.benchmark)}", xlabel=across, ylabel=up, ylim=(0, 1.0))
    axis.set_xlim(0, _thresholds(kind, 2)[-1])
    _legend(axis, [(score.figures[metric], score) for score in ranked], palette, METRICS[metric].title)


def _thresholds(kind: str, count: int) -> Values:
    return np.linspace(0, {"success": 1.0, "precision": 50.0, "normalized": 0.5}[kind], count)


def _line(score: Score, palette: Colours) -> dict[str, Any]:
    return {
        "color": palette[score.tracker],
        "linewidth": 2.6 if _ours(score.tracker) else 1.5,
        "linestyle": (0, (4, 2)) if score.missing else "-",
        "zorder": 3 if _ours(score.tracker) else 2,
    }


def _ours(tracker: str) -> bool:
    return tracker.lower().startswith("rar")


def _legend(
    axis: Axes, ranked: Sequence[tuple[float, Score]], palette: Colours, title: str, shown: int = 12, **where: Any
) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_line(score, palette)) for _, score in ranked[:shown]]
    labels = [f"{figure:.3f}  {score.tracker}{' *' if score.missing else ''}" for figure, score in ranked[:shown]]
    if not where:
        where = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    legend = axis.legend(handles, labels, title=title, alignment="left", handlelength=1.4, borderaxespad=0.2, **where)
    legend.get_title().set(color=MUTED, fontsize="small")


@_styled
def attribute_plots(board: Scoreboard, palette: Colours) -> Figure:
    """Success curves by attribute, one small plot each, with the best six trackers' figures in it."""
    found = ordered_attributes(board)
    if not found:
        raise InputError(f"{board.benchmark}: its sequences have no attributes to draw")
    metric, across = board.metrics[0], 4
    figure, axes = _figure(math.ceil(len(found) / across), across, width=2.9, height=2.75, share=True)
    flat = [axis for row in axes for axis in row]
    for axis, (name, members) in zip(flat, found.items(), strict=False):
        figures = [(by_attribute(score, metric, members), score) for score in board.main]
        ranked = sorted((pair for pair in figures if pair[0] == pair[0]), key=lambda pair: -pair[0])
        for _, score in ranked[::-1]:
            assert score.curves is not None
            chosen = [index for index, sequence in enumerate(score.sequences) if sequence in members]
            curve = score.curves.success[chosen].mean(axis=0)
            axis.plot(_thresholds("success", len(curve)), curve, **_line(score, palette))
        axis.set_title(f"{ATTRIBUTES.get(name, name).capitalize()} ({len(members)})", fontsize=9.5, pad=5)
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=(0.2, 0.4, 0.6, 0.8), yticks=(0, 0.2, 0.4, 0.6, 0.8, 1))
        _legend(axis, ranked, palette, "", shown=6, loc="lower left", fontsize=6.3, labelspacing=0.15)
    for axis in flat[len(found) :]:
        axis.set_axis_off()
    figure.supxlabel("overlap threshold", color=MUTED, fontsize=9.5)
    figure.supylabel("share of frames", color=MUTED, fontsize=9.5)
    return figure


@_styled
def ranking_plot(board: Scoreboard, palette: Colours, metric: str | None = None) -> Figure:
    """Trackers from best to worst by one figure, with bootstrap intervals where there are per-sequence figures."""
    metric = metric or board.metrics[0]
    ranked = sorted(board.main, key=lambda score: score.figures[metric])
    if METRICS[metric].better == "lower":
        ranked.reverse()
    figure, axes = _figure(1, 1, width=6.4, height=0.9 + 0.33 * len(ranked))
    axis = axes[0][0]
    for place, score in enumerate(ranked):
        value, colour = score.figures[metric], palette[score.tracker]
        if metric in score.by_sequence and len(score.sequences) > 1 and board.protocol != "vot":
            bounds = interval(score, metric)
            axis.plot([bounds.low, bounds.high], [place, place], color=colour, alpha=0.35, linewidth=5, zorder=2)
        axis.plot(value, place, "o", color=colour, markersize=7.5, zorder=3)
        axis.annotate(f"{value:.3f}", (value, place), (0, 7), textcoords="offset points", ha="center", fontsize=7.5)
    names = [f"{score.tracker}{' *' if score.missing else ''}" for score in ranked]
    axis.set_yticks(range(len(ranked)), names, color=INK)
    axis.set_ylim(-0.6, len(ranked) - 0.2)
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.08)
    axis.set_title(f"{METRICS[metric].title} on {benchmark_title(board.benchmark)}")
    axis.set_xlabel(METRICS[metric].about)
    return figure


@_styled
def eao_plots(boards: Sequence[Scoreboard], palette: Colours) -> Figure:
    """EAO ranking of each challenge, side by side: best at the right."""
    figure, axes = _figure(1, len(boards), width=5.0, height=4.2)
    for axis, board in zip(axes[0], boards, strict=True):
        ranked = sorted(board.main, key=lambda score: score.figures["eao"])
        places = range(len(ranked), 0, -1)
        for place, score in zip(places, ranked, strict=True):
            axis.plot(place, score.figures["eao"], "o", color=palette[score.tracker], markersize=9)
        axis.invert_xaxis()
        axis.set_xticks(list(places))
        axis.set(title=f"EAO, {benchmark_title(board.benchmark)}", xlabel="rank", ylabel="expected average overlap")
        _legend(axis, [(score.figures["eao"], score) for score in ranked[::-1]], palette, "EAO")
    return figure


@_styled
def eao_curve_plot(board: Scoreboard, palette: Colours) -> Figure:
    """Expected average overlap against sequence length, with the lengths shaded over which EAO is the mean."""
    figure, axes = _figure(1, 1, width=8.0, height=3.9)
    axis = axes[0][0]
    benchmark = BENCHMARKS.get(board.benchmark, BENCHMARKS["vot2018"])
    low, high = benchmark.eao_range
    axis.axvspan(low, high, color="#eef2f7", zorder=0)
    longest = 0
    for score in board.main[::-1]:
        if score.challenge is not None:
            curve = score.challenge.curve
            longest = max(longest, len(curve))
            axis.plot(np.arange(1, len(curve) + 1), curve, **_line(score, palette))
    axis.annotate(f"{low} to {high} frames", ((low + high) / 2, 0.97), ha="center", va="top", fontsize=8, color=MUTED)
    axis.set(xlim=(1, max(min(longest, round(1.6 * high)), 2)), ylim=(0, 1))
    axis.set(xlabel="sequence length (frames)", ylabel="expected average overlap")
    axis.set_title(f"Expected average overlap, {benchmark_title(board.benchmark)}")
    _legend(axis, [(score.figures["eao"], score) for score in board.main], palette, "EAO")
    return figure


SURVIVAL = 30
"""Frames for which the robustness axis says how likely it is to track on without a failure (VOT's own plots)."""


@_styled
def accuracy_robustness_plot(board: Scoreboard, palette: Colours) -> Figure:
    """Accuracy against the chance of tracking 30 frames without a failure, exp(-30 failures / frames)."""
    figure, axes = _figure(1, 1, width=5.6, height=4.0)
    axis = axes[0][0]
    for score in board.main:
        place = (math.exp(-SURVIVAL * score.figures["robustness"] / 100), score.figures["accuracy"])
        axis.plot(*place, "o", color=palette[score.tracker], markersize=9)
        axis.annotate(score.tracker, place, (8, -3), textcoords="offset points", fontsize=8.5)
    axis.margins(x=0.3, y=0.2)
    axis.set(xlabel=f"chance of {SURVIVAL} frames without a failure", ylabel="accuracy")
    axis.set_title(f"Accuracy and robustness, {benchmark_title(board.benchmark)}")
    return figure


@_styled
def speed_plot(board: Scoreboard, palette: Colours) -> Figure:
    """The ranking figure against frames a second, for trackers whose times are at hand."""
    metric = board.metrics[0]
    timed = [score for score in board.main if score.seconds]
    if not timed:
        raise InputError(f"{board.benchmark}: no tracker's results hold times (<sequence>_time.txt)")
    figure, axes = _figure(1, 1, width=5.6, height=4.0)
    axis = axes[0][0]
    for score in timed:
        assert score.seconds is not None
        rate = 1 / score.seconds
        axis.plot(rate, score.figures[metric], "o", color=palette[score.tracker], markersize=9)
        axis.annotate(score.tracker, (rate, score.figures[metric]), (8, -3), textcoords="offset points", fontsize=8.5)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.margins(x=0.25, y=0.15)
    axis.axvline(25, color=MUTED, linewidth=0.9, linestyle=":")
    axis.annotate("25 frames/s", (25, 0.01), xycoords=("data", "axes fraction"), fontsize=7.5, color=MUTED, ha="left")
    axis.set(xlabel="frames a second (median, logarithmic)", ylabel=METRICS[metric].title)
    axis.set_title(f"Speed and {METRICS[metric].title} on {benchmark_title(board.benchmark)}")
    return figure


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write NAME.svg and NAME.png; returns their paths."""
    import matplotlib

    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):  # the same figure, the same bytes
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=150)
    return paths


def _figure(
    rows: int, columns: int, *, width: float, height: float, share: bool = False
) -> tuple[Figure, list[list[Axes]]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    return figure, [list(row) for row in axes]
