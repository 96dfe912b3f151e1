"""Names on the command line, split by commas."""

from __future__ import annotations

from rartrack.errors import InputError


def listed(option: str, text: str | None) -> list[str]:
    """The names that an option gives; none where it is not given.

    Raises:
        InputError: it is given, and names nothing.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"{option} {text!r} names nothing; give one or several, split by commas")
    return names
