"""Annotations without frames: enough to score raw results.

Two forms: a folder of ``NAME.txt`` (1-based x,y,w,h a line) with a ``sequences.json``, for OTB; and one JSON file of
{name: {"gt_rect": [[...], ...], "<tag>": [0, 1, ...], "width": ..., "height": ...}}, the form in which pysot's users
exchange VOT annotations. Where the JSON's ``img_names`` exist beside it, the frames are found too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rartrack.datasets import otb, vot
from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import image_frames, same_length
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.datasets.text import json_numbers, json_size, read_boxes, read_json, split_regions
from rartrack.errors import InputError


def recognise_otb(folder: Path) -> bool:
    """Whether a folder holds OTB's annotations alone."""
    return (folder / "sequences.json").is_file()


def otb_entries(folder: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """The targets of OTB that a folder of ``NAME.txt`` has, or the named ones."""
    files = {otb.official_name(path.stem) or path.stem: path for path in sorted(folder.glob("[!.]*.txt"))}
    wanted = files if names is None else names
    return [Entry(name, partial(_read_otb, name, files.get(name, folder / f"{name}.txt"))) for name in wanted]


def recognise_json(path: Path) -> bool:
    """Whether a file holds annotations in pysot's form."""
    return path.suffix == ".json" and path.is_file()


def json_entries(path: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """The sequences of a JSON file, or the named ones.

    Raises:
        InputError: it is not JSON, or not of this form.
    """
    videos = read_json(path)
    form = f'{path}: expected {{"NAME": {{"gt_rect": [[x, y, ...], ...]}}, ...}}'
    if not isinstance(videos, dict):
        raise InputError(form)
    for name, video in videos.items():
        if not _has_truth(video):
            raise InputError(f"{form}; {name} is not so")
    if videos and all(otb.official_name(name) for name in videos):
        raise InputError(f"{path}: OTB's annotations in one file are not read; give OTB's own folders")
    wanted = videos if names is None else names
    return [Entry(name, partial(_read_video, path, name, videos.get(name))) for name in wanted]


def _has_truth(video: Any) -> bool:
    return isinstance(video, dict) and isinstance(video.get("gt_rect"), list)


def _read_otb(name: str, path: Path) -> Sequence:
    boxes = read_boxes(path, origin=otb.ORIGIN)
    target = otb.targets().get(name)
    if target is None:
        return Sequence(name, boxes)
    return Sequence(name, otb.evaluated(target, boxes, path), attributes=target.attributes)


def _read_video(path: Path, name: str, video: dict[str, Any] | None) -> Sequence:
    if video is None:
        raise InputError(f"{path}: {name} is missing")
    where = f"{path}: {name}"
    rows = [_region(row, f"{where}, gt_rect[{number}]") for number, row in enumerate(video["gt_rect"])]
    if not rows:
        raise InputError(f"{where} has an empty gt_rect")
    boxes, polygons = split_regions(rows)
    return Sequence(
        name,
        boxes,
        _frames(path, video.get("img_names"), len(boxes), where),
        polygons,
        tags=_tags(video, len(boxes), where),
        frame_size=json_size(video, where) if video.get("width") and video.get("height") else None,
    )


def _region(row: Any, where: str) -> list[float]:
    if not isinstance(row, list) or len(row) not in (4, 8):
        count = len(row) if isinstance(row, list) else "no"
        raise InputError(f"{where} has {count} numbers, 4 or 8 expected")
    return json_numbers(row, where)


def _frames(path: Path, names: Any, annotated: int, where: str) -> Frames | None:
    if not names:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}, img_names: a list of the images' names expected")
    if not (path.parent / names[0]).is_file():
        return None
    same_length(annotated, path, len(names), "img_names")
    return image_frames(path.parent, names)


def _tags(video: dict[str, Any], frames: int, where: str) -> dict[str, NDArray[np.bool_]]:
    """Tags are lists that may end at their last flag; a file without tags has empty ones for all."""
    given = {tag: video[tag] for tag in vot.TAGS if video.get(tag) is not None}
    for tag, values in given.items():
        if not isinstance(values, list):
            raise InputError(f"{where}, {tag} is {str(values)[:40]!r}, a list of 0 and 1 expected")
    if not any(given.values()):
        return {}
    tags = {}
    for tag, values in given.items():
        if len(values) > frames:
            raise InputError(f"{where}, {tag} has {len(values)} values for {frames} frames")
        tags[tag] = np.zeros(frames, dtype=bool)
        tags[tag][: len(values)] = np.asarray(json_numbers(values, f"{where}, {tag}")) > 0
    return tags
