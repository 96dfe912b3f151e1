"""The tables of a report: overall, by attribute, by sequence, and trackers in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from rartrack.datasets import BENCHMARKS
from rartrack.datasets.otb import ATTRIBUTES
from rartrack.evaluation.scoreboard import Scoreboard, by_attribute
from rartrack.evaluation.scoring import Score
from rartrack.evaluation.statistics import Comparison, Interval, bootstrap, compare
from rartrack.report.table import Cell, Column, Table


@dataclass(frozen=True)
class Metric:
    """How a figure is called and read."""

    title: str
    about: str
    better: Literal["higher", "lower"] = "higher"
    digits: int = 4


METRICS = {
    "auc": Metric("AUC", "area under the success curve"),
    "dp20": Metric("DP@20", "share of frames whose centre is within 20 px"),
    "precision": Metric("P", "area under the precision curve"),
    "norm_precision": Metric("P_norm", "precision with distances in sides of the true box"),
    "ao": Metric("AO", "average overlap"),
    "sr50": Metric("SR@0.5", "share of frames with an overlap above 0.5"),
    "sr75": Metric("SR@0.75", "share of frames with an overlap above 0.75"),
    "eao": Metric("EAO", "expected average overlap"),
    "accuracy": Metric("A", "average overlap while tracking"),
    "robustness": Metric("R", "failures per 100 frames", "lower"),
    "failures": Metric("failures", "number of failures", "lower", 1),
}
"""Metric -> how it is shown; names as in ``scores.csv``."""


def benchmark_title(name: str) -> str:
    """A benchmark's name in prose; a folder's as it is."""
    return BENCHMARKS[name].title if name in BENCHMARKS else name


def scored_title(board: Scoreboard) -> str:
    """A benchmark's name, and how many frames were scored where it was not all, as plots have it in their titles."""
    title = benchmark_title(board.benchmark)
    return title if board.first is None else f"{title}, first {board.first} frames"


def overall(board: Scoreboard) -> Table:
    """Every tracker's figures by every set of rules asked for, with an interval of the ranking figure."""
    leading = board.metrics[0]
    columns = [Column("tracker")]
    own = {rules: tuple(board.by(rules)[0].figures) for rules in board.rules}
    for rules, metrics in own.items():
        group = rules if len(board.rules) > 1 else ""
        columns += [_column(each, group) for each in metrics]
    with_interval = len(board.sequences) > 1 and leading in board.main[0].by_sequence
    with_speed = any(score.seconds for score in board.main)
    columns += [Column(f"95 % of {METRICS[leading].title}")] if with_interval else []
    columns += [Column("frames/s", 1, "higher")] if with_speed else []
    rows: list[tuple[Cell, ...]] = []
    for score in board.main:
        row: list[Cell] = [marked(score)]
        for rules, metrics in own.items():
            found = next(each for each in board.by(rules) if each.tracker == score.tracker)
            row += [found.figures[metric] for metric in metrics]
        if with_interval:
            bounds = interval(score, leading)
            row.append(f"{bounds.low:.3f} to {bounds.high:.3f}")
        if with_speed:
            row.append(1 / score.seconds if score.seconds else None)
        rows.append(tuple(row))
    title = f"{benchmark_title(board.benchmark)}, {len(board.sequences)} sequences, rules: {', '.join(board.rules)}"
    return Table(f"{board.benchmark}-overall", title, tuple(columns), tuple(rows), partial_notes(board))


def _column(metric: str, group: str = "", digits: int | None = None) -> Column:
    about = METRICS[metric]
    return Column(about.title, about.digits if digits is None else digits, about.better, group)


def marked(score: Score) -> str:
    """The tracker's name, with a star where only a part of its results was there to score."""
    return f"{score.tracker} *" if score.missing else score.tracker


def partial_notes(board: Scoreboard) -> tuple[str, ...]:
    """One line where a part of the frames or sequences was asked for, and one for each tracker that lacks sequences."""
    total, title = len(board.sequences), benchmark_title(board.benchmark)
    parts = []
    if board.first is not None:
        parts.append(f"{title}: the first {board.first} frames")
    if board.left_out:
        parts.append(f"{title}: {total} of {total + board.left_out} sequences")
    parts += [
        f"* {score.tracker}: only {total - len(score.missing)} of {total} sequences"
        for score in board.main
        if score.missing
    ]
    return tuple(f"{part}, not comparable to whole results" for part in parts)


@cache
def _interval(values: tuple[float, ...], weights: tuple[float, ...] | None) -> Interval:
    return bootstrap(values, weights=weights)


def interval(score: Score, metric: str) -> Interval:
    """Bootstrap interval (95 %) of a tracker's figure over the sequences that count in it."""
    values, weights = score.by_sequence[metric], score.weights
    if weights is None:
        return _interval(tuple(values.tolist()), None)
    return _interval(tuple(values[weights > 0].tolist()), tuple(weights[weights > 0].tolist()))


