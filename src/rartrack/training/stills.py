"""Clips' frames from annotated photographs."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes, centre_size
from rartrack.datasets.coco import Still, instances_file, load_stills
from rartrack.errors import InputError
from rartrack.training.clips import Shot
from rartrack.training.config import DataConfig, SourceConfig
from rartrack.training.files import find, size_and_time
from rartrack.training.pseudo import (
    CutOut,
    camera_shots,
    composed_shots,
    cut_out,
    occlude,
    outline_of,
    part_of,
)
from rartrack.training.split import matches
from rartrack.training.videos import acceptable
from rartrack.video.images import Image, read_image


class StillSource:
    """The photographs of one COCO file; picklable. Each collection that the file names gets a share of its own.

    Args:
        name: the source's name in the config.
        source: where it lies and what is used of it; ``include`` and ``exclude`` match names of collections.
        data: exemplars and how pseudo-clips are made.

    Attributes:
        left_out: what cannot give clips, and why.

    Raises:
        InputError: the file is missing or malformed, or leaves no object.
    """

    def __init__(self, name: str, source: SourceConfig, data: DataConfig) -> None:
        self.name, self.source, self.data = name, source, data
        self.left_out: dict[str, str] = {}
        self._file = instances_file(find(source.path))
        stills = [still for still in load_stills(self._file) if self._wanted(still)]
        self._stills = stills
        targets = [(i, int(k)) for i, still in enumerate(stills) for k in np.flatnonzero(self._usable(still))]
        if not targets:
            raise InputError(f"{source.path}: no object passes the filters of {name}; see area_ratio, border, smallest")
        self.targets = targets
        collections = Counter(stills[i].source for i, _ in targets)
        self._by_collection: dict[str, list[int]] = defaultdict(list)
        for position, (i, _) in enumerate(targets):
            self._by_collection[stills[i].source].append(position)
        self._collections = sorted(collections)
        share = np.array([float(collections[key]) for key in self._collections]) ** source.balance
        self._share = share / share.sum()
        self._masked: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for i, k in targets:
            if stills[i].segmentations[k]:
                self._masked[stills[i].labels[k]].append((i, k))
        self._all_masked = [target for members in self._masked.values() for target in members]

    def prepare(self, stopping: Callable[[], bool] = lambda: False) -> bool:  # noqa: ARG002
        """Nothing, and True: photographs are read when drawn."""
        return True

    def identity(self) -> list[object]:
        """What clips depend on beside the settings, as plain values: the annotation file's hash, and in order each
        photograph's name and size in bytes; with the same limits as of videos."""
        sizes = [(still.path.name, size_and_time(still.path)[0]) for still in self._stills]
        return [hashlib.sha256(self._file.read_bytes()).hexdigest(), sizes]

    def draw(self, random: np.random.Generator) -> tuple[list[Shot], str]:
        """T exemplars and a search frame made of one random object, and their name.

        Raises:
            InputError: a photograph or a mask that was drawn cannot be read; draw again.
        """
        collection = self._collections[int(random.choice(len(self._collections), p=self._share))]
        members = self._by_collection[collection]
        still_index, target = self.targets[members[int(random.integers(len(members)))]]
        still = self._stills[still_index]
        image, box, kind = _read(still), still.boxes[target], "camera"
        count, config = self.data.exemplars + 1, self.data.pseudo
        if config.part and random.random() < config.part:
            part = part_of(box, random)
            if np.sqrt(part[2:].prod()) >= self.source.smallest:
                box, kind = part, "part"
        composed = kind == "camera" and random.random() < config.compose
        mask = still.mask(target) if kind == "camera" else None
        cutout = None if mask is None or not composed else cut_out(image, mask)
        if cutout is not None:
            kind = "composed"
            shots = self._composed(image, still_index, target, cutout, random)
        else:
            outline = None if mask is None else outline_of(mask)
            shots = camera_shots(image, box, count, config, random, _others(still, target), outline)
        if random.random() < config.occlusion and (occluder := self._cut_out(self._all_masked, random)) is not None:
            shots[-1] = occlude(shots[-1], occluder, config, random)
        return shots, f"{self.name}/{still.path.stem}#{target}:{kind}"

    def _composed(
        self, image: Image, still_index: int, target: int, cutout: CutOut, random: np.random.Generator
    ) -> list[Shot]:
        # Another photograph and another object: the target's own would be in the picture twice.
        count, background = len(self._stills), image
        if count > 1:
            background = _read(self._stills[(still_index + int(random.integers(1, count))) % count])
        distractor = None
        if random.random() < self.data.pseudo.distractor:
            alike = self._masked[self._stills[still_index].labels[target]]
            members = [member for member in alike if member != (still_index, target)]
            if not members:
                members = [member for member in self._all_masked if member != (still_index, target)]
            distractor = self._cut_out(members, random)
        return composed_shots(cutout, background, distractor, self.data.exemplars + 1, self.data.pseudo, random)

    def _cut_out(self, members: Sequence[tuple[int, int]], random: np.random.Generator) -> CutOut | None:
        """A random one of objects with masks, (photograph, object) each; None if there is none."""
        if not members:
            return None
        i, k = members[int(random.integers(len(members)))]
        still = self._stills[i]
        mask = still.mask(k)
        assert mask is not None
        return cut_out(_read(still), mask)

    def _wanted(self, still: Still) -> bool:
        return matches(still.source, self.source.include) and not matches(still.source, self.source.exclude)

    def _usable(self, still: Still) -> NDArray[np.bool_]:
        return acceptable(still.boxes, still.size, self.source)


def _others(still: Still, target: int) -> Boxes:
    """(M, 2) centres of the photograph's other objects that lie outside the target, of its class if there are such."""
    centre, _ = centre_size(still.boxes)
    low, high = still.boxes[target, :2], still.boxes[target, :2] + still.boxes[target, 2:]
    apart = ((centre < low) | (centre > high)).any(axis=1)
    alike = apart & (np.array(still.labels) == still.labels[target])
    return centre[alike if alike.any() else apart]


def _read(still: Still) -> Image:
    image = read_image(still.path)
    if image.shape[1::-1] != still.size:
        width, height = still.size
        found = f"{image.shape[1]}x{image.shape[0]}"
        raise InputError(f"{still.path}: {found} pixels, its annotation says {width}x{height}")
    return image
