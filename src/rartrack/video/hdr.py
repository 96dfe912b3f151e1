"""High dynamic range, as phones and televisions have it (HLG and PQ, BT.2020), shown as ordinary BT.709."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.video.images import Image

_PQ, _HLG = 16, 18
"""FFmpeg's numbers of the curves by which light is coded."""
_BT2020, _UNSPECIFIED = 9, 2
_FORMAT, _LEVELS = "gbrp10le", 1024

_WHITE = 203.0
"""Candelas a square metre of diffuse white (BT.2408): what ordinary video has as its brightest."""
_PEAK = 1000.0 / _WHITE
"""Brightest light that is told from brighter, in diffuse white: a nominal display's (BT.2100)."""
_KNEE = 0.8
"""From here on light is compressed."""
_GAMMA = 2.4
"""Of the displays that BT.709 is graded on (BT.1886)."""
_HLG_GAMMA = 1.2
"""From a scene to a nominal display (BT.2100)."""
_LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]])
_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
_STEPS = 65535
_TO_SQUARES = {_PQ: _TO_BT709 * (_STEPS**2 / _PEAK), _HLG: _TO_BT709 * _STEPS**2}
"""By curve: from light as ``_light_table`` has it to squares of steps; ``_STEPS`` steps are the root of ``_PEAK``."""
_STRIP = 2**16
"""Pixels that are converted at a time."""

_Light = NDArray[np.float32]
"""Linear light, of which 1 is diffuse white."""


def is_hdr(frame: Any) -> bool:
    """Whether a decoded frame is coded as HLG or PQ, with the colours of BT.2020."""
    return frame.color_trc in (_PQ, _HLG) and frame.color_primaries in (_BT2020, _UNSPECIFIED)


def to_sdr(frame: Any) -> Image:
    """Convert such a frame to RGB uint8 (height, width, 3) of BT.709: what is no brighter than diffuse white hardly
    changes, what is brighter comes close to 255."""
    if frame.colorspace == _UNSPECIFIED:
        frame.colorspace = _BT2020
    planar = frame.reformat(format=_FORMAT)
    height, width = planar.height, planar.width
    green, blue, red = (np.frombuffer(plane, "<u2").reshape(height, -1)[:, :width] for plane in planar.planes)
    image: Image = np.empty((height, width, 3), np.uint8)
    rows = min(height, max(1, _STRIP // width))
    room = (
        np.empty((rows, width, 3), np.uint16),
        np.empty((rows, width, 3), np.float32),
        np.empty((rows, width, 3), np.float32),
        np.empty((rows, width), np.float32),
    )
    for first in range(0, height, rows):
        strip = slice(first, first + rows)
        _convert([red[strip], green[strip], blue[strip]], frame.color_trc, room, image[strip])
    return image


def _convert(coded: list[NDArray[np.uint16]], curve: int, room: Sequence[NDArray[Any]], image: Image) -> None:
    """Convert a strip's red, green and blue to its image. All between is written into ``room``, which is small enough
    to stay in the processor's cache."""
    levels, light, other, luminance = (part[: len(image)] for part in room)
    _light_table(curve).take(cv2.merge(coded, dst=levels), mode="clip", out=light)
    if curve == _HLG:
        cv2.pow(cv2.transform(light, _LUMINANCE, dst=luminance), _HLG_GAMMA - 1, dst=luminance)
        cv2.multiply(light, cv2.cvtColor(luminance, cv2.COLOR_GRAY2RGB, dst=other), dst=light)
    cv2.transform(light, _TO_SQUARES[curve], dst=other)
    np.clip(other, 0, _STEPS**2, out=other)
    # Square roots leave the dark parts as many steps as the curve needs there.
    np.copyto(levels, cv2.sqrt(other, dst=other), casting="unsafe")
    _sdr_table().take(levels, mode="clip", out=image)


@cache
def _light_table(curve: int) -> _Light:
    """Light by coded level: PQ's of the display, HLG's of the scene, where 1 is the brightest."""
    coded = np.linspace(0, 1, _LEVELS)
    if curve == _PQ:  # SMPTE ST 2084
        root = coded ** (32 / 2523)
        light = (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
        return (light * (10_000 / _WHITE)).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _sdr_table() -> Image:
    """Level by the square root of light, in ``_STEPS`` up to that of ``_PEAK``, rounded down to whole ones."""
    light = (np.minimum(np.arange(_STEPS + 1) + 0.5, _STEPS) / _STEPS) ** 2 * _PEAK
    room = 1 - _KNEE
    over, most = np.maximum(light - _KNEE, 0) / room, (_PEAK - _KNEE) / room
    shown = np.minimum(light, _KNEE) + room * over * (1 + over / most**2) / (1 + over)  # Reinhard, extended
    table: Image = np.round(255 * shown ** (1 / _GAMMA)).astype(np.uint8)
    return table