def attributes(board: Scoreboard) -> Table | None:
    """The ranking figure by attribute, or None where no sequence has one."""
    found = ordered_attributes(board)
    metric = board.metrics[0]
    if not found or metric not in board.main[0].by_sequence:
        return None
    columns = [Column("tracker")]
    columns += [Column(f"{name} ({len(names)})", 3, METRICS[metric].better) for name, names in found.items()]
    rows: list[tuple[Cell, ...]] = [
        (marked(score), *(by_attribute(score, metric, names) for names in found.values())) for score in board.main
    ]
    title = f"{benchmark_title(board.benchmark)}: {METRICS[metric].title} by attribute (sequences)"
    return Table(f"{board.benchmark}-attributes", title, tuple(columns), tuple(rows), partial_notes(board))


def ordered_attributes(board: Scoreboard) -> dict[str, tuple[str, ...]]:
    """Attribute -> its sequences, OTB's in the benchmark's order."""
    found = board.attributes()
    order = [*ATTRIBUTES, *(name for name in found if name not in ATTRIBUTES)]
    return {name: found[name] for name in order if name in found}


def tags(board: Scoreboard) -> Table | None:
    """A challenge's figures by per-frame tag, or None where there are no tags."""
    found = board.main[0].challenge
    if found is None or not found.per_tag:
        return None
    columns = [Column("tracker")]
    for tag, scores in found.per_tag.items():
        group = f"{tag.replace('_', ' ')} ({scores.frames} frames)"
        columns += [_column(metric, group, 3) for metric in ("eao", "accuracy", "robustness")]
    rows: list[tuple[Cell, ...]] = []
    for score in board.main:
        each = score.challenge.per_tag.values() if score.challenge else ()
        rows.append((marked(score), *(value for tag in each for value in (tag.eao, tag.accuracy, tag.robustness))))
    title = f"{benchmark_title(board.benchmark)}: figures by tag"
    return Table(f"{board.benchmark}-tags", title, tuple(columns), tuple(rows), partial_notes(board))


def sequences(board: Scoreboard) -> list[Table]:
    """Figures by sequence, a column a tracker: the ranking one, or those a challenge has by sequence."""
    known = board.main[0].by_sequence
    metrics = [board.metrics[0]] if board.metrics[0] in known else list(known)
    return [_sequences(board, metric, "" if len(metrics) == 1 else f"-{metric}") for metric in metrics]


def _sequences(board: Scoreboard, metric: str, suffix: str) -> Table:
    about = METRICS[metric]
    columns = [Column("sequence"), Column("frames")]
    columns += [Column(marked(score), min(about.digits, 3), about.better) for score in board.main]
    rows: list[tuple[Cell, ...]] = []
    for name, sequence in board.sequences.items():
        rows.append((name, len(sequence), *(_of(score, metric, name) for score in board.main)))
    title = f"{benchmark_title(board.benchmark)}: {about.title} by sequence"
    name = f"{board.benchmark}-sequences{suffix}"
    return Table(name, title, tuple(columns), tuple(rows), partial_notes(board), "row")


def _of(score: Score, metric: str, sequence: str) -> float | None:
    if sequence not in score.sequences or metric not in score.by_sequence:
        return None
    return float(score.by_sequence[metric][score.sequences.index(sequence)])


def comparisons(board: Scoreboard, against: str | None = None) -> Table | None:
    """One tracker, the best if none is named, against every other on the sequences both have; None for one tracker."""
    metric = board.metrics[0]
    first = next((score for score in board.main if score.tracker == against), board.main[0])
    others = [score for score in board.main if score is not first]
    if not others or metric not in first.by_sequence:
        return None
    title = METRICS[metric].title
    columns = (
        Column(f"{first.tracker} against"),
        Column(f"Δ {title}", 4),
        Column("95 %"),
        Column("p"),
        Column("better : worse"),
    )
    rows = tuple(_versus(other.tracker, paired(first, other, metric)) for other in others)
    notes = (
        "Intervals: bootstrap over sequences; p: sign-flip permutation test of paired differences, not adjusted for "
        "the number of comparisons, nor for the choice of the best to compare with.",
        *partial_notes(board),
    )
    name = f"{board.benchmark}-comparison"
    return Table(name, f"{benchmark_title(board.benchmark)}: paired over sequences", columns, rows, notes)


def paired(first: Score, second: Score, metric: str) -> Comparison | None:
    """Compare two trackers on the sequences that both have; None where there are none, or a figure is not a number.

    Sequences count as they do in the first one's figure.
    """
    places = {name: place for place, name in enumerate(first.sequences)}
    common = [name for name in first.sequences if name in second.sequences]
    if first.weights is not None:
        common = [name for name in common if first.weights[places[name]] > 0]
    values = [[each.by_sequence[metric][each.sequences.index(name)] for name in common] for each in (first, second)]
    if not common or not np.isfinite(values).all():
        return None
    weights = None if first.weights is None else first.weights[[places[name] for name in common]]
    return compare(values[0], values[1], weights=weights)


def _versus(name: str, result: Comparison | None) -> tuple[Cell, ...]:
    if result is None:
        return name, None, None, None, None
    bounds = f"{result.interval.low:+.3f} to {result.interval.high:+.3f}"
    chance = f"{result.p_value:.4f}" if result.p_value >= 0.001 else "< 0.001"
    return name, result.difference, bounds, chance, f"{result.wins} : {result.losses}"
