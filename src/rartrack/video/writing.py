"""Writing video: H.264, under its name when it is finished."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from rartrack.errors import InputError
from rartrack.outputs import check_output, give_name
from rartrack.results import Result, Results, by_name
from rartrack.video.behind import WorkBehind
from rartrack.video.images import Image, check_image
from rartrack.video.overlay import draw_on
from rartrack.video.parts import AS_IT_COMES, FRAGMENTS, cut_to_whole_fragments, is_playable, join_fragments

VIDEO_SUFFIXES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Ending of a video that can be written -> FFmpeg's name of its container."""

_TICKS_PER_SECOND = 10_000
_LARGEST_TERM = 1_000_000
_SLOWEST = Fraction(1, 1001)
_LONGEST_SECONDS = Fraction(3600)
"""A frame's, where nothing comes after it."""
_LONGEST_STEM = 200
"""Bytes of the name in that of the temporary file, which has more in it: file systems take names of 255."""
_QUALITY = {"crf": "20", "preset": "veryfast"}
_BT709, _LIMITED = 1, 1
_BEHIND_BYTES, _BEHIND_FRAMES = 64 << 20, 8


class VideoWriter:
    """Writes frames as H.264 (yuv420p, BT.709), in a thread of its own, a few frames behind; a context manager.

    The video grows under a temporary name beside ``path`` and takes its own name when the block ends, also when it
    ends by Ctrl-C, bad input or an ``OSError``: what was written by then is kept, as a whole video. Any other
    exception, or no frame at all, leaves nothing. If the process is killed, the temporary file can be played up to a
    few seconds before. A finished MP4 or MOV has one index, at its beginning; where the disk has no room for it beside
    the temporary file, or is full before, it is that one, in fragments.

    Args:
        path: where; the ending is one of ``VIDEO_SUFFIXES``. Of a link, what it leads to.
        rate: frames a second.
        size: (width, height) of the frames in pixels. H.264 needs even numbers: an odd side gets its last row or
            column twice.
        overwrite: replace a file of that name.
        pixel_aspect: width of a pixel over its height, by which players stretch the picture; see ``FrameSource``.

    Raises:
        InputError: as ``check_output``; the encoder refuses the size; or (when writing or closing) the disk does.
    """

    def __init__(
        self,
        path: str | Path,
        rate: Fraction | float,
        size: tuple[int, int],
        overwrite: bool = False,
        pixel_aspect: Fraction | float = 1,
    ) -> None:
        self.path = check_output(path, overwrite, VIDEO_SUFFIXES)
        self.size = size
        self.count = 0
        self._over = False
        self._aspect = Fraction(pixel_aspect).limit_denominator(1001)
        # Where frames have times of their own, those count: a rate is what is said of the whole.
        self._rate = max(Fraction(rate).limit_denominator(1001), _SLOWEST) if rate > 0 else Fraction(0)
        if not 0 < self._rate.numerator <= _LARGEST_TERM:
            raise InputError(f"{self.path}: {float(rate):g} frames a second cannot be written")
        # Fine enough for the times of a variable rate, and a whole number of ticks a frame for a constant one.
        self._tick = Fraction(1, self._rate.numerator * ceil(_TICKS_PER_SECOND / self._rate.numerator))
        self._duration = round(min(1 / Fraction(rate), _LONGEST_SECONDS) / self._tick)
        self._begin, self._last = 0.0, -1
        self._file = Path(os.path.realpath(self.path))  # a link stays, and leads to the video
        stem = os.fsencode(self._file.stem)[:_LONGEST_STEM].decode(errors="ignore")
        self._part = self._file.with_name(f"{stem}.{os.getpid()}.part{self.path.suffix}")
        self._overwrite = overwrite
        self._format = VIDEO_SUFFIXES[self.path.suffix.lower()]
        try:
            options = AS_IT_COMES if self._format == "matroska" else FRAGMENTS
            self._container: Any = av.open(str(self._part), "w", format=self._format, options=options)
            self._stream = self._add_stream()
            self._container.start_encoding()  # else the file is not made before the encoder's first packet
        except (av.error.FFmpegError, OSError) as error:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
            raise self._failure(error) from None
        depth = max(1, min(_BEHIND_FRAMES, _BEHIND_BYTES // (3 * size[0] * size[1])))
        self._behind: WorkBehind[Any] = WorkBehind(self._encode, depth)

    def write(self, image: Image, time: float | None = None, results: Results | None = None) -> None:
        """Append a frame.

        Args:
            image: RGB, uint8, (height, width, 3) of the writer's size; free to be changed afterwards.
            time: seconds on any clock that rises from frame to frame, kept relative to the first frame; without it
                the frames follow each other at ``rate``.
            results: drawn on the frame as by ``draw``, in the writer's thread; free to be changed too.

        Raises:
            InputError: another size or dtype, no results, the video is closed, or the disk is full: then for a frame
                written before.
        """
        if self._over:
            raise InputError(f"{self.path}: the video is closed; write its frames before that")
        width, height = self.size
        if check_image(image, str(self.path)).shape[:2] != (height, width):
            found = f"{image.shape[1]}x{image.shape[0]}"
            raise InputError(f"{self.path}: a frame of {found} in a video of {width}x{height} pixels")
        kept = None if results is None else by_name(results)
        try:
            self._behind.put((np.array(image, order="C"), self._place(time), kept))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from None
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.count and (kind is None or issubclass(kind, (KeyboardInterrupt, InputError, OSError))):
            self.close()
        else:
            self.discard()

    def close(self) -> None:
        """Finish the video and give it its name; nothing where that was done, or it was discarded.

        Raises:
            InputError: the disk is full; what can be played has the name all the same, of MP4 and MOV the whole
                fragments. Or, but with ``overwrite``, another program has made a file of that name since: the video
                has another, which is said.
        """
        if self._over:
            return
        try:
            self._behind.close()
            self._mux(None)
            self._container.close()
            self._over = True
        except (av.error.FFmpegError, OSError) as error:
            self._over = True
            self._stop()
            if self._format != "matroska":
                with suppress(OSError):
                    cut_to_whole_fragments(self._part)
            if not is_playable(self._part):
                self._part.unlink(missing_ok=True)
                raise self._failure(error) from None
            give_name(self._part, self._file, self._overwrite)
            raise InputError(f"{self._failure(error)}; what was written before is kept") from None
        if self._format == "matroska":
            give_name(self._part, self._file, self._overwrite)
        else:
            self._join()

    def discard(self) -> None:
        """Stop, and remove what was written; nothing where the video was closed."""
        if self._over:
            return
        self._over = True
        self._stop()
        self._part.unlink(missing_ok=True)

    def _stop(self) -> None:
        self._behind.stop()
        with suppress(av.error.FFmpegError, OSError):  # nothing more is to be written
            self._container.close()

    def _join(self) -> None:
        whole = self._part.with_stem(f"{self._part.stem}.whole")
        try:
            join_fragments(self._part, whole, self._format)
        except (av.error.FFmpegError, OSError):
            whole.unlink(missing_ok=True)
            whole = self._part
        except BaseException:  # Ctrl-C
            whole.unlink(missing_ok=True)
            raise
        try:
            give_name(whole, self._file, self._overwrite)
        finally:
            if whole is not self._part:
                self._part.unlink()

    def _add_stream(self) -> Any:
        stream: Any = self._container.add_stream("libx264", rate=self._rate, options=_QUALITY)
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._aspect != 1:
            context.sample_aspect_ratio = self._aspect
        context.open()
        return stream

    def _place(self, time: float | None) -> int:
        """Time stamp of the next frame in ticks, above the last one."""
        if self.count == 0 and time is not None:
            self._begin = time
        seconds = self.count / self._rate if time is None else Fraction(time - self._begin)
        self._last = max(self._last + 1, round(seconds / self._tick))
        return self._last

    def _encode(self, item: tuple[Image, int, Mapping[str, Result] | None]) -> None:
        image, place, results = item
        if results is not None:
            draw_on(image, results)
        height, width = image.shape[:2]
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = place, self._tick
        self._mux(frame.reformat(format="yuv420p", dst_colorspace="ITU709"))

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._duration  # counts for the last one
            self._container.mux(packet)

    def _failure(self, error: Exception) -> InputError:
        width, height = self.size
        return InputError(
            f"{self.path}: cannot write {width}x{height} video: {getattr(error, 'strerror', None) or error}"
        )
