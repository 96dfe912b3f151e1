"""Drawing results on frames: a box per target in its own colour, with its name, score and status."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping

import cv2
import numpy as np

from rartrack.boxes import Box
from rartrack.results import Result, Results, Status, by_name
from rartrack.video.images import Image, check_image

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (255, 176, 0),
    (64, 196, 255),
    (255, 92, 138),
    (124, 224, 92),
    (190, 140, 255),
    (255, 128, 64),
    (0, 214, 180),
    (245, 230, 80),
)
"""RGB, one per target in turn: light and far apart in hue, so that dark text can be read on each."""

_GREY: Colour = (205, 205, 205)
_DARK: Colour = (18, 18, 22)
_FONT = cv2.FONT_HERSHEY_DUPLEX
_UNSEEN = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters and ends of lines, written as spaces."""
_FONT_ROWS = 22
"""Rows of pixels that a capital letter takes at scale 1."""
_LEAST_ROWS = 8
_RIM_FROM = 1.2
"""Smallest unit at which lines get a dark rim; below, it would hide the picture."""

_Plate = tuple[int, int, int, int]
"""x, y, width, height."""


def draw(image: Image, results: Results) -> Image:
    """Return a copy of a frame with the targets drawn on it.

    A tracked target has a solid box, an uncertain one a dashed box, a lost one a thin dashed grey box where it was last
    seen. Lines and text grow with the frame.

    Args:
        image: RGB, uint8, (height, width, 3), of any size from 1x1.
        results: what a tracker's ``update`` gives; the place gives the colour, an empty name is not written.

    Returns:
        RGB, uint8, (height, width, 3).

    Raises:
        InputError: the image is of another kind, or these are no results.
    """
    canvas = np.array(check_image(image, "image"), order="C")
    draw_on(canvas, by_name(results))
    return canvas


def draw_on(canvas: Image, results: Mapping[str, Result]) -> None:
    """What ``draw`` does, in place, on a frame whose rows follow each other in memory."""
    unit = _unit(canvas)
    drawn = [
        (name, result, _GREY if result.status is Status.LOST else PALETTE[number % len(PALETTE)])
        for number, (name, result) in enumerate(results.items())
        if all(map(math.isfinite, result.box))
    ]
    for _, result, colour in drawn:
        _draw_box(canvas, result.box, colour, result.status, unit)
    plates: list[_Plate] = []
    for name, result, colour in drawn:  # last, so that no box crosses a text
        _draw_label(canvas, result.box, _text(name, result), colour, unit, plates)


def _unit(image: Image) -> float:
    """Width of a line in pixels: 2 for a frame of 640x360, 6 for one of 1080 rows and 4K as 4K is looked at."""
    height, width = image.shape[:2]
    return max(1.0, math.sqrt(width * height) / 240)


def _text(name: str, result: Result) -> str:
    score = f"{result.score:.2f}" if math.isfinite(result.score) else ""
    status = "" if result.status is Status.TRACKED else result.status.value
    shown = "".join(" " if unicodedata.category(sign) in _UNSEEN else sign for sign in name)
    return "  ".join(part for part in (shown, "" if result.status is Status.LOST else score, status) if part)


def _draw_box(image: Image, box: Box, colour: Colour, status: Status, unit: float) -> None:
    """Draw around the pixels of the box, not over them."""
    thin, rimmed = _line_widths(status, unit)
    left, top, right, bottom = _edges(box, rimmed // 2 + 1, image)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    dash = 0.0 if status is Status.TRACKED else unit * (6 if status is Status.UNCERTAIN else 3)
    for line, width in ((_DARK, rimmed), (colour, thin)) if rimmed > thin else ((colour, thin),):
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            _draw_line(image, start, end, line, width, dash)


def _line_widths(status: Status, unit: float) -> tuple[int, int]:
    """Width in pixels of a box's line, and of the line with its dark rims."""
    thin = max(1, round(unit * (0.75 if status is Status.LOST else 1)))
    return thin, thin + 2 * max(1, round(unit / 4)) if unit > _RIM_FROM else thin


def _edges(box: Box, margin: int, image: Image) -> tuple[int, int, int, int]:
    """First and last column and row of the pixels that a box holds, wider by a margin; far outside is just outside."""
    height, width = image.shape[:2]
    right, bottom = max(box.x, box.x + box.w - 1), max(box.y, box.y + box.h - 1)
    edges = ((box.x - margin, width), (box.y - margin, height), (right + margin, width), (bottom + margin, height))
    outside = 2 * margin + 1
    left, top, right, bottom = (round(max(-outside, min(side + outside, edge))) for edge, side in edges)
    return left, top, right, bottom


def _draw_line(
    image: Image, start: tuple[int, int], end: tuple[int, int], colour: Colour, width: int, dash: float
) -> None:
    """A horizontal or vertical line, in dashes of about ``dash`` pixels (0: solid) with one at either end."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    pieces = 1 if dash <= 0 else round(length / dash / 2) * 2 + 1

    def place(part: int) -> tuple[int, int]:
        across, down = ((b - a) * part / pieces for a, b in zip(start, end, strict=True))
        return start[0] + round(across), start[1] + round(down)

    for piece in range(0, pieces, 2):
        cv2.line(image, place(piece), place(piece + 1), colour, width)


def _draw_label(image: Image, box: Box, text: str, colour: Colour, unit: float, plates: list[_Plate]) -> None:
    """Write on a plate in the target's colour where no other plate is: above its box, else below, else inside."""
    height, width = image.shape[:2]
    rows = max(_LEAST_ROWS, round(5.5 * unit))
    if not text or height < 2 * rows:
        return
    scale, pad = rows / _FONT_ROWS, max(2, round(1.6 * unit))
    (columns, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    plate_width, plate_height = columns + 2 * pad + 1, rows + 2 * pad
    thin, rimmed = _line_widths(Status.TRACKED, unit)
    left, top, _, bottom = _edges(box, rimmed // 2 + 1, image)
    x = max(0, min(left - thin // 2, width - plate_width))
    choices = [
        (x, y, plate_width, plate_height)
        for y in (top - plate_height + 1, bottom, top)
        if 0 <= y <= height - plate_height
    ]
    plate = next((one for one in choices if not any(_overlap(one, other) for other in plates)), None)
    plate = plate or (
        choices[0] if choices else (x, max(0, min(top, height - plate_height)), plate_width, plate_height)
    )
    plates.append(plate)
    x, y = plate[:2]
    cv2.rectangle(image, (x, y), (x + plate_width - 1, y + plate_height - 1), colour, cv2.FILLED)
    cv2.putText(image, text, (x + pad, y + pad + rows), _FONT, scale, _DARK, 1, cv2.LINE_AA)


def _overlap(a: _Plate, b: _Plate) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
