"""Decoding video through FFmpeg: the one place that knows PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from rartrack.errors import InputError
from rartrack.video.hdr import is_hdr, to_sdr
from rartrack.video.images import Image

DEFAULT_RATE = Fraction(30)
"""Frames a second of a source that states no rate of its own."""

PIPED_INPUT, SEEKABLE_INPUT = "pipe:0", "fd:"
"""FFmpeg's names of standard input: read as it comes, or as a file."""

_OPEN_SECONDS, _READ_SECONDS = 15.0, 30.0
_HIGHEST_RATE = 1000
_SHORTFALL_SECONDS = 0.5
_MP4, _MATROSKA = "mp4", "matroska"
"""Parts of FFmpeg's names of containers."""
_WEBP_HEADER = 21
"""Bytes at the beginning of a WebP, of which the last says whether it is animated."""
_BT709, _UNSPECIFIED = 1, 2
_HD_ROWS = 720
_QUARTERS = ((False, 1, 1), (True, 1, -1), (False, -1, -1), (True, -1, 1))
"""As ``_turned``, of quarter turns counterclockwise."""


def open_video(location: str | Path, threads: bool) -> tuple[Any, Any]:
    """Open a file or url; returns PyAV's container and its video stream.

    Args:
        location: a path, or a url that FFmpeg understands; what is there as a file is never taken for a url.
        threads: decode on several threads. Off, the decoder holds no thread and survives a fork.

    Raises:
        InputError: missing, unreadable, empty, no video, or damaged at its start.
    """
    options = {"rtsp_transport": "tcp"} if str(location).startswith("rtsp") else {}
    timeout = (_OPEN_SECONDS, _READ_SECONDS) if "://" in str(location) else None
    path = Path(location)
    # FFmpeg takes what precedes a colon for a protocol, but not in an absolute path.
    opened = str(path.absolute()) if timeout is None and path.exists() else str(location)
    try:
        # Titles are not asked for, and not always UTF-8.
        container = av.open(opened, options=options, timeout=timeout, metadata_errors="replace")
    except av.error.InvalidDataError:
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{shown(location)}: the file is empty (0 bytes); remove it or fetch it again") from None
        raise InputError(f"{shown(location)}: not a video, or cut short before its index was written") from None
    except av.error.ProtocolNotFoundError:
        raise InputError(f"{shown(location)}: no such file, nor a url that FFmpeg understands") from None
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{shown(location)}: {error.strerror or error}") from None
    if container.format.name == "tty":  # FFmpeg draws text as a terminal would
        container.close()
        raise InputError(f"{shown(location)}: a text file, not a video")
    pictures = av.stream.Disposition.attached_pic
    # The first may be a thumbnail, or the still of an animated AVIF.
    streams = (container.streams.best("video"), *container.streams.video)
    stream = next((one for one in streams if one is not None and not one.disposition & pictures), None)
    if stream is None or stream.codec_context is None:
        container.close()
        raise InputError(f"{shown(location)}: holds no video that can be decoded")
    if threads:
        stream.thread_type = "AUTO"
    else:
        stream.codec_context.thread_count = 1
    return container, stream


def shown(location: str | Path) -> str:
    """A location as messages name it: urls without what may be a password."""
    return (
        "standard input" if location in (PIPED_INPUT, SEEKABLE_INPUT) else re.sub(r"(?<=://)[^/]*@", "", str(location))
    )


def is_animated_webp(location: str | Path) -> bool:
    """Whether a file is what FFmpeg finds no picture in, though nothing is wrong with it."""
    try:
        with Path(location).open("rb") as stream:
            begin = stream.read(_WEBP_HEADER)
    except OSError:  # no file
        return False
    animated = len(begin) == _WEBP_HEADER and bool(begin[-1] & 2)
    return begin.startswith(b"RIFF") and begin[8:16] == b"WEBPVP8X" and animated


def packets_of(container: Any, *streams: Any) -> Iterator[Any]:
    """Packets of these streams, or of all, with something in them, up to the first of those that only empty the
    decoder: PyAV goes wrong over those of streams that showed themselves late.

    Raises:
        FFmpegError, OSError: the container cannot be read on.
    """
    for packet in container.demux(*streams):
        if packet.size:
            yield packet
        elif packet.dts is None:
            return


def frame_count(container: Any, stream: Any) -> int | None:
    """Frames of a stream as its headers state them, less those that MP4's edit list hides; None where they do not."""
    if stream.frames and _MP4 in container.format.name:
        return sum(not entry.is_discard for entry in stream.index_entries) or None
    return stream.frames or None


