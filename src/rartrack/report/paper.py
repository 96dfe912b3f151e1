"""The tables and figures of the RAR paper by name, and those of its figures that are at hand, marked as the paper's.

P. Gao et al., "Learning Reinforced Attentional Representation for End-to-End Visual Tracking", arXiv 1908.10009. Its
full text could not be had while this was written: the rows of Table 2 below are those quoted beside raw results that
others published, RAR's own rows and Table 3's figures are not among them, and what Figs. 8 to 10 show is taken from the
places where the paper speaks of them (see docs/reproduce.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from rartrack.datasets.dataset import plain
from rartrack.errors import InputError
from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.evaluation.scoring import Score
from rartrack.report.summaries import METRICS, benchmark_title, marked, partial_notes
from rartrack.report.table import Cell, Column, Table

TABLE2: dict[str, dict[str, dict[str, float]]] = {
    "DaSiamRPN": {"otb2013": {"auc": 0.656, "dp20": 0.890}, "otb2015": {"auc": 0.658, "dp20": 0.881}},
    "SiamRPN": {"otb2013": {"auc": 0.658, "dp20": 0.884}, "otb2015": {"auc": 0.637, "dp20": 0.851}},
    "SiamTri": {"otb2013": {"auc": 0.615, "dp20": 0.815}, "otb2015": {"auc": 0.590, "dp20": 0.781}},
    "CFNet-conv2": {"otb2013": {"auc": 0.611, "dp20": 0.807}, "otb2015": {"auc": 0.568, "dp20": 0.767}},
    "SiamFC-3s": {"otb2013": {"auc": 0.609, "dp20": 0.809}, "otb2015": {"auc": 0.578, "dp20": 0.767}},
    "HCF": {"otb2013": {"auc": 0.638, "dp20": 0.891}, "otb2015": {"auc": 0.562, "dp20": 0.837}},
}
"""Tracker -> benchmark -> figures that the paper's Table 2 prints."""

EAO: dict[str, dict[str, float]] = {"vot2017": {"RAR": 0.283}}
"""Benchmark -> tracker -> EAO in the paper's Sec. 4.2. (It puts SiamFC 0.095 lower, at 0.188, which is its published
figure and what its raw results give.)"""

MISPRINTS = (
    "The paper's Table 2 disagrees with the raw results in two places: HCF's AUC on OTB-2013 (0.638; its raw results "
    "give 0.605) and CFNet's DP on OTB-2015 (0.767; 0.748).",
)

VARIANTS = {
    "RAR": "the whole model",
    "RAR_VGG": "VGG-M instead of ResNet-50",
    "RAR_DSST": "DSST's filter instead of the contextual one",
    "RAR_NHF": "no hierarchical features: the last level alone",
    "RAR_NAA": "no attention",
    "RAR_NTA": "no inter-frame attention",
    "RAR_NCA": "no channel attention",
    "RAR_NSA": "no spatial attention",
}
"""Rows of Table 3 -> what each leaves out."""

OTB = ("otb2013", "otb2015")
CHALLENGES = ("vot2016", "vot2017", "vot2018", "vot2019")


def table2(boards: Sequence[Scoreboard]) -> Table:
    """Table 2: AUC and DP@20 px on OTB-2013 and OTB-2015, ours measured beside the paper's.

    Raises:
        InputError: neither benchmark is among the boards.
    """
    shown = _only(boards, OTB, "table2")
    columns = [Column("tracker"), *_columns(shown, foreign=True)]
    names = list(dict.fromkeys([score.tracker for board in shown for score in board.main]))
    known = {plain(name) for name in names}
    names += [name for name in TABLE2 if plain(name) not in known]
    rows = []
    for name in names:
        row: list[Cell] = [next((marked(score) for score in shown[0].main if score.tracker == name), name)]
        for board in shown:
            score = _of(board, name)
            quoted = _quoted(name).get(board.benchmark, {})
            for metric in board.metrics[:2]:
                row += [score.figures[metric] if score else None, quoted.get(metric)]
        rows.append(tuple(row))
    notes = (*MISPRINTS, *(note for board in shown for note in partial_notes(board)))
    return Table(
        "table2", "Table 2: comparison on OTB, measured and as the paper prints it", tuple(columns), tuple(rows), notes
    )


def _columns(boards: Sequence[Scoreboard], *, foreign: bool) -> list[Column]:
    columns = []
    for board in boards:
        for metric in board.metrics[:2]:
            group, about = benchmark_title(board.benchmark), METRICS[metric]
            columns.append(Column(about.title, 4, about.better, group))
            if foreign:
                columns.append(Column(about.title, 3, None, group, foreign=True))
    return columns


def _quoted(tracker: str) -> dict[str, dict[str, float]]:
    return next((row for name, row in TABLE2.items() if plain(name) == plain(tracker)), {})


def _of(board: Scoreboard, tracker: str) -> Score | None:
    return next((score for score in board.main if score.tracker == tracker), None)


def table3(boards: Sequence[Scoreboard]) -> Table:
    """Table 3: the ablations among the trackers, by what each leaves out.

    Raises:
        InputError: no tracker bears the name of a variant (RAR_NAA, rar-nta, ...).
    """
    found = {
        variant: name
        for variant in VARIANTS
        for name in dict.fromkeys(score.tracker for board in boards for score in board.main)
        if plain(name) == plain(variant)
    }
    if not set(found) - {"RAR"}:
        raise InputError(
            f"table3: no tracker is a variant of RAR; their results are looked for in {', '.join(VARIANTS)}"
        )
    columns = [Column("variant"), Column("what differs"), *_columns(boards, foreign=False)]
    rows = []
    for variant, name in found.items():
        row: list[Cell] = [variant, VARIANTS[variant]]
        for board in boards:
            score = _of(board, name)
            row += [score.figures[metric] if score else None for metric in board.metrics[:2]]
        rows.append(tuple(row))
    parts = (note for board in boards for note in partial_notes(board))
    notes = ("The figures that the paper prints in its Table 3 are not at hand.", *parts)
    return Table("table3", "Table 3: ablations", tuple(columns), tuple(rows), notes)


def otb_boards(boards: Sequence[Scoreboard]) -> list[Scoreboard]:
    """What Fig. 8 draws: OTB-2013 and OTB-2015.

    Raises:
        InputError: neither is among the boards.
    """
    return _only(boards, OTB, "fig8")


def attribute_board(boards: Sequence[Scoreboard]) -> Scoreboard:
    """What Fig. 9 draws: OTB-2015, by attribute.

    Raises:
        InputError: it is not among the boards.
    """
    return _only(boards, ("otb2015",), "fig9")[0]


def challenge_boards(boards: Sequence[Scoreboard]) -> list[Scoreboard]:
    """What Fig. 10 draws: the VOT challenges.

    Raises:
        InputError: none is among the boards.
    """
    return _only(boards, CHALLENGES, "fig10")


def _only(boards: Sequence[Scoreboard], names: Sequence[str], what: str) -> list[Scoreboard]:
    found = [board for name in names for board in boards if board.benchmark == name]
    if not found:
        raise InputError(f"{what} needs results on {' or '.join(names)}; pass --dataset {','.join(names)}")
    return found
