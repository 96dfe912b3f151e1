"""The surroundings of a video's target, decoded once and kept on disk as JPEG, one file a sequence.

A video file cannot be entered at a random frame cheaply; a kept surrounding costs one small JPEG. It reaches as far as
a clip's crops do and is stored at a quarter more than their resolution, so that cutting crops from it or from the
frame gives the same picture but for JPEG's loss.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rartrack.boxes import Boxes, centre_size
from rartrack.config import ModelConfig
from rartrack.datasets import Sequence
from rartrack.errors import InputError
from rartrack.outputs import replace_file, user_cache
from rartrack.tracking.crops import mean_colour, window_size
from rartrack.training.clips import ASPECT_SLACK, Shot
from rartrack.training.config import DataConfig
from rartrack.training.files import frame_files, size_and_time
from rartrack.video.images import Image, ImageFrames

_VERSION = 2
_OVERSAMPLING = 1.25


class CacheError(InputError):
    """The cache cannot be written: no fault of the data, so nothing to skip."""


class Surroundings(Protocol):
    """What clips need of one sequence.

    Attributes:
        frame_size: (width, height) in pixels.
        present: (T,) bool, the frames that can be had as shots.
    """

    frame_size: tuple[int, int]
    present: NDArray[np.bool_]

    def shot(self, frame: int) -> Shot:
        """One frame, at least as far as a clip's crops reach; raises InputError if it cannot be read."""
        ...


def surroundings(sequence: Sequence, model: ModelConfig, data: DataConfig) -> Surroundings:
    """Open a sequence for random access; a video file is decoded into the cache unless it is there already.

    Raises:
        InputError: its frames cannot be read.
        CacheError: the cache cannot be written.
    """
    path = cache_file(sequence, model, data)
    if path is None:
        return _Direct(sequence)
    if not path.is_file():
        _fill(path, sequence, model, data)
    return _Cached(path, sequence.boxes)


def cache_file(sequence: Sequence, model: ModelConfig, data: DataConfig) -> Path | None:
    """Where a sequence's surroundings are kept, once they are there; None if its images are read instead."""
    if isinstance(sequence.frames, ImageFrames) and not data.cache_images:
        return None
    folder = default_folder() if data.cache is None else Path(data.cache).expanduser()
    return folder / f"{sequence.name}-{_digest(sequence, model, data)}.safetensors"


def default_folder() -> Path:
    """Where surroundings are kept unless the settings say otherwise."""
    return user_cache("surroundings")


class _Direct:
    """A sequence of images, each read when asked for."""

    def __init__(self, sequence: Sequence) -> None:
        assert sequence.frames is not None
        self._frames, self._boxes = sequence.frames, sequence.boxes
        self.present = sequence.visible
        size = sequence.frame_size
        if size is None:
            height, width = self._frames[0].shape[:2]
            size = (width, height)
        self.frame_size = size

    def shot(self, frame: int) -> Shot:
        return Shot(self._frames[frame], self._boxes[frame])


class _Cached:
    """A sequence in the cache; picklable, the file is mapped into memory by each process that reads it."""

    def __init__(self, path: Path, boxes: Boxes) -> None:
        self._path, self._boxes = path, boxes
        try:
            with safe_open(path, "np") as file:
                self._index = {name: file.get_tensor(name) for name in file.keys() if name != "jpeg"}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: damaged cache file ({error}); delete it and it is made again") from None
        width, height = self._index["frame_size"]
        self.frame_size = (int(width), int(height))
        self.present = np.diff(self._index["offset"]) > 0
        self._file: Any = None

    def shot(self, frame: int) -> Shot:
        if self._file is None:
            self._file = safe_open(self._path, "np")
        start, stop = (int(offset) for offset in self._index["offset"][frame : frame + 2])
        decoded = cv2.imdecode(self._file.get_slice("jpeg")[start:stop], cv2.IMREAD_COLOR)
        if decoded is None:
            raise InputError(f"{self._path}: frame {frame} is damaged; delete the file and it is made again")
        image: Image = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)
        origin, scale, fill = (self._index[name][frame].tolist() for name in ("origin", "scale", "fill"))
        return Shot(image, self._boxes[frame], tuple(origin), tuple(scale), tuple(fill))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def half_extent(size: Boxes, window: Boxes, data: DataConfig) -> Boxes:
    """(2,) how far a clip's crops reach from the centre of a target of this size and window, all in pixels."""
    contexts = size + window / 2
    search = (data.shift + 0.5) * np.exp(data.zoom + data.aspect / 2) * window
    return np.asarray(np.maximum(contexts, search) * ASPECT_SLACK)


