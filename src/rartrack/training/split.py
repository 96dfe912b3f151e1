"""Which sequences may train, which validate, and which may do neither."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from rartrack.datasets import Dataset, otb, vot
from rartrack.datasets.dataset import plain
from rartrack.errors import InputError

HELD_OUT = (
    "davis_dog",
    "davis_scooter-black",
    "davis_breakdance",
    "davis_soapbox",
    "uav_person9",
    "uav_car10",
    "uav_wakeboard7",
    "uav_building5",
    "tld_pedestrian2",
    "dtb_BMX3",
    "mask_octopus",
    "fod_??7_*",
)
"""Validation sequences of the training videos: fixed once, so that figures of different runs can be compared."""

COPIES = ("tld_car", "mask_book", "mask_fish")
"""Training videos that are test sequences under other names: OTB's Suv, and VOT's book and fish3."""

_VOT_YEARS = ("vot2016", "vot2018", "vot2019")

_FEW = 5
"""Sequences named as VOT's below which it is chance: its names are words that anybody gives a video (bag, car1)."""

_TEST_LAYOUTS = frozenset({"otb", "otb-annotations", "vot", "json"})


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name fits one of the patterns (``*`` and ``?`` as in a shell)."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def is_test(dataset: Dataset) -> bool:
    """Whether it is one that trackers are tested on: OTB's or VOT's layout, or more than half of its sequences named as
    OTB's or as those of one year of VOT."""
    if dataset.layout in _TEST_LAYOUTS:
        return True
    names = {plain(name) for name in dataset.names}

    def known(members: Iterable[str]) -> int:
        return len(names & {plain(name) for name in members})

    in_vot = max(known(vot.members(year)) for year in _VOT_YEARS)
    return 2 * known(otb.members("otb2015")) > len(names) or (in_vot >= _FEW and 2 * in_vot > len(names))


def is_copy(name: str) -> bool:
    """Whether a sequence is one of ``COPIES``, in any spelling."""
    return plain(name) in {plain(copy) for copy in COPIES}


def refuse_tests(dataset: Dataset, purpose: str = "training", mend: str = "take this source out") -> None:
    """Refuse a benchmark that trackers are tested on.

    Args:
        dataset: what is refused if ``is_test`` says so.
        purpose: what it was wanted for.
        mend: what to do instead.

    Raises:
        InputError: it is for testing.
    """
    if is_test(dataset):
        raise InputError(f"{dataset.root}: OTB and VOT are for testing, never for {purpose}; {mend}")


def without_copies(dataset: Dataset) -> Dataset:
    """The data set without ``COPIES``."""
    return replace(dataset, entries=tuple(entry for entry in dataset.entries if not is_copy(entry.name)))
