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
from rartrack.outputs import file_digest, make_folder, replace_file
from rartrack.report import catalogue, page
from rartrack.report.drawing import render
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
Contents = dict[str, bytes]
"""Name in the folder -> what the file holds."""
Listed = tuple[str, str]
"""A file's name and its SHA-256."""


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
    make_folder(output)
    found = catalogue.tables(boards, against)
    drawn = {name: render(draw(), name) for name, draw in catalogue.figures(boards).items()}
    contents = _scores_and_tables(boards, found.values())
    for name, pictures in drawn.items():
        contents |= _plots(name, pictures)
    svgs = {name: pictures["svg"] for name, pictures in drawn.items()}
    contents[PAGE] = page.render_page(boards, found, svgs, command=command, worst=worst)
    return _write(output, contents, keep=False)


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
    refuse_others(output, page=False)
    make_folder(output)
    contents = _scores_and_tables(boards, tables)
    for name, draw in figures.items():
        contents |= _plots(name, render(draw(), name))
    return _write(output, contents, keep=True)


def _write(output: Path, contents: Contents, keep: bool) -> list[Path]:
    """Write the files of a report, and the list of them.

    The list comes first, with what stands there still and what will: wherever the writing ends, the next report knows
    both for a report's.

    Args:
        output: the folder.
        contents: the files, the last of them last.
        keep: whether tables and plots of earlier reports that this one does not make stay.

    Returns:
        paths of the files, without the list's.

    Raises:
        InputError: the disk refuses.
    """
    new = [(name, hashlib.sha256(content).hexdigest()) for name, content in contents.items()]
    earlier = _listed(output)
    others = [(name, digest) for name, digest in earlier if name not in contents]
    _write_list(output, [*new, *earlier])
    for name, content in contents.items():
        replace_file(output / name, content)
    for name, digest in [] if keep else others:
        if file_digest(output / name) == digest:
            (output / name).unlink()
    _write_list(output, [*new, *others] if keep else new)
    return [output / name for name in contents]


def _listed(output: Path) -> list[Listed]:
    """Tables and plots that earlier reports wrote into a folder."""
    try:
        lines = (output / LIST).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [(found[2], found[1]) for line in lines if (found := _LISTED.fullmatch(line))]


def _write_list(output: Path, entries: Iterable[Listed]) -> None:
    lines = [f"{digest}  {name}\n" for name, digest in dict.fromkeys(entries)]
    replace_file(output / LIST, "".join(lines).encode())


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


def _scores_and_tables(boards: Sequence[Scoreboard], tables: Iterable[Table]) -> Contents:
    """``scores.csv``, ``sequences.csv`` and ``attributes.csv``, one figure a line, full precision; and each table as
    csv, Markdown and LaTeX."""
    head = ("benchmark", "tracker", "rules")
    contents = {
        "scores.csv": _csv((*head, "metric", "value"), _scores(boards)),
        "sequences.csv": _csv((*head, "sequence", "metric", "value"), _by_sequence(boards)),
        "attributes.csv": _csv((*head, "attribute", "sequences", "metric", "value"), _by_attribute(boards)),
    }
    for table in tables:
        contents |= {f"tables/{table.name}.{ending}": text(table).encode() for ending, text in FORMATS.items()}
    return contents


def _plots(name: str, pictures: Mapping[str, bytes]) -> Contents:
    return {f"plots/{name}.{ending}": content for ending, content in pictures.items()}


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


def _csv(head: Sequence[str], rows: Iterable[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