def _fill(path: Path, sequence: Sequence, model: ModelConfig, data: DataConfig) -> None:
    """Decode a sequence once and write its cache file in one step."""
    encoded: list[bytes] = []
    places = np.zeros((len(sequence), 7), dtype=np.float64)  # origin x, y; scale x, y; fill r, g, b
    visible, frame_size = sequence.visible, sequence.frame_size
    quality = [cv2.IMWRITE_JPEG_QUALITY, data.cache_quality]
    for index, image in enumerate(_readable(sequence)):
        if image is None or not visible[index]:
            encoded.append(b"")
            continue
        frame_size = (image.shape[1], image.shape[0])
        shot = _around(image, sequence.boxes[index], model, data)
        if shot is None:
            encoded.append(b"")
            continue
        places[index] = (*shot.origin, *shot.scale, *mean_colour(image))
        encoded.append(cv2.imencode(".jpg", cv2.cvtColor(shot.image, cv2.COLOR_RGB2BGR), quality)[1].tobytes())
    if frame_size is None:
        raise InputError(f"{sequence.name}: no frame could be read")
    tensors: dict[str, NDArray[Any]] = {
        "jpeg": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "offset": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        "origin": places[:, :2].copy(),
        "scale": places[:, 2:4].copy(),
        "fill": places[:, 4:].copy(),
        "frame_size": np.asarray(frame_size, dtype=np.int64),
    }
    try:
        replace_file(path, save(tensors))
    except InputError as error:
        raise CacheError(f"{error}; choose a folder for the cache by data.cache") from None


def _readable(sequence: Sequence) -> Iterator[Image | None]:
    """T frames in order, None for those that cannot be read."""
    assert sequence.frames is not None
    for index in range(len(sequence)):
        try:
            yield sequence.frames[index]
        except (InputError, IndexError):
            yield None


def _around(image: Image, box: Boxes, model: ModelConfig, data: DataConfig) -> Shot | None:
    """The part of a frame that a clip's crops can see, or None if the target is outside."""
    centre, size = centre_size(box)
    window = window_size(size, model.tracking.padding, model.tracking.crop)
    half = half_extent(size, window, data)
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(centre - half), 0, limit).astype(int)
    high = np.clip(np.ceil(centre + half), 0, limit).astype(int)
    if (high - low < 2).any():
        return None
    part = image[low[1] : high[1], low[0] : high[0]]
    smallest = np.exp(-data.zoom - data.aspect / 2) * window  # of the windows that are cut
    wanted = np.minimum(1, _OVERSAMPLING * model.network.input_size / smallest)
    pixels = np.maximum(1, np.round((high - low) * wanted)).astype(int)
    resized = cv2.resize(part, (int(pixels[0]), int(pixels[1])), interpolation=cv2.INTER_AREA)
    scale = pixels / (high - low)
    return Shot(
        np.asarray(resized, dtype=np.uint8),
        box,
        (float(low[0]), float(low[1])),
        (float(scale[0]), float(scale[1])),
    )


def _digest(sequence: Sequence, model: ModelConfig, data: DataConfig) -> str:
    """Names everything that a cache file's content depends on."""
    assert sequence.frames is not None
    files = [(str(path), *size_and_time(path)) for path in frame_files(sequence.frames)]
    settings = [
        _VERSION,
        files[0] if len(files) == 1 else files,
        model.network.input_size,
        model.tracking.padding,
        model.tracking.crop,
        data.shift,
        data.zoom,
        data.aspect,
        data.cache_quality,
    ]
    content = json.dumps(settings).encode() + np.ascontiguousarray(sequence.boxes).tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
