"""Every table and figure a report can hold, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rartrack.errors import InputError, nearest
from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.report import paper, plots, summaries, vot_plots
from rartrack.report.drawing import colours
from rartrack.report.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER_TABLES: dict[str, Callable[[Sequence[Scoreboard]], Table]] = {"table2": paper.table2, "table3": paper.table3}
PAPER_FIGURES = ("fig8", "fig9", "fig10")


def tables(boards: Sequence[Scoreboard], against: str | None = None) -> dict[str, Table]:
    """Name -> table, all that these boards give: each benchmark's own, and the paper's."""
    found: list[Table | None] = []
    for board in boards:
        found += [summaries.overall(board), summaries.attributes(board), summaries.tags(board)]
        found += [*summaries.sequences(board), summaries.comparisons(board, against)]
    for build in PAPER_TABLES.values():
        try:
            found.append(build(boards))
        except InputError:
            continue
    return {table.name: table for table in found if table is not None}


def figures(boards: Sequence[Scoreboard]) -> dict[str, Callable[[], Figure]]:
    """Name -> what draws it, all that these boards give: each benchmark's own, and the paper's."""
    palette = colours(boards)
    found: dict[str, Callable[[], Figure]] = {}
    for board in boards:
        found |= {f"{board.benchmark}-{kind}": draw for kind, draw in _own(board, palette).items()}
    for name in PAPER_FIGURES:
        try:
            found[name] = _paper_figure(name, boards, palette)
        except InputError:
            continue
    return found


def _own(board: Scoreboard, palette: Mapping[str, str]) -> dict[str, Callable[[], Figure]]:
    found: dict[str, Callable[[], Figure]] = {"ranking": partial(plots.ranking_plot, board, palette)}
    if board.main[0].curves is not None:
        found["curves"] = partial(plots.curve_plots, [board], palette)
        if summaries.ordered_attributes(board):
            found["attributes"] = partial(plots.attribute_plots, board, palette)
    if board.main[0].challenge is not None:
        found["eao"] = partial(vot_plots.eao_curve_plot, board, palette)
        found["accuracy-robustness"] = partial(vot_plots.accuracy_robustness_plot, board, palette)
    if any(score.seconds for score in board.main):
        found["speed"] = partial(plots.speed_plot, board, palette)
    return found


def _paper_figure(name: str, boards: Sequence[Scoreboard], palette: Mapping[str, str]) -> Callable[[], Figure]:
    if name == "fig8":
        return partial(plots.curve_plots, paper.otb_boards(boards), palette)
    if name == "fig9":
        return partial(plots.attribute_plots, paper.attribute_board(boards), palette)
    return partial(vot_plots.eao_plots, paper.challenge_boards(boards), palette, paper.EAO)


def choose_table(name: str, boards: Sequence[Scoreboard], against: str | None = None) -> Table:
    """One table by name.

    Raises:
        InputError: unknown, or these boards do not give it.
    """
    if name in PAPER_TABLES:
        return PAPER_TABLES[name](boards)
    found = tables(boards, against)
    if name not in found:
        raise InputError(f"no table {name!r}{nearest(name, found)}; there are {', '.join(found)}")
    return found[name]


def choose_figure(name: str, boards: Sequence[Scoreboard]) -> Callable[[], Figure]:
    """What draws one figure by name.

    Raises:
        InputError: unknown, or these boards do not give it.
    """
    if name in PAPER_FIGURES:
        return _paper_figure(name, boards, colours(boards))
    found = figures(boards)
    if name not in found:
        raise InputError(f"no figure {name!r}{nearest(name, found)}; there are {', '.join(found)}")
    return found[name]