def frame_rate(stream: Any) -> Fraction:
    """Frames a second of a stream: its average, else what its headers promise, else ``DEFAULT_RATE``."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= _HIGHEST_RATE:
            return Fraction(rate)
    return DEFAULT_RATE


def upright(frame: Any) -> Image:
    """Convert a decoded frame to RGB uint8 (height, width, 3), turned and mirrored as its display matrix says.

    Where it does not say by which standard its colours are coded it is, as players take it, BT.709 from 720 rows on.
    """
    if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_ROWS and not is_hdr(frame):
        frame.colorspace = _BT709
    image: Image = to_sdr(frame) if is_hdr(frame) else frame.to_ndarray(format="rgb24")
    turned, columns, rows = _turned(frame)
    if turned:
        image = image.transpose(1, 0, 2)
    return np.ascontiguousarray(image[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1])


def _turned(frame: Any) -> tuple[bool, int, int]:
    """Of a frame's display matrix: whether columns and rows change places, and the signs of columns and rows then."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV reads all that stands beside a frame at once, and does not know EXIF data. Of the matrix it tells the
        # rotation then, not whether it mirrors: EXIF's mirrored orientations (2, 4, 5, 7) come as the unmirrored ones.
        return _QUARTERS[round(frame.rotation / 90) % 4]
    if matrix is None:
        return False, 1, 1
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].tolist()
    # A point (p, q) is shown at (a p + c q, b p + d q): by quarter turns, either the axes stay or they change places.
    return (False, a, d) if abs(a) >= abs(b) else (True, c, b)


def _pixel_aspect(stream: Any, frame: Any) -> Fraction:
    """Width of a pixel over its height as ``upright`` gives the frame; 1 where the stream does not say."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return 1 / aspect if _turned(frame)[0] else aspect


class Decoder:
    """Decodes a stream to its end, however damaged.

    Attributes:
        pixel_aspect: from the first frame on, the width of a pixel over its height, after rotation; 1 where they are
            square, and before.
        damage: after the last frame, what was wrong with the video in words; empty where nothing was.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.damage = ""
        self.pixel_aspect = Fraction(1)
        # AVI has no times but those of decoding, and of these codecs FFmpeg does not tell those of showing.
        context = stream.codec_context
        mixed_up = context.has_b_frames and context.name in ("h264", "hevc")
        self._untimed = mixed_up and container.format.name == "avi"
        # Where Matroska ends its sound may tell, or its subtitles.
        self._read = () if _MATROSKA in container.format.name else (stream,)

    def __iter__(self) -> Iterator[Any]:
        """Yield PyAV's frames in the order they are shown; none is left out before the place where a video is cut.
        Without ``pts`` where the container has no times of showing."""
        delivered = 0
        for frame in self._frames():
            if not delivered:
                self.pixel_aspect = _pixel_aspect(self._stream, frame)
            if frame.is_corrupt and not self.damage:
                self.damage = f"damaged at frame {delivered}; it may show"
            delivered += 1
            frame.time_base = self._stream.time_base  # frames from the decoder's reserve come without it
            if self._untimed:
                frame.pts = None
            yield frame
        if self._cut:
            self.damage = f"damaged or cut short: it ends after {delivered} frames"

    def _frames(self) -> Iterator[Any]:
        self._cut = False
        self._until: float | None = None
        decoded_until: int | None = None
        place = -1
        for packet in self._packets():
            yield from self._decode(packet)
            decoded_until = decoded_until if packet.dts is None else packet.dts
            place = -1 if packet.pos is None else packet.pos
        self._cut = self._cut or self._ends_early() or self._ends_before_index(place)
        for frame in self._decode(None):
            # Frames still to come are decoded after this time, hence shown after it: up to it there is no gap.
            if not self._cut or frame.pts is None or decoded_until is None or frame.pts <= decoded_until:
                yield frame

    def _packets(self) -> Iterator[Any]:
        """The stream's packets up to the end or the cut; one that is not whole counts if others follow it."""
        broken, whole = None, True
        try:
            for packet in packets_of(self._container, *self._read):
                whole = not packet.is_corrupt
                if packet.pts is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._until = max(self._until or 0.0, end)
                if packet.stream_index != self._stream.index:
                    continue
                if broken is not None:
                    yield broken
                broken = None if whole else packet
                if whole:
                    yield packet
        except (av.error.FFmpegError, OSError):
            self._cut = True
        self._cut = self._cut or not whole or broken is not None

    def _decode(self, packet: Any) -> Iterator[Any]:
        try:
            yield from self._stream.decode(packet)
        except av.error.FFmpegError:  # decoders have many names for damaged data
            self.damage = self.damage or "damaged in places; some frames are missing"

    def _ends_early(self) -> bool:
        """Whether what was read ends well before the promised duration.

        Asked of Matroska, where all is read, and else only where there is no sound, which may outlast the picture; not
        of MP4, whose duration counts what an edit list cuts.
        """
        container, name = self._container, self._container.format.name
        unread = len(container.streams) > len(self._read or container.streams)
        if self._until is None or container.duration is None or unread or _MP4 in name:
            return False
        # What FFmpeg writes as Matroska's duration is the last frame's end, whenever the first began.
        begin = 0 if _MATROSKA in name else container.start_time or 0
        return bool(self._until + _SHORTFALL_SECONDS < (begin + container.duration) / av.time_base)

    def _ends_before_index(self, place: int) -> bool:
        """Whether MP4's index tells of packets behind the one at this place of the file."""
        if place < 0 or _MP4 not in self._container.format.name:
            return False
        told = (entry.pos for entry in reversed(self._stream.index_entries) if entry.size)
        return bool(place < next(told, -1))
