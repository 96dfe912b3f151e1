"""The one exception a user's mistake raises: what is wrong, where, and how to mend it, in one line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_LONGEST = 80
"""Characters of a value in a message."""


class InputError(ValueError):
    """Bad input: a file, a box, a name or a setting. Its text is one line fit to be shown to a user."""


@contextmanager
def one_line() -> Iterator[None]:
    """End a program at a user's mistake with its line on stderr and exit status 1; a context manager or a decorator."""
    try:
        yield
    except InputError as error:
        sys.exit(str(error))


def brief(value: object) -> str:
    """A value as messages show it: one line, which of an array or a long list ends early."""
    text = " ".join(line.strip() for line in repr(value).splitlines())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def nearest(name: str, known: Iterable[str], likeness: float = 0.6, before: str = "") -> str:
    """Return ``"; did you mean 'x'?"`` for the known name closest to ``name``, or an empty string.

    Args:
        name: what was given.
        known: what may be given.
        likeness: least share of letters in common, in [0, 1], at which a name is offered.
        before: what stands before both names in full, such as ``"filter."``; it is said but not compared.
    """
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)
    return f"; did you mean {before + match[0]!r}?" if match else ""
