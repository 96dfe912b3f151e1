"""A table, whatever it is shown as: terminal, csv, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

Cell = str | float | int | None

WIDE = 240
"""Characters a line may have where the output is no terminal."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its head.
        digits: decimals shown of a float; csv always has all of them.
        better: whether a higher or a lower number is better; the best is set in bold. None: neither.
        group: a head above the heads of neighbouring columns of the same group.
        foreign: the figures are not ours: quoted from a paper, and set in italics.
    """

    title: str
    digits: int = 4
    better: Literal["higher", "lower"] | None = None
    group: str = ""
    foreign: bool = False


@dataclass(frozen=True)
class Table:
    """A titled table; every row has a cell for each column, None where there is nothing to say.

    Attributes:
        best_of: whether bold marks the best number of each column or of each row.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    best_of: Literal["column", "row"] = "column"

    def best(self) -> set[tuple[int, int]]:
        """Positions (row, column) of the best among several numbers, those of a paper left out."""
        found = set()
        for line in self._lines():
            numbers = [(row, position) for row, position in line if _is_number(self.rows[row][position])]
            if len(numbers) > 1:
                better = self.columns[numbers[0][1]].better
                values = [float(self.rows[row][position] or 0) for row, position in numbers]
                top = max(values) if better == "higher" else min(values)
                found |= {place for place, value in zip(numbers, values, strict=True) if value == top}
        return found

    def _lines(self) -> list[list[tuple[int, int]]]:
        judged = [place for place, column in enumerate(self.columns) if column.better and not column.foreign]
        rows = range(len(self.rows))
        if self.best_of == "row":
            return [[(row, place) for place in judged] for row in rows]
        return [[(row, place) for row in rows] for place in judged]

    def text(self, cell: Cell, column: Column) -> str:
        """A cell as it is shown."""
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return "–"
        return f"{cell:.{column.digits}f}" if isinstance(cell, float) else str(cell)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, float) and math.isfinite(cell)


def heads(table: Table) -> list[str]:
    """One head a column, its group before it."""
    return [" ".join(part for part in (column.group, column.title) if part) for column in table.columns]


def groups(table: Table) -> list[tuple[str, int]]:
    """Heads above the heads, each with the number of columns it spans; empty if no column has one."""
    if not any(column.group for column in table.columns):
        return []
    return [(name, len(list(members))) for name, members in groupby(table.columns, key=lambda column: column.group)]


def to_csv(table: Table) -> str:
    """The table with all digits; an empty field where there is nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"{head} (paper)" if column.foreign else head for head, column in _headed(table)])
    for row in table.rows:
        writer.writerow(["" if cell is None else repr(cell) if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table, the best figures in bold, those of a paper in italics, notes below."""
    lines = [f"**{table.title}**", ""]
    lines.append(_pipes([f"*{head} (paper)*" if column.foreign else head for head, column in _headed(table)]))
    lines.append(_pipes(["---" if index == 0 else "---:" for index in range(len(table.columns))]))
    lines += [
        _pipes(row) for row in _dressed(table, "**{}**".format, "*{}*".format, lambda text: text.replace("|", "\\|"))
    ]
    return "\n".join([*lines, "", *table.notes]).rstrip() + "\n"


def to_latex(table: Table) -> str:
    """A ``tabular`` of the booktabs package, ready to be put into a table."""
    rows = [_ampersands([_latex(column.title) for column in table.columns])]
    if groups(table):
        rows.insert(0, _ampersands(_group_heads(table)))
    body = _dressed(table, r"\textbf{{{}}}".format, r"\emph{{{}}}".format, _latex)
    lines = [
        rf"% {table.title}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
        r"\toprule",
        *rows,
        r"\midrule",
        *(_ampersands(row) for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        *(f"% {note}" for note in table.notes),
    ]
    return "\n".join(lines) + "\n"


def open_console() -> Console:
    """As wide as the terminal, or ``WIDE`` where there is none."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


def print_table(table: Table) -> None:
    """Print the table to the terminal, or as plain text where there is none."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as Drawn

    drawn = Drawn(title=escape(table.title), title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for index, (head, column) in enumerate(_headed(table)):
        shown = f"{escape(head)} (paper)" if column.foreign else escape(head)
        style = "italic" if column.foreign else None
        drawn.add_column(shown, justify="left" if index == 0 else "right", style=style, no_wrap=True)
    for row in _dressed(table, "[bold]{}[/bold]".format, "{}".format, escape):
        drawn.add_row(*row)
    console = open_console()
    console.print(drawn)
    for note in table.notes:
        console.print(f"[dim]{escape(note)}[/dim]")


FORMATS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
"""File ending -> how a table is written."""


def _headed(table: Table) -> list[tuple[str, Column]]:
    return list(zip(heads(table), table.columns, strict=True))


def _dressed(
    table: Table, bold: Callable[[str], str], italic: Callable[[str], str], plain: Callable[[str], str]
) -> list[list[str]]:
    best = table.best()
    rows = []
    for number, row in enumerate(table.rows):
        cells = []
        for position, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
            text = plain(table.text(cell, column))
            text = bold(text) if (number, position) in best else text
            cells.append(italic(text) if column.foreign and cell is not None else text)
        rows.append(cells)
    return rows


def _pipes(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ampersands(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _group_heads(table: Table) -> list[str]:
    return [
        rf"\multicolumn{{{count}}}{{c}}{{{_latex(group)}}}" if group else "& " * (count - 1)
        for group, count in groups(table)
    ]


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%_#${}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "–": "--",
    "≤": r"$\le$",
    "Δ": r"$\Delta$",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
