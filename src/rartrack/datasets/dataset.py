"""A data set: named sequences, each read when asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError, nearest

Protocol = Literal["ope", "vot", "got10k", "lasot"]
"""How a data set is scored unless something else is asked for: OTB's one-pass evaluation, VOT's supervised runs,
GOT-10k's overlap and success rates, or LaSOT's and TrackingNet's one-pass evaluation with normalised precision."""


@dataclass(frozen=True)
class Entry:
    """One sequence that a data set holds or should hold.

    Attributes:
        name: the benchmark's own name for it.
        read: reads its annotation and finds its frames, decoding none; raises InputError.
    """

    name: str
    read: Callable[[], Sequence]


@dataclass(frozen=True)
class Dataset:
    """Sequences of one benchmark or folder; behaves like a sequence of ``Sequence``, each read when asked for.

    Attributes:
        name: the benchmark's name, such as ``otb2015``, or the folder's.
        entries: what it holds, in the benchmark's order.
        layout: how it lies on disk: ``otb``, ``vot``, ``folder``, ...
        protocol: how it is scored by default.
        origin: what the benchmark's own files call the first pixel, 1 or 0; published raw results follow it.
        root: the folder or file it was read from.
        left_out: names of its sequences that were not asked for.
    """

    name: str
    entries: tuple[Entry, ...]
    layout: str
    protocol: Protocol
    origin: int
    root: Path
    left_out: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sequences."""
        return tuple(entry.name for entry in self.entries)

    @cached_property
    def sequences(self) -> list[Sequence]:
        """All sequences, read once.

        Raises:
            InputError: from the first sequence that is missing or wrong.
        """
        return [entry.read() for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sequence:
        return self.entries[index].read()

    def __iter__(self) -> Iterator[Sequence]:
        return (entry.read() for entry in self.entries)

    def find(self, name: str) -> Entry | None:
        """Return the entry of that name in any of the spellings in use, or None."""
        if (exact := self._exactly.get(name)) is not None:
            return exact
        alike = self._by_name.get(plain(name), [])
        return alike[0] if len(alike) == 1 else None

    def leaves_out(self, name: str) -> bool:
        """Whether a sequence of that name, in any spelling, is one of those that were not asked for."""
        return plain(name) in self._left_out

    def entry(self, name: str) -> Entry:
        """Return the entry of that name in any of the spellings in use.

        Raises:
            InputError: there is none.
        """
        found = self.find(name)
        if found is None:
            raise InputError(f"{self.name}: no sequence {name!r} in {self.root}{nearest(name, self.names)}")
        return found

    @cached_property
    def _left_out(self) -> frozenset[str]:
        return frozenset(map(plain, self.left_out))

    @cached_property
    def _exactly(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}

    @cached_property
    def _by_name(self) -> dict[str, list[Entry]]:
        known: dict[str, list[Entry]] = {}
        for entry in self.entries:
            known.setdefault(plain(entry.name), []).append(entry)
        # OTB's Human4 has two targets of which the benchmark uses the second: "Human4" alone means that one.
        for entry in self.entries:
            if entry.name == "Human4-2":
                known.setdefault("human4", [entry])
        return known


def plain(name: str) -> str:
    """Strip a name of what its spellings differ in: case, and all but letters and digits (Jogging.1, jogging-1)."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())
