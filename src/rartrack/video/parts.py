"""A video that is not finished yet: whether it can be played, and how it is finished."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av

AS_IT_COMES = {"flush_packets": "1"}
"""FFmpeg's options for a video that reaches the disk cluster by cluster, so that a full one is noticed then."""

FRAGMENTS = AS_IT_COMES | {"movflags": "+delay_moov+default_base_moof+skip_trailer", "frag_duration": "1000000"}
"""The same for MP4 and MOV, where each second has its own index. Without ``skip_trailer`` errors of the last second
would go unnoticed."""

_BOX = struct.Struct(">I4s")
"""Size and name that each part of an MP4 begins with; a fragment is a ``moof`` and its ``mdat``."""

_INDEX_FIRST = {"movflags": "+faststart"}


def join_fragments(part: Path, whole: Path, container_format: str) -> None:
    """Copy the pictures, as they are coded, to a file with one index, at its beginning.

    Raises:
        av.error.FFmpegError, OSError: the disk refuses, as when it is full.
    """
    with av.open(str(part)) as source:
        pictures: Any = source.streams.video[0]
        # By FFmpeg's milliseconds an edit list would cut what the last frame has beyond them.
        options = _INDEX_FIRST | {"movie_timescale": str(pictures.time_base.denominator)}
        with av.open(str(whole), "w", format=container_format, options=options) as copy:
            stream: Any = copy.add_stream_from_template(pictures)
            for packet in source.demux(pictures):
                if packet.size:  # the last one, without, says that there are no more
                    packet.stream = stream
                    copy.mux(packet)


def cut_to_whole_fragments(part: Path) -> None:
    """Take off what follows the last whole fragment of an MP4 or MOV, of which there is one at least; else nothing.

    Raises:
        OSError: the file cannot be read or cut.
    """
    size, place, end = part.stat().st_size, 0, 0
    with part.open("r+b") as file:
        while len(head := file.read(_BOX.size)) == _BOX.size:
            length, kind = _BOX.unpack(head)
            place += length
            if length < _BOX.size or place > size:
                break
            end = place if kind == b"mdat" else end
            file.seek(place)
        if end:
            file.truncate(end)


def is_playable(part: Path) -> bool:
    """Whether a file, however it ends, holds a picture."""
    try:
        with av.open(str(part)) as source:
            return next(source.decode(video=0), None) is not None
    except (av.error.FFmpegError, OSError):
        return False
