"""A video that is not finished yet: whether it can be played, and how it is finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

AS_IT_COMES = {"flush_packets": "1"}
"""FFmpeg's options for a video that reaches the disk cluster by cluster, so that a full one is noticed then."""

FRAGMENTS = AS_IT_COMES | {"movflags": "+delay_moov+default_base_moof+skip_trailer", "frag_duration": "1000000"}
"""The same for MP4 and MOV, where each second has its own index. Without ``skip_trailer`` errors of the last second
would go unnoticed."""

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


def is_playable(part: Path) -> bool:
    """Whether a file, however it ends, holds a picture."""
    try:
        with av.open(str(part)) as source:
            return next(source.decode(video=0), None) is not None
    except (av.error.FFmpegError, OSError):
        return False
