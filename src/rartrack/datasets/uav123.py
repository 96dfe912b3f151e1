"""UAV123 and UAV20L: ``data_seq/UAV123/VIDEO/000001.jpg`` and ``anno/UAV123/NAME.txt``, ``anno/UAV20L/NAME.txt``.

Source: M. Mueller, N. Smith, B. Ghanem, "A Benchmark and Simulator for UAV Tracking", ECCV 2016, whose toolkit is
OTB's: boxes are 1-based x,y,w,h, NaN where the target is not visible. One video is cut into several runs:
``tables/uav123.csv`` says which images of which video each sequence is, as the data set's configSeqs.m and the got10k
toolkit (MIT) do. Attributes are not read: their files do not name them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import numbered_images, same_length
from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import read_boxes, read_table

ORIGIN = 1


@dataclass(frozen=True)
class Run:
    """Which images of which video a sequence is."""

    name: str
    video: str
    first: int
    last: int


@cache
def runs(benchmark: str) -> dict[str, Run]:
    """The sequences of ``UAV123`` or ``UAV20L`` by name."""
    return {
        row["name"]: Run(row["name"], row["video"], int(row["first"]), int(row["last"]))
        for row in read_table("datasets", "uav123")
        if row["set"] == benchmark
    }


def recognise(folder: Path) -> bool:
    """Whether a folder is the data set."""
    return (folder / "anno" / "UAV123").is_dir() or (folder / "anno" / "UAV20L").is_dir()


def entries(folder: Path, names: Iterable[str] | None = None, benchmark: str = "UAV123") -> list[Entry]:
    """The sequences of ``UAV123`` or ``UAV20L``, whether they are there or not."""
    known = runs(benchmark)
    chosen = known if names is None else names
    return [Entry(name, partial(_read, folder, benchmark, known[name])) for name in chosen]


def _read(folder: Path, benchmark: str, run: Run) -> Sequence:
    annotation = folder / "anno" / benchmark / f"{run.name}.txt"
    boxes = read_boxes(annotation, origin=ORIGIN)
    numbers = range(run.first, run.last + 1)
    same_length(len(boxes), annotation, len(numbers), f"images {run.first} to {run.last} of {run.video}")
    images = folder / "data_seq" / "UAV123" / run.video
    return Sequence(run.name, boxes, numbered_images(images, numbers) if images.is_dir() else None)
