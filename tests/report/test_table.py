"""Tables in every form they are written in."""

from __future__ import annotations

import csv
import io

import pytest

from rartrack.report.table import Column, Table, print_table, to_csv, to_latex, to_markdown

TABLE = Table(
    name="t",
    title="A title",
    columns=(
        Column("tracker"),
        Column("AUC", 3, "higher", "OTB"),
        Column("AUC", 3, None, "OTB", foreign=True),
        Column("R", 2, "lower", "VOT"),
    ),
    rows=(("a_b", 0.5, 0.9, 1.0), ("c|d", 0.123456789, None, 0.25)),
    notes=("A note.",),
)


def test_csv_has_all_digits_and_marks_what_is_the_papers() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows[0] == ["tracker", "OTB AUC", "OTB AUC (paper)", "VOT R"]
    assert rows[2] == ["c|d", "0.123456789", "", "0.25"]


def test_markdown_sets_the_best_bold_and_the_papers_in_italics() -> None:
    lines = to_markdown(TABLE).splitlines()
    assert "| tracker | OTB AUC | *OTB AUC (paper)* | VOT R |" in lines
    assert "| a_b | **0.500** | *0.900* | 1.00 |" in lines
    assert r"| c\|d | 0.123 | – | **0.25** |" in lines
    assert lines[-1] == "A note."


def test_latex_spans_groups_and_escapes_signs() -> None:
    text = to_latex(TABLE)
    assert r" & \multicolumn{2}{c}{OTB} & \multicolumn{1}{c}{VOT} \\" in text
    assert r"a\_b & \textbf{0.500} & \emph{0.900} & 1.00 \\" in text


def test_the_best_of_a_row_is_sought_across_columns() -> None:
    columns = (Column("sequence"), Column("a", 3, "higher"), Column("b", 3, "higher"))
    table = Table("t", "t", columns, (("x", 0.1, 0.2), ("y", 0.9, 0.3)), best_of="row")
    assert table.best() == {(0, 2), (1, 1)}


def test_a_figure_without_rival_is_not_called_the_best() -> None:
    assert Table("t", "t", TABLE.columns, TABLE.rows[:1]).best() == set()


def test_lines_are_not_broken_where_the_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    wide = Table("t", "t", tuple(Column(f"a long head number {number}") for number in range(8)), (tuple("abcdefgh"),))
    print_table(wide)
    assert any("number 0" in line and "number 7" in line for line in capsys.readouterr().out.splitlines())
