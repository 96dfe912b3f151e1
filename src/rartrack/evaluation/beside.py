"""What ``store`` wrote beside a result, or in its place where a run failed: anybody else's results have neither."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rartrack.datasets.dataset import Dataset
from rartrack.outputs import file_digest

_REPETITION = re.compile(r"_\d{3}$")
_RUN = re.compile(r"_\d{2}$")
_ORIGIN = re.compile(r"\b([01])-based$")


@dataclass(frozen=True)
class Beside:
    """What a side file says of a result.

    Attributes:
        name: the side file's.
        origin: what the result calls the first pixel, 0 or 1.
        first: frames of a run that were asked for; None: all.
        changed: the result is no longer what was written.
    """

    name: str
    origin: int
    first: int | None
    changed: bool

    def asked_for(self, lines: int) -> bool:
        """Whether so many lines are all that were asked for, of a longer run maybe."""
        return self.first == lines


@dataclass
class Reading:
    """One tracker's results as they were read; what was read is in the classes made from this one.

    Attributes:
        tracker: its name.
        missing: sequences without a complete result.
        remarks: one line for each thing that was missing, odd or left out.
        reasons: those of the remarks that say why a result is not complete.
        changed: results of ours that are no longer what was written; they are scored as they are.
    """

    tracker: str
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)

    def beside(self, path: Path) -> Beside | None:
        """``read_beside``, and note whether the result was changed."""
        said = read_beside(path)
        if said is not None and said.changed:
            self.changed.append(path)
        return said

    def changed_remark(self) -> list[str]:
        """A line on the results that were changed, if there are any."""
        more = f", as were {len(self.changed) - 1} more of its results" if len(self.changed) > 1 else ""
        return [f"{path}: changed since it was written{more}" for path in self.changed[:1]]

    def refuse(self, reason: str) -> None:
        """Remark on why a result is not complete."""
        self.remarks.append(reason)
        self.reasons.append(reason)

    def refuse_short(self, said: Beside | None, lines: int, otherwise: str) -> None:
        """Remark on a result of so many lines, which are too few: that no more were asked for, or otherwise."""
        cut = said is not None and said.asked_for(lines)
        self.refuse(f"{self.tracker}: made with --first {lines}: give --first {lines}" if cut else otherwise)


def read_beside(path: Path) -> Beside | None:
    """What is said beside a result; None where there is no side file, or it is damaged or of other files."""
    for stem in dict.fromkeys((path.stem, _REPETITION.sub("", path.stem))):
        side = path.with_name(f"{stem}.json")
        try:
            about = json.loads(side.read_text(encoding="utf-8"))
            origin, first = _ORIGIN.search(about["boxes"]), about["made_by"]["first"]
            if path.name in about["files"] and origin is not None:
                changed = file_digest(path) != about["files"][path.name]
                return Beside(side.name, int(origin[1]), None if first is None else int(first), changed)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def read_failures(folder: Path, inside: str, dataset: Dataset) -> dict[str, str]:
    """Sequence -> the file that says why a run of it failed, as seen from the results folder, and why.

    Args:
        folder: the tracker's.
        inside: where in it the protocol's runs are (see ``store``), such as ``*.error``.
        dataset: whose spellings count.
    """
    failures: dict[str, str] = {}
    for path in sorted(folder.glob(inside)):
        entry = dataset.find(path.stem) or dataset.find(_RUN.sub("", path.stem))
        if entry is not None and entry.name not in failures:
            with suppress(OSError):
                reason = next(iter(path.read_text(encoding="utf-8", errors="replace").splitlines()), "no reason given")
                failures[entry.name] = f"{path.relative_to(folder.parent)}: {reason}"
    return failures


def first_pixel(said: Beside | None, given: int | None, usual: int) -> int:
    """What a result calls the first pixel: what is said beside it, else what is given, else the usual."""
    if said is not None:
        return said.origin
    return usual if given is None else given
