"""Which sequences may train, which validate, and which may do neither."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from rartrack.datasets import Dataset, otb
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

_TEST_LAYOUTS = frozenset({"otb", "otb-annotations", "vot", "json"})


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name fits one of the patterns (``*`` and ``?`` as in a shell)."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def refuse_tests(dataset: Dataset) -> None:
    """Refuse a benchmark that trackers are tested on.

    Raises:
        InputError: the data set has OTB's or VOT's layout, or half of its sequences bear names of OTB.
    """
    names = {plain(name) for name in dataset.names}
    known = names & {plain(name) for name in otb.members("otb2015")}
    if dataset.layout in _TEST_LAYOUTS or 2 * len(known) > len(names):
        raise InputError(f"{dataset.root}: OTB and VOT are for testing, never for training; take this source out")
