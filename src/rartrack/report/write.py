"""Write a report: csv of every figure, tables, plots and one page."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rartrack.errors import InputError
from rartrack.evaluation.scoreboard import Scoreboard, by_attribute
from rartrack.outputs import make_folder, replace_file
from rartrack.report import catalogue, page
from rartrack.report.drawing import save
from rartrack.report.table import FORMATS, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "index.html"
LIST = "files.sha256"
"""What a report wrote into its folder: a line a file, its hash and its name, as ``sha256sum --check`` reads them."""

_SIGNS = {
    PAGE: "<title>Report: ",
    LIST: "  scores.csv\n",
    **dict.fromkeys(("scores.csv", "sequences.csv", "attributes.csv"), "benchmark,tracker,rules,"),
}
"""File -> what stands at the beginning of a report's."""

_BEGINNING = 1000
_LISTED = re.compile(r"([0-9a-f]{64})  ((?:tables|plots)/[^/\\]+)")

Row = tuple[str | float | int, ...]


def write_report(
    boards: Sequence[Scoreboard],
    output: Path,
    *,
    against: str | None = None,
    command: str = "",
    worst: int = 12,
) -> list[Path]:
    """Write all that the boards give into a folder. Files of an earlier report are replaced, or removed where this one
    has no such table or plot; files that were changed since, and others' files, stay.

    Args:
        boards: one per benchmark.
        output: the folder, made if need be.
        against: the tracker that the others are compared with; the best if None.
        command: how the report was asked for, shown on the page.
        worst: for how many sequences the page shows frames, where frames are at hand.

    Returns:
        paths of the files, the page last; the list of them, ``LIST``, is not among them.

    Raises:
        InputError: the folder cannot be written, or holds others' files of these names; or matplotlib or jinja2 is not
            installed.
    """
    refuse_others(output, page=True)
    earlier = _listed(output)
    written = write_scores(boards, output)
    found = catalogue.tables(boards, against)
    for table in found.values():
        written += write_table(table, output)
    plots = {}
    for name, draw in catalogue.figures(boards).items():
        files = save(draw(), make_folder(output / "plots"), name)
        plots[name] = files[0]
        written += files
    written.append(page.write_page(boards, found, plots, output, command=command, worst=worst))
    names = {path.relative_to(output).as_posix() for path in written}
    for name, digest in earlier.items():
        if name not in names and _digest(output / name) == digest:
            (output / name).unlink()
    _write_list(output, written, {})
    return written


def write_parts(
    boards: Sequence[Scoreboard], output: Path, tables: Iterable[Table], figures: Mapping[str, Callable[[], Figure]]
) -> list[Path]:
    """Write the scores and some tables and plots beside those that are there.

    Args:
        boards: one per benchmark.
        output: the folder, made if need be.
        tables: those wanted.
        figures: name -> how it is drawn, those wanted.

    Returns:
        paths of the files; the list of them, ``LIST``, is not among them.

    Raises:
        InputError: as ``write_report``.
    """
    written = write_scores(boards, output)
    for table in tables:
        written += write_table(table, output)
    for name, draw in figures.items():
        written += save(draw(), make_folder(output / "plots"), name)
    _write_list(output, written, _listed(output))
    return written


def _listed(output: Path) -> dict[str, str]:
    """Name -> hash of the tables and plots that earlier reports wrote into a folder."""
    try:
        lines = (output / LIST).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {found[2]: found[1] for line in lines if (found := _LISTED.fullmatch(line))}


def _write_list(output: Path, written: Iterable[Path], earlier: Mapping[str, str]) -> None:
    hashes = {path.relative_to(output).as_posix(): _digest(path) for path in written}
    lines = [f"{digest}  {name}\n" for name, digest in {**hashes, **earlier, **hashes}.items()]
    replace_file(output / LIST, "".join(lines).encode())


def _digest(path: Path) -> str | None:
    """A file's SHA-256; None where there is no such file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def refuse_others(output: Path, page: bool) -> None:
    """Refuse a folder whose files of a report's names are no report's; files of an earlier report are replaced.

    Args:
        output: the folder.
        page: whether the page is written too.

    Raises:
        InputError: there is one.
    """
    for name, sign in _SIGNS.items():
        path = output / name
        if (
            (page or name != PAGE)
            and path.is_file()
            and sign not in path.read_text(encoding="utf-8", errors="replace")[:_BEGINNING]
        ):
            raise InputError(f"{path}: not a report's, and would be replaced; move it away, or give another folder")


def write_table(table: Table, output: Path) -> list[Path]:
    """Write ``tables/NAME`` as csv, Markdown and LaTeX."""
    folder = make_folder(output / "tables")
    paths = []
    for ending, text in FORMATS.items():
        path = folder / f"{table.name}.{ending}"
        replace_file(path, text(table).encode())
        paths.append(path)
    return paths


def write_scores(boards: Sequence[Scoreboard], output: Path) -> list[Path]:
    """Write ``scores.csv``, ``sequences.csv`` and ``attributes.csv``: one figure a line, full precision."""
    refuse_others(make_folder(output), page=False)
    head = ("benchmark", "tracker", "rules")
    return [
        _write(output / "scores.csv", (*head, "metric", "value"), _scores(boards)),
        _write(output / "sequences.csv", (*head, "sequence", "metric", "value"), _by_sequence(boards)),
        _write(output / "attributes.csv", (*head, "attribute", "sequences", "metric", "value"), _by_attribute(boards)),
    ]


def _scores(boards: Sequence[Scoreboard]) -> Iterable[Row]:
    for board in boards:
        for score in board.scores:
            name = (score.benchmark, score.tracker, score.rules)
            yield from ((*name, metric, value) for metric, value in score.figures.items())
            if score.seconds:
                yield (*name, "fps", 1 / score.seconds)
            if board.first is not None:
                yield (*name, "first_frames", board.first)
            if board.left_out:
                yield (*name, "left_out_sequences", board.left_out)
            if score.missing:
                yield (*name, "missing_sequences", len(score.missing))


def _by_sequence(boards: Sequence[Scoreboard]) -> Iterable[Row]:
    for board in boards:
        for score in board.scores:
            for metric, values in score.by_sequence.items():
                for sequence, value in zip(score.sequences, values.tolist(), strict=True):
                    yield (score.benchmark, score.tracker, score.rules, sequence, metric, value)


def _by_attribute(boards: Sequence[Scoreboard]) -> Iterable[Row]:
    for board in boards:
        for score in board.scores:
            for attribute, names in board.attributes().items():
                for metric in score.by_sequence:
                    name = (score.benchmark, score.tracker, score.rules)
                    yield (*name, attribute, len(names), metric, by_attribute(score, metric, names))


def _write(path: Path, head: Sequence[str], rows: Iterable[Row]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode())
    return path
