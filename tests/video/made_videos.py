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


def read(source: str | Path | int, start: int = 0) -> list[Frame]:
    """All frames of a source."""
    with open_source(source, start) as frames:
        return list(frames)
