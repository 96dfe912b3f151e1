"""Photographs with boxes and masks in COCO's format, for training pairs made from stills.

Source: T.-Y. Lin et al., "Microsoft COCO", ECCV 2014, and its published data format: boxes x,y,width,height, 0-based,
at the edges; masks as polygons or as run lengths counted down the columns, beginning with background.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.datasets.text import json_size, read_json
from rartrack.errors import InputError

_ENLARGED = 4


@dataclass(frozen=True)
class Still:
    """One photograph and the objects labelled in it; unlabelled ones may be there too.

    Attributes:
        path: the image file.
        size: (width, height) in pixels.
        boxes: (N, 4) float64, see ``rartrack.boxes``.
        labels: N names of categories.
        segmentations: N masks as the file codes them, or None; ``mask`` decodes one.
        source: where the photograph comes from, as the file says, or "".
    """

    path: Path
    size: tuple[int, int]
    boxes: Boxes
    labels: tuple[str, ...]
    segmentations: tuple[Any, ...]
    source: str

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """(height, width) bool of one object's pixels, or None where it has a box alone.

        Raises:
            InputError: the mask is coded in a way that is not read here, or does not fill the image.
        """
        segmentation = self.segmentations[index]
        if not segmentation:
            return None
        width, height = self.size
        try:
            if isinstance(segmentation, dict):
                return _runs(segmentation, (height, width))
            return _polygons(segmentation, (height, width))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.path.name}: mask {index}: {error}") from None


def load_stills(instances: str | Path, images: str | Path | None = None) -> list[Still]:
    """Read a COCO instances file; images that have no object and objects that are crowds are left out.

    Args:
        instances: the JSON file, or the folder that holds ``instances.json``.
        images: the folder of the images; ``images/`` beside the file if None.

    Raises:
        InputError: the file or the folder is missing, or the file is not of this format. Images are not opened.
    """
    path = instances_file(instances)
    folder = path.parent / "images" if images is None else Path(images)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; the images of {path.name} were looked for there")
    content = read_json(path)
    try:
        names = {category["id"]: str(category["name"]) for category in content["categories"]}
        by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            if not annotation.get("iscrowd"):
                by_image[annotation["image_id"]].append(annotation)
        return [
            _still(folder, image, by_image[image["id"]], names, f"{path}: image {image['file_name']}")
            for image in content["images"]
            if by_image[image["id"]]
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not in COCO's format: {error!r}") from None


def instances_file(instances: str | Path) -> Path:
    """The JSON file that is meant by its path or by that of the folder that holds ``instances.json``."""
    path = Path(instances)
    return path / "instances.json" if path.is_dir() else path


def _still(
    folder: Path, image: dict[str, Any], objects: list[dict[str, Any]], names: dict[Any, str], where: str
) -> Still:
    return Still(
        folder / image["file_name"],
        json_size(image, where),
        np.asarray([_box(item, where) for item in objects], dtype=np.float64),
        tuple(names[item["category_id"]] for item in objects),
        tuple(item.get("segmentation") for item in objects),
        str(image.get("source", "")),
    )


def _box(item: dict[str, Any], where: str) -> list[float]:
    try:
        box = [float(number) for number in item["bbox"]] if isinstance(item["bbox"], list) else []
    except (KeyError, TypeError, ValueError, OverflowError):
        box = []
    if len(box) != 4 or not all(map(math.isfinite, box)):
        given = f"annotation {item.get('id')} has the bbox {str(item.get('bbox'))[:60]}"
        raise InputError(f"{where}: {given}, 4 finite numbers expected (x,y,w,h)")
    return box


def _runs(segmentation: dict[str, Any], shape: tuple[int, int]) -> NDArray[np.bool_]:
    counts = segmentation["counts"]
    if isinstance(counts, (str, bytes)):
        raise ValueError("compressed run lengths; uncompressed ones (a list of numbers) or polygons are read")
    if tuple(segmentation["size"]) != shape or sum(counts) != shape[0] * shape[1]:
        raise ValueError(f"{sum(counts)} pixels of {segmentation['size']} for an image of {shape} (height, width)")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(shape, order="F")


def _polygons(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of which the polygons cover half, by drawing them larger: OpenCV draws whole pixels, outlines included."""
    mask = np.zeros((shape[0] * _ENLARGED, shape[1] * _ENLARGED), dtype=np.uint8)
    for polygon in polygons:
        corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2) * _ENLARGED - 0.5
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], (255,))
    covered = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(covered > 127)
