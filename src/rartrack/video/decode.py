"""Decoding video through FFmpeg: the one place that knows PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from rartrack.errors import InputError
from rartrack.video.images import Image

DEFAULT_RATE = Fraction(30)
"""Frames a second of a source that states no rate of its own."""

_OPEN_SECONDS, _READ_SECONDS = 15.0, 30.0
_HIGHEST_RATE = 1000
_SHORTFALL_SECONDS = 0.5


def open_video(location: str | Path, threads: bool) -> tuple[Any, Any]:
    """Open a file or url; returns PyAV's container and its video stream.

    Args:
        location: a path, or a url that FFmpeg understands.
        threads: decode on several threads. Off, the decoder holds no thread and survives a fork.

    Raises:
        InputError: missing, unreadable, no video, or damaged at its start.
    """
    options = {"rtsp_transport": "tcp"} if str(location).startswith("rtsp") else {}
    timeout = (_OPEN_SECONDS, _READ_SECONDS) if "://" in str(location) else None
    try:
        container = av.open(str(location), options=options, timeout=timeout)
    except av.error.InvalidDataError:
        raise InputError(f"{location}: not a video, or cut short before its index was written") from None
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{location}: {error.strerror or error}") from None
    pictures = av.stream.Disposition.attached_pic
    stream = next((one for one in container.streams.video if not one.disposition & pictures), None)
    if stream is None or stream.codec_context is None:
        container.close()
        raise InputError(f"{location}: holds no video that can be decoded")
    if threads:
        stream.thread_type = "AUTO"
    else:
        stream.codec_context.thread_count = 1
    return container, stream


def frame_rate(stream: Any) -> Fraction:
    """Frames a second of a stream: its average, else what its headers promise, else ``DEFAULT_RATE``."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= _HIGHEST_RATE:
            return Fraction(rate)
    return DEFAULT_RATE


def upright(frame: Any) -> Image:
    """Convert a decoded frame to RGB uint8 (height, width, 3), turned and mirrored as its display matrix says."""
    image: Image = frame.to_ndarray(format="rgb24")
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].tolist()
    # A point (p, q) is shown at (a p + c q, b p + d q): by quarter turns, either the axes stay or they change places.
    if abs(a) >= abs(b):
        columns, rows = a, d
    else:
        image, columns, rows = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1])


class Decoder:
    """Decodes a stream to its end, however damaged.

    Attributes:
        damage: after the last frame, what was wrong with the video in words; empty where nothing was.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.damage = ""

    def __iter__(self) -> Iterator[Any]:
        """Yield PyAV's frames in the order they are shown."""
        delivered, last = 0, None
        for frame in self._decode():
            if frame.is_corrupt and not self.damage:
                self.damage = f"damaged at frame {delivered}; it may show"
            delivered, last = delivered + 1, frame.time
            yield frame
        if self._cut_short or self._ends_early(last):
            self.damage = f"damaged or cut short: it ends after {delivered} frames"

    def _decode(self) -> Iterator[Any]:
        self._cut_short = False
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt and packet.size:  # a packet the file no longer holds whole
                    self._cut_short = True
                    continue
                try:
                    yield from packet.decode()
                except av.error.InvalidDataError:
                    self.damage = self.damage or "damaged in places; some frames are missing"
        except (av.error.FFmpegError, OSError):
            self._cut_short = True

    def _ends_early(self, last: float | None) -> bool:
        """Whether the last frame falls well short of the promised duration.

        Asked only where there is no sound, which may outlast the picture, and not of MP4, whose duration counts
        what an edit list cuts.
        """
        container = self._container
        if last is None or container.duration is None or len(container.streams) > 1 or "mp4" in container.format.name:
            return False
        begin = (container.start_time or 0) / av.time_base
        end = last - begin + float(1 / frame_rate(self._stream))
        return bool(end + _SHORTFALL_SECONDS < container.duration / av.time_base)
