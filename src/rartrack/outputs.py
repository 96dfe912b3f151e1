"""Files that are written: checks made before the work that would fill them, writing in one step, what tells whether
they were changed since, the user's cache."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rartrack.errors import InputError

LEFTOVERS = "*.[0-9]*.partial"
"""Names of what a killed run has half written."""

_LEFT = 600.0
"""Seconds after which nobody is writing to a half-written file any more."""


def check_output(
    path: str | Path,
    overwrite: bool = False,
    suffixes: Collection[str] | None = None,
    inputs: Collection[Path | int] = (),
    pipes: bool = False,
) -> Path:
    """Check that a file can be written; writes nothing.

    Args:
        path: the file; of a link, also one to nothing yet, what it leads to.
        overwrite: accept that it exists.
        suffixes: the known endings in lower case, with their dot; any where None.
        inputs: files that are read, or descriptors open on them; never overwritten, by whatever name or link.
        pipes: accept a pipe or a device, which is written into; a file that is made whole would take its place.

    Raises:
        InputError: its ending is unknown, its folder is missing or cannot be written to, it is a folder or, but with
            ``pipes``, no file, it is one of the inputs, or it exists.
    """
    path = Path(path)
    if suffixes is not None and path.suffix.lower() not in suffixes:
        ending = f"unknown ending {path.suffix!r}" if path.suffix else "no ending"
        raise InputError(f"{path}: {ending}; known are {', '.join(sorted(suffixes))}")
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist; make the folder first"
        raise InputError(f"{path}: {folder} {what}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file() and not pipes:
        raise InputError(f"{path}: a pipe or a device, no file; give the name of a file")
    if path.exists() and any(_same_file(path, one) for one in inputs):
        raise InputError(f"{path}: is the source itself, or a part of it; give the output another name")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; give another name, or --overwrite (from Python overwrite=True)")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise InputError(f"{path}: no permission to write there")
    return path


def _same_file(path: Path, other: Path | int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(other) if isinstance(other, int) else other.stat())
    except OSError:  # the other one does not exist, or is a url too long for a name
        return False


def give_name(file: Path, path: Path, overwrite: bool) -> None:
    """Give a finished file its name, in the same folder, in one step.

    Args:
        file: what was written.
        path: its name from now on.
        overwrite: replace what has that name, even if it came there since it was checked.

    Raises:
        InputError: not ``overwrite``, and something has that name; the file stays as it is, which is said.
    """
    if not overwrite:
        try:
            os.link(file, path)
        except FileExistsError:
            raise InputError(
                f"{path}: another program has made this file meanwhile; it stays, and what was written is {file}"
            ) from None
        except OSError:  # a file system without links
            if path.exists():
                raise InputError(f"{path}: is there by now; it stays, and what was written is {file}") from None
        else:
            file.unlink()
            return
    try:
        file.replace(path)
    except OSError as error:  # such as a player that has it open, on Windows
        raise InputError(f"{path}: cannot be replaced: {error.strerror}; what was written is {file}") from None


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """A folder for outputs, made if need be; where what follows fails, those that were made go if nothing is in them.

    Raises:
        InputError: it cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    make_folder(folder)
    try:
        yield folder
    except BaseException:
        for place in missing:
            with suppress(OSError):
                place.rmdir()
        raise


def make_folder(folder: Path) -> Path:
    """Make a folder for outputs, with those above it, where it is not there yet.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: no folder can be made there: {error.strerror}; choose another output") from None
    return folder


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, or what a link leads to, in one step, with its folder: a crash leaves the old file or the new one.

    Raises:
        InputError: the disk refuses, as when it is full; the old file stays.
    """
    target = Path(os.path.realpath(path))
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot write: {error.strerror}; what was there before is kept") from None


def file_digest(path: Path) -> str | None:
    """A file's SHA-256 in hexadecimal digits; None where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Delete half-written files of killed runs in a folder and below: those that nobody has written to for ten minutes,
    for another run may be writing there."""
    for path in folder.rglob(LEFTOVERS):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT:
                path.unlink()


def user_cache(part: str) -> Path:
    """A part of ``rartrack`` in the user's cache folder (XDG_CACHE_HOME); it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rartrack" / part
