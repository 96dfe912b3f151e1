"""Pictures that tell their number, the type of the fixture that makes videos of them, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.video import Frame, open_source

MakeVideo = Callable[..., Path]


def picture(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Grey ``10 * number`` with a white block in the upper left corner, of a third of each side."""
    width, height = size
    image = np.full((height, width, 3), 10 * number, np.uint8)
    image[: height // 3, : width // 3] = 255
    return image


def number_of(image: NDArray[np.uint8]) -> int:
    """Which ``picture`` this is, whatever its turn, from the middle of the image."""
    height, width = image.shape[:2]
    return round(float(image[height // 2, width // 2].mean()) / 10)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF block that holds the orientation alone behind the start of a JPEG."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    exif = b"Exif\x00\x00" + b"MM\x00\x2a\x00\x00\x00\x08" + b"\x00\x01" + entry + b"\x00\x00\x00\x00"
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]


def read(source: str | Path | int, start: int = 0) -> list[Frame]:
    """All frames of a source."""
    with open_source(source, start) as frames:
        return list(frames)
