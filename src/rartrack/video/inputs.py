"""Which files a source is read from, among them those that FFmpeg's protocols and playlists name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rartrack.video.images import image_paths

_LISTS = (b"ffconcat version", b"#EXTM3U", b"\xef\xbb\xbf#EXTM3U")
_LONGEST_SIGN = max(map(len, _LISTS))
"""What files begin with that name other files for FFmpeg to read."""


def files_read(source: str) -> Sequence[Path | int]:
    """The files a source may be read from: standard input's, a folder's images, or those that FFmpeg reads for it."""
    if source == "-":
        return [0]
    if "://" not in source and Path(source).is_dir():
        return image_paths(Path(source))
    protocol, _, rest = source.partition(":")
    if protocol == "pipe":
        return [int(rest) if rest.isdecimal() else 0]
    # FFmpeg's protocols may hold others: concat:a.mp4|b.mp4, async:cache:a.mp4, subfile,,start,0,end,0,,:a.mp4.
    parts = [part for piece in source.split("|") for part in _after_colons(piece)]
    return [name for part in parts for name in (Path(part), *_in_list(Path(part)))]


def _after_colons(text: str) -> list[str]:
    words = text.split(":")
    return [":".join(words[place:]) for place in range(len(words))]


def _in_list(path: Path) -> list[Path]:
    """The files that a playlist names (``ffconcat``, ``m3u8``), a line each; none for anything else."""
    try:
        if not path.is_file():  # of a pipe nothing may be read here
            return []
        with path.open("rb") as stream:
            if not stream.read(_LONGEST_SIGN).startswith(_LISTS):
                return []
    except (OSError, ValueError):  # no file, or no name of one
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = (line.strip().removeprefix("file ").strip(" '\"").removeprefix("file:") for line in lines)
    return [path.parent / name for name in names if name]
