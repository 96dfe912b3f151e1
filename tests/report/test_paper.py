"""The paper's tables: what is measured and what is quoted are never mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rartrack.errors import InputError
from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.evaluation.scoring import Score
from rartrack.report import paper


def _board(benchmark: str, *trackers: str) -> Scoreboard:
    scores = tuple(
        Score(
            benchmark=benchmark,
            tracker=tracker,
            rules="toolkit",
            sequences=("a",),
            figures={"auc": 0.5, "dp20": 0.6},
            by_sequence={"auc": np.array([0.5]), "dp20": np.array([0.6])},
        )
        for tracker in trackers
    )
    return Scoreboard(benchmark, "ope", ("toolkit",), ("auc", "dp20"), {}, scores)


def test_table_2_puts_measured_beside_quoted() -> None:
    table = paper.table2([_board("otb2015", "HCF", "rar-resnet50"), _board("otb2013", "HCF", "rar-resnet50")])
    assert [column.foreign for column in table.columns] == [False, *[False, True] * 4]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["HCF"] == (0.5, 0.638, 0.6, 0.891, 0.5, 0.562, 0.6, 0.837)
    assert rows["rar-resnet50"] == (0.5, None, 0.6, None, 0.5, None, 0.6, None)
    assert rows["SiamTri"] == (None, 0.615, None, 0.815, None, 0.590, None, 0.781)


def test_quoted_figures_are_those_beside_the_published_raw_results(shared: Path) -> None:
    figures_of_authors = shared.parent / "EVALUATION.md"
    if not figures_of_authors.is_file():
        pytest.skip(f"needs {figures_of_authors}, where the authors' figures stand beside the raw results'")
    text = figures_of_authors.read_text(encoding="utf-8")
    for tracker in ("DaSiamRPN", "SiamTri", "SiamRPN"):
        quoted = paper.TABLE2[tracker]
        for figures in quoted.values():
            assert f"{figures['auc']:.3f} / {figures['dp20']:.3f}" in text


def test_table_3_lists_the_variants_found_in_any_spelling() -> None:
    table = paper.table3([_board("otb2015", "RAR", "rar-naa", "RAR_NTA", "KCF")])
    assert [row[0] for row in table.rows] == ["RAR", "RAR_NAA", "RAR_NTA"]
    assert table.rows[1][1:] == ("no attention", 0.5, 0.6)


def test_a_table_that_cannot_be_made_says_what_is_missing() -> None:
    with pytest.raises(InputError, match="no tracker is a variant of RAR"):
        paper.table3([_board("otb2015", "KCF")])
    with pytest.raises(InputError, match="--dataset vot2016,vot2017,vot2018,vot2019"):
        paper.challenge_boards([_board("otb2015", "KCF")])
