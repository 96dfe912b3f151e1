"""OTB-2013, OTB-50 and OTB-2015: ``NAME/img/*.jpg`` and ``NAME/groundtruth_rect.txt``, 1-based x,y,w,h.

Source: Y. Wu, J. Lim, M.-H. Yang, "Online Object Tracking: A Benchmark", CVPR 2013, and "Object Tracking Benchmark",
TPAMI 2015. ``tables/otb.csv`` holds the 100 targets of 98 videos with what the benchmark's own toolkit v1.1 says of
them: the first and last image, frames left out of the evaluation, the smaller sets they belong to, and attributes (its
att/*.txt; Human4, whose file is all zero in one copy, as the benchmark's site lists it). These are facts that move
published figures: David is annotated from image 300 on, Football1 to image 74 only, and Tiger1 is evaluated from frame
6. A video with two targets has ``groundtruth_rect.1.txt`` and ``.2.txt`` and gives NAME-1 and NAME-2; of Human4 the
benchmark uses the second alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from rartrack.boxes import Boxes
from rartrack.datasets.dataset import Entry, plain
from rartrack.datasets.images import all_images, numbered_images
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.datasets.text import read_boxes, read_table
from rartrack.errors import InputError, nearest

ATTRIBUTES = {
    "IV": "illumination variation",
    "OPR": "out-of-plane rotation",
    "SV": "scale variation",
    "OCC": "occlusion",
    "DEF": "deformation",
    "MB": "motion blur",
    "FM": "fast motion",
    "IPR": "in-plane rotation",
    "OV": "out of view",
    "BC": "background clutter",
    "LR": "low resolution",
}
"""The attributes in the benchmark's order."""

ORIGIN = 1


@dataclass(frozen=True)
class Target:
    """One target of the benchmark.

    Attributes:
        name: as the benchmark's TPAMI paper and most result files spell it.
        first, last: numbers of the first and last annotated image.
        omit: annotated frames left out at the start.
        otb2013, otb50: whether it belongs to these smaller sets.
        attributes: a subset of ``ATTRIBUTES``.
    """

    name: str
    first: int
    last: int
    omit: int
    otb2013: bool
    otb50: bool
    attributes: frozenset[str]

    @property
    def video(self) -> str:
        """Name of the video's folder: the target's without its number."""
        return self.name.partition("-")[0]


@cache
def targets() -> dict[str, Target]:
    """The benchmark's 100 targets by name."""
    return {
        row["name"]: Target(
            name=row["name"],
            first=int(row["first"]),
            last=int(row["last"]),
            omit=int(row["omit"]),
            otb2013=row["otb2013"] == "1",
            otb50=row["otb50"] == "1",
            attributes=frozenset(row["attributes"].split()),
        )
        for row in read_table("datasets", "otb")
    }


def members(benchmark: str) -> tuple[str, ...]:
    """Names of the targets of ``otb2013``, ``otb50`` or ``otb2015``."""
    if benchmark == "otb2015":
        return tuple(targets())
    return tuple(name for name, target in targets().items() if getattr(target, benchmark))


def official_name(name: str) -> str | None:
    """The benchmark's spelling of a target's name given in any other (jogging.1, Jogging_1, Human4), or None."""
    key = plain(name)
    return _spellings().get("human42" if key == "human4" else key)


def recognise(folder: Path) -> bool:
    """Whether a folder holds sequences in this layout."""
    return next(folder.glob("*/groundtruth_rect*.txt"), None) is not None


def entries(folder: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """The sequences of a folder, or the named ones of the benchmark, whether they are there or not."""
    if names is not None:
        return [Entry(name, partial(_read_target, folder, targets()[name])) for name in names]
    found = []
    for child in sorted((item for item in folder.iterdir() if item.is_dir()), key=lambda item: item.name.lower()):
        annotations = sorted(child.glob("groundtruth_rect*.txt"))
        if not annotations and not (child / "img").is_dir():
            continue
        if not annotations:
            found.append(Entry(official_name(child.name) or child.name, partial(_no_annotation, child)))
        known = {path: official for path in annotations if (official := official_name(_spelt(child, path)))}
        # Where the benchmark knows one of a video's targets, the others are none of its (Human4's first).
        for path in known or annotations:
            official = known.get(path) or official_name(child.name) or _spelt(child, path)
            found.append(Entry(official, partial(_read, official, child, path)))
    return found


def _spelt(child: Path, annotation: Path) -> str:
    number = annotation.name.removeprefix("groundtruth_rect").removesuffix(".txt").strip(".")
    return f"{child.name}-{number}" if number else child.name


def _read_target(folder: Path, target: Target) -> Sequence:
    number = target.name.partition("-")[2]
    wanted = {plain(target.name), plain(target.video)}
    folders = [child for child in folder.iterdir() if child.is_dir()]
    children = [child for child in folders if plain(child.name) in wanted]
    if not children:
        alike = nearest(target.video, (child.name for child in folders))
        raise InputError(f"{folder}: {target.name} is missing; a folder {target.video}/ was looked for{alike}")
    child = max(children, key=lambda item: plain(item.name) == plain(target.name))
    for name in ([f"groundtruth_rect.{number}.txt"] if number else []) + ["groundtruth_rect.txt"]:
        if (child / name).is_file():
            return _read(target.name, child, child / name)
    return _no_annotation(child, f"groundtruth_rect.{number}.txt" if number else "groundtruth_rect.txt")


def _read(name: str, child: Path, annotation: Path) -> Sequence:
    boxes = read_boxes(annotation, origin=ORIGIN)
    target = targets().get(name)
    if target is None:
        frames = all_images(child / "img", len(boxes), annotation) if (child / "img").is_dir() else None
        return Sequence(name, boxes, frames)
    boxes = evaluated(target, boxes, annotation)
    return Sequence(name, boxes, _frames(target, child), attributes=target.attributes)


def evaluated(target: Target, boxes: Boxes, annotation: Path) -> Boxes:
    """The boxes (T, 4) of the frames that the benchmark evaluates, from all that an annotation file holds.

    Raises:
        InputError: the file holds neither the annotated nor the evaluated number of lines.
    """
    annotated = target.last - target.first + 1
    if len(boxes) not in (annotated, annotated - target.omit):
        wrong = "shorter" if len(boxes) < annotated else "longer"
        raise InputError(
            f"{annotation}: {len(boxes)} lines, {wrong} than {target.name}'s {annotated} annotated frames "
            f"(images {target.first} to {target.last})"
        )
    return boxes[len(boxes) - (annotated - target.omit) :]


def _frames(target: Target, child: Path) -> Frames | None:
    folder = child / "img"
    return numbered_images(folder, range(target.first + target.omit, target.last + 1)) if folder.is_dir() else None


def _no_annotation(child: Path, wanted: str = "groundtruth_rect.txt") -> Sequence:
    there = ", ".join(sorted(item.name for item in child.glob("*.txt"))) or "no .txt file"
    raise InputError(f"{child}: no {wanted}; the folder holds {there}")


@cache
def _spellings() -> dict[str, str]:
    return {plain(name): name for name in targets()}
