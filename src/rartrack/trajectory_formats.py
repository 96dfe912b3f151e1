"""One record as a line of each trajectory format, and back; ``rartrack.trajectories`` has the files and their table."""

from __future__ import annotations

import csv
import io
import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rartrack.boxes import Box
from rartrack.errors import InputError, nearest
from rartrack.results import Record, Result, Status

FormatName = Literal["csv", "json", "otb", "vot", "mot"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
COLUMNS = ("frame", "time", "target", "x", "y", "w", "h", "score", "status")

_NUMBERS = ("time", "x", "y", "w", "h", "score")
"""Columns that may be empty, or null in JSON: NaN."""

_ONLY_TARGET = "1"

Located = Iterator[tuple[str, Record]]
"""Where a record stands (``"a.csv: line 3"``), and the record."""


@dataclass(frozen=True)
class Layout:
    """How one format is written and read.

    Attributes:
        write: (record, place of its target from 1, whether it is the first record) -> text, with its line end.
        read: (name of the file, its text) -> records with where they stand.
        head: text before all records.
        tail: text after the last record.
        one_target: the format has no place for a target's name, nor for a frame's number.
    """

    write: Callable[[Record, int, bool], str]
    read: Callable[[str, str], Located]
    head: str = ""
    tail: str = ""
    one_target: bool = False


def recognise(text: str) -> FormatName:
    """Tell the format of a text by how it begins; what is none of the others is read as OTB text."""
    if text.lstrip().startswith("["):
        return "json"
    first = next(iter(text.lstrip().splitlines()), "")
    if first.startswith(COLUMNS[0]) or set(COLUMNS) <= set(first.replace('"', "").split(",")):
        return "csv"
    numbers = len(_split(first))
    return "vot" if numbers == 1 else "mot" if numbers > 4 else "otb"


def _write_csv(record: Record, place: int, first: bool) -> str:  # noqa: ARG001
    box, line = record.result.box, io.StringIO()
    numbers = [_number(value) for value in (*box, record.result.score)]
    fields = [record.frame, _number(record.time, 6), record.target, *numbers, record.result.status.value]
    csv.writer(line, lineterminator="\r\n").writerow(fields)  # so that names with either of the two are quoted
    return line.getvalue().removesuffix("\r\n") + "\n"


def _write_json(record: Record, place: int, first: bool) -> str:  # noqa: ARG001
    box, score = record.result.box, record.result.score
    numbers = [None if math.isnan(value) else round(float(value), 4) for value in (*box, score)]
    seconds = None if math.isnan(record.time) else round(float(record.time), 6)
    fields = [record.frame, seconds, record.target, *numbers, record.result.status.value]
    row = dict(zip(COLUMNS, fields, strict=True))
    return ("\n" if first else ",\n") + json.dumps(row, ensure_ascii=False, allow_nan=False, default=operator.index)


def _write_otb(record: Record, place: int, first: bool) -> str:  # noqa: ARG001
    return _box_text(record.result.box, origin=1) + "\n"


def _write_vot(record: Record, place: int, first: bool) -> str:  # noqa: ARG001
    return "1\n" if first else _box_text(record.result.box, origin=0) + "\n"


def _write_mot(record: Record, place: int, first: bool) -> str:  # noqa: ARG001
    score = _number(record.result.score)
    return f"{record.frame + 1},{place},{_box_text(record.result.box, origin=1)},{score},-1,-1,-1\n"


def _read_csv(name: str, text: str) -> Located:
    """Columns go by the names in the header: in any order, with others beside them, as other programs write them."""
    rows = _csv_rows(name, text)
    header = next(rows, (1, []))[1]
    if any(header.count(column) != 1 for column in COLUMNS):
        line = ",".join(header)[:60]
        raise InputError(f"{name}: line 1 is {line!r}, expected a header with {','.join(COLUMNS)}, each once")
    for number, values in rows:
        where = f"{name}: line {number}"
        if not values:
            continue
        if len(values) != len(header):
            raise InputError(f"{where} has {len(values)} values, {len(header)} expected, as in the header")
        row = dict(zip(header, values, strict=True))
        yield where, _record(where, row | {key: "nan" for key in _NUMBERS if not row[key]})


def _csv_rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines, as they are counted in the file, and their values."""
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        for values in lines:
            yield lines.line_num, values
    except csv.Error as error:
        raise InputError(f"{name}: line {lines.line_num}: {error}") from None


def _read_json(name: str, text: str) -> Located:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}: line {error.lineno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:  # lists within lists without end; numbers of thousands of digits
        raise InputError(f"{name}: not a list of objects: {error}") from None
    if not isinstance(rows, list):
        raise InputError(f"{name}: expected a list of objects at the top level")
    for place, row in enumerate(rows, start=1):
        where = f"{name}: record {place}"
        if not isinstance(row, dict) or not set(COLUMNS) <= row.keys():
            raise InputError(f"{where} is not an object with {', '.join(COLUMNS)}")
        yield where, _record(where, {key: math.nan if value is None else value for key, value in row.items()})


def _read_otb(name: str, text: str) -> Located:
    for number, values in _number_lines(name, text):
        where = f"{name}: line {number}"
        yield where, _bare(where, number - 1, values, origin=1)


def _read_vot(name: str, text: str) -> Located:
    for number, values in _number_lines(name, text):
        if len(values) > 1:
            where = f"{name}: line {number}"
            yield where, _bare(where, number - 1, values, origin=0)


def _read_mot(name: str, text: str) -> Located:
    for number, values in _number_lines(name, text):
        where = f"{name}: line {number}"
        if len(values) < 6:
            raise InputError(f"{where} has {len(values)} numbers, at least 6 expected (frame,id,x,y,w,h,score)")
        frame, target, x, y, w, h, score = (*values, math.nan)[:7]
        if not (frame.is_integer() and frame >= 1 and target.is_integer()):
            raise InputError(f"{where}: frame and id must be whole numbers, frames from 1")
        result = Result(Box(x - 1, y - 1, w, h), score, Status.TRACKED)
        yield where, Record(int(frame) - 1, math.nan, str(int(target)), result)


LAYOUTS: Mapping[FormatName, Layout] = {
    "csv": Layout(_write_csv, _read_csv, head=",".join(COLUMNS) + "\n"),
    "json": Layout(_write_json, _read_json, head="[", tail="\n]\n"),
    "otb": Layout(_write_otb, _read_otb, one_target=True),
    "vot": Layout(_write_vot, _read_vot, one_target=True),
    "mot": Layout(_write_mot, _read_mot),
}


def _number(value: float, digits: int = 4) -> str:
    """A number in the fewest characters that keep so many digits behind the point."""
    text = f"{float(value):.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _box_text(box: Box, origin: int) -> str:
    return ",".join(_number(value) for value in (box.x + origin, box.y + origin, box.w, box.h))


def _split(line: str) -> list[str]:
    return line.replace(",", " ").replace(";", " ").split()


def _number_lines(name: str, text: str) -> Iterator[tuple[int, list[float]]]:
    lines = text.rstrip().splitlines()
    if not lines:
        raise InputError(f"{name}: empty; one line per frame expected")
    for number, line in enumerate(lines, start=1):
        try:
            yield number, [float(part) for part in _split(line)]
        except ValueError:
            raise InputError(f"{name}: line {number} is {line[:60]!r}, numbers expected") from None


def _bare(where: str, frame: int, values: list[float], origin: int) -> Record:
    if len(values) != 4:
        raise InputError(f"{where} has {len(values)} numbers, 4 expected (x,y,w,h)")
    x, y, w, h = values
    return Record(frame, math.nan, _ONLY_TARGET, Result(Box(x - origin, y - origin, w, h), math.nan, Status.TRACKED))


def _record(where: str, row: Mapping[str, Any]) -> Record:
    """Build a record from the values of a csv line or JSON object, text or numbers."""
    numbers = {}
    for key in ("frame", *_NUMBERS):
        try:
            numbers[key] = float(row[key])
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where}: {key} is {str(row[key])[:60]!r}, expected a number") from None
    if not (numbers["frame"].is_integer() and numbers["frame"] >= 0):
        raise InputError(f"{where}: frame is {row['frame']!r}, expected a whole number from 0")
    try:
        status = Status(row["status"])
    except ValueError:
        known = [one.value for one in Status]
        hint = nearest(str(row["status"]), known)
        raise InputError(f"{where}: status is {row['status']!r}{hint}; known are {', '.join(known)}") from None
    box = Box(*(numbers[key] for key in ("x", "y", "w", "h")))
    return Record(int(numbers["frame"]), numbers["time"], str(row["target"]), Result(box, numbers["score"], status))
