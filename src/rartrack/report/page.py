"""One HTML page with everything in it: opens from a file, offline, and can be sent as it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rartrack import __version__
from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.extras import need
from rartrack.report import worst_frames
from rartrack.report.catalogue import PAPER_TABLES
from rartrack.report.drawing import colours
from rartrack.report.summaries import METRICS, benchmark_title
from rartrack.report.table import Column, Table, groups

_KINDS = {
    "curves": "Curves",
    "eao": "Expected overlap",
    "ranking": "Ranking",
    "accuracy-robustness": "Accuracy and robustness",
    "speed": "Speed",
    "attributes": "By attribute",
}


@dataclass(frozen=True)
class Shown:
    """A cell of a table on the page."""

    text: str
    best: bool
    foreign: bool
    shade: float | None


def render_page(
    boards: Sequence[Scoreboard],
    tables: Mapping[str, Table],
    plots: Mapping[str, bytes],
    *,
    command: str,
    worst: int,
) -> bytes:
    """The page of a report.

    Args:
        boards: one per benchmark.
        tables: by name, all of the report.
        plots: name -> SVG, all of the report.
        command: how the report was asked for.
        worst: for how many sequences frames are shown.

    Raises:
        InputError: jinja2 is not installed.
    """
    jinja2 = need("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rartrack.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cells": _cells, "groups": groups}
    palette = colours(boards)
    text: str = environment.get_template("report.html").render(
        boards=[_describe(board, tables, plots, worst) for board in boards],
        paper=[table for name, table in tables.items() if name in PAPER_TABLES],
        palette=palette,
        command=command,
        version=__version__,
    )
    return text.encode()


def _describe(board: Scoreboard, tables: Mapping[str, Table], plots: Mapping[str, bytes], worst: int) -> dict[str, Any]:
    images = {title: plots.get(f"{board.benchmark}-{kind}") for kind, title in _KINDS.items()}
    return {
        "name": board.benchmark,
        "title": benchmark_title(board.benchmark),
        "frames": sum(len(sequence) for sequence in board.sequences.values()),
        "sequences": len(board.sequences),
        "trackers": len(board.main),
        "rules": list(board.sources.items()),
        "metrics": [METRICS[name] for name in board.metrics],
        "overall": tables[f"{board.benchmark}-overall"],
        "attributes": tables.get(f"{board.benchmark}-attributes") or tables.get(f"{board.benchmark}-tags"),
        "comparison": tables.get(f"{board.benchmark}-comparison"),
        "by_sequence": [table for name, table in tables.items() if name.startswith(f"{board.benchmark}-sequences")],
        "images": {title: _embedded(svg) for title, svg in images.items() if svg is not None},
        "worst": worst_frames.collect(board, worst),
        "remarks": board.remarks,
    }


def _embedded(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _cells(table: Table) -> list[list[Shown]]:
    best = table.best()
    ranges = [_range(table, position, column) for position, column in enumerate(table.columns)]
    return [
        [
            Shown(
                text=table.text(cell, column),
                best=(number, position) in best,
                foreign=column.foreign,
                shade=_shade(cell, ranges[position], column),
            )
            for position, (cell, column) in enumerate(zip(row, table.columns, strict=True))
        ]
        for number, row in enumerate(table.rows)
    ]


def _range(table: Table, position: int, column: Column) -> tuple[float, float] | None:
    values = [row[position] for row in table.rows]
    numbers = [value for value in values if isinstance(value, float) and value == value]
    if column.better is None or column.foreign or len(numbers) < 2 or min(numbers) == max(numbers):
        return None
    return min(numbers), max(numbers)


def _shade(cell: object, limits: tuple[float, float] | None, column: Column) -> float | None:
    if limits is None or not isinstance(cell, float) or cell != cell:
        return None
    share = (cell - limits[0]) / (limits[1] - limits[0])
    return share if column.better == "higher" else 1 - share
