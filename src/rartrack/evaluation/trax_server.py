"""Serve a tracker over TraX, so that the VOT toolkit (or any TraX client) drives it. Needs the extra ``vot``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Box
from rartrack.errors import InputError
from rartrack.evaluation.trackers import Tracker
from rartrack.evaluation.trax import library, region_box
from rartrack.video.images import Image, read_image


def serve(tracker: Tracker, name: str, description: str = "") -> int:
    """Answer a client on standard input and output (or on ``TRAX_SOCKET``) until it quits; returns the frames served.

    Images are taken as files, as they are (RGB, grey of 8 or 16 bits), or as JPEG or PNG; regions as rectangles or
    polygons. Replies are rectangles with a property ``confidence``, the tracker's score, where it has one.

    Raises:
        InputError: a message that cannot be served; the client is told first.
    """
    trax = library()
    regions = [trax.Region.RECTANGLE, trax.Region.POLYGON]
    images = [trax.Image.PATH, trax.Image.MEMORY, trax.Image.BUFFER]
    try:
        server = trax.Server(regions, images, tracker_name=name, tracker_description=description, tracker_family="RAR")
    except trax.TraxException as error:
        raise InputError(f"TraX: {error}") from None
    with contextlib.redirect_stdout(sys.stderr):  # what trackers print must not get between the messages
        try:
            frames = _answer(trax, server, tracker)
        except BaseException as error:
            with contextlib.suppress(trax.TraxException):
                server.quit(reason=" ".join(f"{error or type(error).__name__}".split())[:200])
            raise
    return frames


def decode_image(image: Any) -> Image:
    """Turn a TraX image into RGB uint8 (H, W, 3).

    Raises:
        InputError: it cannot be read.
    """
    trax = library()
    kind = image.type()
    if kind == trax.Image.PATH:
        return read_image(Path(image.path()))
    if kind == trax.Image.MEMORY:
        return _rgb(image.array())
    if kind == trax.Image.BUFFER:
        found = cv2.imdecode(np.frombuffer(image.buffer(), dtype=np.uint8), cv2.IMREAD_COLOR)
        if found is None:
            raise InputError("TraX: an image that is neither JPEG nor PNG")
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB))
    raise InputError(f"TraX: an image sent as {kind}; path, memory and buffer are supported")


def _answer(trax: Any, server: Any, tracker: Tracker) -> int:
    """The conversation: one reply for each initialisation and each frame."""
    frames = 0
    while True:
        try:
            request = server.wait()
        except trax.TraxException:
            return frames  # the client went away
        if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
            return frames
        image = decode_image(request.image[trax.ImageChannel.COLOR])
        if request.type == trax.TraxStatus.INITIALIZE:
            box, _ = region_box(request.objects[0][0])
            tracker.init(image, box)
            score: float | None = 1.0
        else:
            result = tracker.update(image)
            box, score = getattr(result, "box", result), getattr(result, "score", None)
        properties = {} if score is None else {"confidence": f"{score:.6f}"}
        server.status([(trax.Rectangle.create(*map(float, Box(*box))), properties)])
        frames += 1


def _rgb(pixels: NDArray[Any]) -> Image:
    """Bring a memory image (H, W, 1 or 3), uint8 or uint16, to RGB; 16 bits are cut to their upper 8."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
