"""Reading still images, and folders of them in natural order, as RGB uint8."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.errors import InputError

Image = NDArray[np.uint8]
"""RGB, uint8, (height, width, 3)."""

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_PNG, _PNG_END = b"\x89PNG", b"IEND"
_DIGITS = re.compile(r"(\d+)")


def check_image(image: Any, what: str) -> Image:
    """Give an RGB uint8 (height, width, 3) array back.

    Raises:
        InputError: it is something else; how it becomes one is said, where that is plain.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image
    found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    raise InputError(f"{what}: expected an RGB uint8 array (height, width, 3), got {found}{_mended(image)}")


def _mended(frame: Any) -> str:
    """How a frame of another kind becomes one that is taken, where that is plain."""
    if not isinstance(frame, np.ndarray):
        return "; give its .image" if isinstance(getattr(frame, "image", None), np.ndarray) else ""
    if frame.dtype.kind == "f":
        return "; (255 * frame).astype('uint8') does for values from 0 to 1"
    if frame.dtype == np.uint16:
        return "; (frame >> 8).astype('uint8') does for 16 bits"
    if frame.ndim == 2:
        return "; numpy.stack([frame] * 3, -1) makes grey RGB"
    if frame.ndim == 3 and frame.shape[2] == 4:
        return "; frame[..., :3] leaves transparency out"
    if frame.ndim == 3 and frame.shape[0] == 3:
        return "; frame.transpose(1, 2, 0) puts the colours last"
    return ""


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which ``2.jpg`` comes before ``10.jpg``, whatever text surrounds the numbers."""
    parts = _DIGITS.split(name.casefold())
    key = [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]
    return [*key, (-1, 0, name)]


def image_names(folder: Path) -> list[str]:
    """Names of a folder's images in natural order; hidden files, other kinds of files and folders are passed over.

    Raises:
        InputError: the folder is missing.
    """
    try:
        with os.scandir(folder) as entries:
            files = [entry.name for entry in entries if not entry.is_dir()]
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    found = (name for name in files if name.lower().endswith(_SUFFIXES) and not name.startswith("."))
    return sorted(found, key=natural_key)


def image_paths(folder: str | Path) -> list[Path]:
    """Return the images of a folder, as ``image_names``.

    Raises:
        InputError: the folder is missing or holds no image.
    """
    folder = Path(folder)
    names = image_names(folder)
    if not names:
        raise InputError(f"{folder}: holds no images ({', '.join(_SUFFIXES)})")
    return [folder / name for name in names]


def read_image(path: str | Path) -> Image:
    """Read one image as RGB uint8 (height, width, 3), turned upright by its EXIF orientation.

    Grey images are repeated over the three channels, an alpha channel is dropped, 16 bits are cut to their upper 8.

    Raises:
        InputError: the file is missing, empty, damaged or no image.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes); remove it or fetch it again")
    # Four bytes follow the end's name. Of a file without them libpng would speak in a line of its own.
    if data.startswith(_PNG) and not 0 <= data.rfind(_PNG_END) <= len(data) - 8:
        raise InputError(f"{path}: damaged, cut short; remove it or fetch it again")
    try:
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # a size beyond OpenCV's limits, say
        decoded = None
    if decoded is None:
        raise InputError(f"{path}: not an image that can be read, or damaged")
    image: Image = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)
    return image


class ImageFrames:
    """Images as the frames of one sequence, read when asked for; picklable.

    Args:
        paths: the images, in order.

    Indexing reads one image; a frame whose size differs from the first one's is an ``InputError``.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [Path(path) for path in paths]
        self._first: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image:
        path = self.paths[index]
        image = read_image(path)
        size = (image.shape[1], image.shape[0])
        if self._first is None:
            self._first = size if path == self.paths[0] else _size(read_image(self.paths[0]))
        if size != self._first:
            width, height = self._first
            raise InputError(
                f"{path}: {size[0]}x{size[1]} pixels, but {self.paths[0].name} is {width}x{height}; "
                "the images of one sequence must have one size"
            )
        return image

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(len(self)))


def _size(image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    return width, height
