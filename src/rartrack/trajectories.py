"""Trajectories on disk: csv, json, OTB text, VOT text, MOT text.

=======  =====================================================  ==================================================
format   a line                                                 conventions
=======  =====================================================  ==================================================
csv      ``frame,time,target,x,y,w,h,score,status`` (a header)  0-based frames and pixels; everything is kept
json     a list of objects with the names of the csv columns    the same
otb      ``x,y,w,h``, one line a frame, one target              1-based pixels
vot      ``x,y,w,h``, one line a frame, one target              0-based pixels; the first line is ``1``: initialised
mot      ``frame,id,x,y,w,h,score,-1,-1,-1``                    1-based frames, targets and pixels
=======  =====================================================  ==================================================

Columns of csv are read by name: in any order, with others beside them, and where a number is empty it is NaN.
Numbers are rounded to a ten-thousandth, times to a millionth. Each record reaches the file when it is written, so a
run that is interrupted, or whose disk fills up, keeps what it had in a file that can be read. OTB and VOT text have no
frame numbers: a trajectory that begins after frame 0 is read back from 0 on; a warning says so when it is written.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rartrack.errors import InputError, nearest
from rartrack.outputs import check_output
from rartrack.results import Record
from rartrack.trajectory_formats import FORMATS, LAYOUTS, FormatName, recognise

TRAJECTORY_SUFFIXES = (".csv", ".json", ".txt")
STDOUT = Path("-")
"""The path that means standard output."""

_BY_SUFFIX: dict[str, FormatName] = {".csv": "csv", ".json": "json"}


class TrajectoryWriter:
    """Writes records as they come; a context manager, made by ``open_trajectory_writer``.

    Attributes:
        format: the format that was chosen.
        seekable: whether it is a file, which is whole after every record; what goes to a pipe is not.
    """

    def __init__(self, path: Path, targets: Sequence[str], format: FormatName) -> None:
        self.path, self.format = path, format
        self._layout = LAYOUTS[format]
        self._places = {target: place for place, target in enumerate(targets, start=1)}
        self._first, self._end = True, 0
        try:
            self._file: BinaryIO = sys.stdout.buffer if path == STDOUT else path.open("wb", buffering=0)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        self.seekable = path != STDOUT and self._file.seekable()
        try:
            self._append(self._layout.head)
        except InputError:
            self._file.close()
            if self.seekable:
                path.unlink(missing_ok=True)  # nothing is in it
            raise

    def write(self, record: Record) -> None:
        """Append one record; warns if it is the first and its frame is not, in a format without frame numbers.

        Raises:
            InputError: its target was not among those announced, or the disk is full.
            BrokenPipeError: nobody reads any more.
        """
        place = self._places.get(record.target)
        if place is None:
            hint = nearest(record.target, self._places)
            raise InputError(f"{self.path}: target {record.target!r} was not announced{hint}")
        if self._first and record.frame and self._layout.one_target:
            warnings.warn(
                f"{self.path}: {self.format} text has no frame numbers, its first line is frame {record.frame}; "
                "csv, json and mot have them",
                stacklevel=2,
            )
        self._append(self._layout.write(record, place, self._first))
        self._first = False

    def close(self) -> None:
        """Close the file; one that can be sought in is complete after every record, a pipe gets its end now."""
        if not self.seekable:
            self._put(self._layout.tail)
        if self.path != STDOUT:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, text: str) -> None:
        """Put text where the tail stands, and the tail behind it; what the disk takes only in part is taken back."""
        if not self.seekable:
            self._put(text)
            return
        try:
            self._file.seek(self._end)
            self._put(text)
            end = self._file.tell()
            self._put(self._layout.tail)
            self._end = end
        except InputError:
            with suppress(OSError, InputError):
                self._file.seek(self._end)
                self._file.truncate()
                self._put(self._layout.tail)
            raise

    def _put(self, text: str) -> None:
        content = text.encode()
        try:
            while content:
                content = content[self._file.write(content) :]
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            if os.name == "nt" and error.errno == errno.EINVAL and self.path == STDOUT:  # what Windows says of it
                raise BrokenPipeError from None
            raise InputError(f"{self.path}: {error.strerror}; what was written before is kept") from None


def check_trajectory_output(
    path: Path,
    targets: int,
    format: FormatName | None = None,
    overwrite: bool = False,
    inputs: Collection[Path | int] = (),
) -> FormatName:
    """Check that trajectories can be written to a file, as ``check_output`` does; writes nothing.

    Args:
        path: where; ``STDOUT`` is standard output. Without ``format``, ``.csv`` and ``.json`` say it themselves,
            ``.txt`` is OTB text for one target, MOT text for several, and standard output is csv.
        targets: how many will be written.
        format: a format; an ending that says another is refused.
        overwrite: replace a file of that name.
        inputs: what is read, as in ``check_output``.

    Returns:
        the format.

    Raises:
        InputError: as ``check_output``; an unknown ending or format; the two differ; several targets in a format that
            holds one.
    """
    if path != STDOUT:
        check_output(path, overwrite, TRAJECTORY_SUFFIXES if format is None else None, inputs, pipes=True)
    said = "csv" if path == STDOUT and format is None else _BY_SUFFIX.get(path.suffix.lower())
    format = format or said or ("otb" if targets == 1 else "mot")
    _check_format(path, format)
    if said not in (None, format):
        raise InputError(f"{path}: the ending says {said}, the format asked for is {format}; change one of them")
    if LAYOUTS[format].one_target and targets > 1:
        raise InputError(f"{path}: {format} text holds one target, {targets} were given; use csv, json or mot")
    return format


def open_trajectory_writer(
    path: str | Path, targets: Sequence[str], format: FormatName | None = None, overwrite: bool = False
) -> TrajectoryWriter:
    """Open a file for trajectories.

    Args:
        path: as in ``check_trajectory_output``, with ``format`` and ``overwrite``.
        targets: names of the targets that will be written; MOT text numbers them in this order, from 1.
        format: a format.
        overwrite: replace a file of that name.

    Raises:
        InputError: as ``check_trajectory_output``.
    """
    path = Path(path)
    return TrajectoryWriter(path, targets, check_trajectory_output(path, len(targets), format, overwrite))


def read_trajectories(path: str | Path, format: FormatName | None = None) -> dict[str, list[Record]]:
    """Read trajectories of any of the formats.

    Args:
        path: the file.
        format: its format; else ``.csv`` and ``.json`` say it themselves and the lines of any other file tell.

    Returns:
        target -> its records in the order of the file. Where a format does not tell, the target is ``"1"``, time and
        score are NaN and the status is tracked. Lines of VOT text without a box (where the tracker was initialised, had
        failed or was skipped) have no record.

    Raises:
        InputError: the file is missing, or a line of it is wrong; it names the line.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")  # line ends as they are: they may be in names
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file") from None
    format = format or _BY_SUFFIX.get(path.suffix.lower()) or recognise(text)
    _check_format(path, format)
    records: dict[str, list[Record]] = {}
    seen = set()
    for where, record in LAYOUTS[format].read(str(path), text):
        if (record.frame, record.target) in seen:
            raise InputError(f"{where} gives frame {record.frame} of target {record.target!r} a second time")
        seen.add((record.frame, record.target))
        records.setdefault(record.target, []).append(record)
    return records


def _check_format(path: Path, format: str) -> None:
    if format not in FORMATS:
        hint = nearest(format, FORMATS)
        raise InputError(f"{path}: unknown format {format!r}{hint}; known are {', '.join(FORMATS)}")
