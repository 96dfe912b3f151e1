"""Frames with index and time from a video file, a folder of images, a camera or a url: one iterator for all."""

from __future__ import annotations

import operator
import os
import re
import stat
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2

from rartrack.errors import InputError, brief
from rartrack.video.ahead import ReadAhead, in_thread
from rartrack.video.decode import (
    DEFAULT_RATE,
    PIPED_INPUT,
    SEEKABLE_INPUT,
    Decoder,
    frame_count,
    frame_rate,
    is_animated_webp,
    open_video,
    shown,
    upright,
)
from rartrack.video.images import Image, ImageFrames, image_paths

LIVE = frozenset({"rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "udp"})
"""Protocols of what is sent as it happens."""

_SOURCES = "a video's name, a folder, a url or a camera's number"
_CAMERA = re.compile(r"(?:camera:)?(\d{1,3})")
_AHEAD_BYTES, _AHEAD_FRAMES = 64 << 20, 8
_ANEW_SECONDS = 1.0
"""By which times step back where they start anew; smaller steps are those of a clock that is not sound."""


class VideoWarning(UserWarning):
    """A source that could be read only in part; its text is one line fit to be shown to a user."""


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes:
        index: place in the source, from 0.
        time: seconds since the source's first frame, by its own time stamps; it rises from frame to frame.
        image: RGB, uint8, (height, width, 3).
    """

    index: int
    time: float
    image: Image


@dataclass
class _Opened:
    """What the kinds of sources have in common: images with their times, and what is known before reading them."""

    images: Iterator[tuple[float, Image]]
    where: str
    name: str
    rate: Fraction
    count: int | None
    release: Callable[[], object] = lambda: None
    damage: Callable[[], str] = lambda: ""
    pixel_aspect: Callable[[], Fraction] = lambda: Fraction(1)
    live: bool = False
    """Gives its newest picture whenever it is asked."""
    newest: bool = False
    """Goes on whether it is read or not: what is not read in time is passed over."""


class FrameSource:
    """An iterator of ``Frame`` and a context manager; made by ``open_source``.

    Attributes:
        name: the file's stem, the folder's name, ``"camera 0"``, the url or ``"stdin"``.
        size: (width, height) of every frame in pixels, after rotation.
        pixel_aspect: width of a pixel over its height, after rotation; 1 but for anamorphic video.
        rate: frames a second, on average where it varies; 30 for images.
        count: frames in the whole source as its headers state it, or None where they do not.

    Iterating raises ``InputError`` for a frame that cannot be read or has another size, and warns with a
    ``VideoWarning`` at the end of a damaged video.
    """

    def __init__(self, opened: _Opened, start: int) -> None:
        self.name, self.rate, self.count = opened.name, opened.rate, opened.count
        self._opened = opened
        self._ahead: ReadAhead[tuple[float, Image]] | None = None
        self._next = start
        try:
            self._first = next(opened.images, None) if opened.live else in_thread(lambda: next(opened.images, None))
        except Exception:  # not at Ctrl-C, when the thread still reads
            self.close()
            raise
        if self._first is None:
            self.close()
            raise InputError(f"{opened.where}: no frame could be read{f' from frame {start} on' if start else ''}")
        image = self._first[1]
        self.size = (image.shape[1], image.shape[0])
        self.pixel_aspect = opened.pixel_aspect()
        self._images = opened.images
        if not opened.live:
            depth = 1 if opened.newest else max(1, min(_AHEAD_FRAMES, _AHEAD_BYTES // image.nbytes))
            self._images = self._ahead = ReadAhead(opened.images, depth, opened.newest)
            weakref.finalize(self, self._ahead.stop)  # a source that is dropped unclosed, or alive when Python ends

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._first is not None:
            (seconds, image), self._first = self._first, None
        else:
            try:
                seconds, image = next(self._images)
            except StopIteration:
                self._warn()
                raise
        size = (image.shape[1], image.shape[0])
        if size != self.size:
            raise InputError(
                f"{self._opened.where}: frame {self._next} is {size[0]}x{size[1]} pixels, "
                f"those before it {self.size[0]}x{self.size[1]}; every frame must have one size"
            )
        frame = Frame(self._next, seconds, image)
        self._next += 1
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and let go of the file or camera."""
        ended = self._ahead is None or self._ahead.close()
        if ended:  # else the thread still reads from it, and closing would pull it from under its feet
            self._opened.release()

    def _warn(self) -> None:
        damage, self._opened.damage = self._opened.damage(), lambda: ""
        if damage:
            warnings.warn(f"{self._opened.where}: {damage}", VideoWarning, stacklevel=3)


def open_source(source: str | Path | int, start: int = 0) -> FrameSource:
    """Open a source of frames.

    Args:
        source: a video file; a folder of images, read in natural order; a camera as ``0``, ``"0"`` or ``"camera:0"``;
            a url that FFmpeg understands (rtsp, http, ...); or ``"-"``, a video on standard input. Of a camera, and of
            a url of what is sent as it happens (``LIVE``), the newest frame is given: those that pass while nobody asks
            are not, and do not count.
        start: index of the first frame to deliver.

    Raises:
        InputError: the source is missing, no video, empty or damaged at its start, or ends before ``start``.
    """
    try:
        start = operator.index(start)
    except TypeError:
        raise InputError(f"start {start!r}: expected a whole number") from None
    if start < 0:
        raise InputError(f"start {start}: frames count from 0")
    if isinstance(source, str) and not source:
        raise InputError(f"no source is given: {_SOURCES}")
    if isinstance(source, str) and source == "-":
        return FrameSource(replace(_video(_standard_input(), None, start), name="stdin"), start)
    text = _text_of(source)
    if "\0" in text:
        raise InputError(f"source {text!r}: no name of a file has a sign of number 0")
    path = None if isinstance(source, str) and "://" in source else Path(text)
    try:
        exists, folder = path is not None and path.exists(), path is not None and path.is_dir()
    except OSError as error:  # too long for a name
        raise InputError(f"source {text!r}: {error.strerror}") from None
    camera = None if path is None or isinstance(source, os.PathLike) else _CAMERA.fullmatch(text)
    if camera and not exists:
        return FrameSource(_camera(int(camera[1]), start), start)
    if path is not None and folder:
        return FrameSource(_folder(path, start), start)
    return FrameSource(_video(text, path, start), start)


def _standard_input() -> str:
    """FFmpeg's name of standard input: a file, where it is at its beginning, is no pipe but can be sought in."""
    try:
        whole = stat.S_ISREG(os.fstat(0).st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0
    except OSError:  # closed
        whole = False
    return SEEKABLE_INPUT if whole else PIPED_INPUT


def _text_of(source: object) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    try:
        return str(operator.index(source))  # type: ignore[arg-type]
    except TypeError:
        raise InputError(
            f"source {brief(source)}: expected {_SOURCES}; frames at hand go to Tracker.init and update"
        ) from None


def _folder(folder: Path, start: int) -> _Opened:
    paths = image_paths(folder)
    _check_start(folder, start, len(paths))
    frames = ImageFrames(paths)
    images = ((float(index / DEFAULT_RATE), frames[index]) for index in range(start, len(paths)))
    return _Opened(images, str(folder), folder.resolve().name, DEFAULT_RATE, len(paths))


def _video(location: str, path: Path | None, start: int) -> _Opened:
    container, stream = in_thread(lambda: open_video(location, threads=True))
    decoder, rate = Decoder(container, stream), frame_rate(stream)
    notices: list[str] = []  # of which the first is told
    return _Opened(
        _timed(shown(location), decoder, rate, start, notices),
        shown(location),
        location if path is None else path.stem,
        rate,
        frame_count(container, stream),
        release=container.close,
        damage=lambda: "; ".join(filter(None, (decoder.damage, *notices[:1]))),
        pixel_aspect=lambda: decoder.pixel_aspect,
        newest=location.partition("://")[0] in LIVE,
    )


def _timed(
    location: str, decoder: Decoder, rate: Fraction, start: int, notices: list[str]
) -> Iterator[tuple[float, Image]]:
    begin, stated, last, index = None, 0.0, -1.0, -1
    for index, frame in enumerate(decoder):
        if frame.time is None:
            seconds = float(index / rate)
        else:
            begin = frame.time if begin is None else begin
            if frame.time - begin < stated - _ANEW_SECONDS:  # of files joined end to end, say
                begin = frame.time - last - float(1 / rate)
                notices.append(f"its time stamps start anew at frame {index}; times go on from there")
            seconds = frame.time - begin
        stated = max(stated, seconds)
        last = seconds if seconds > last else last + float(1 / rate)
        if index >= start:
            yield last, upright(frame)
    _check_start(location, start, index + 1)


def _camera(number: int, start: int) -> _Opened:
    capture: Any = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(
            f"camera {number}: not found, or in use by another program; nor is there a file or folder called {number}"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not one from before the last was worked on
    stated = capture.get(cv2.CAP_PROP_FPS)
    rate = Fraction(stated).limit_denominator(1001) if 0 < stated < 1000 else DEFAULT_RATE

    def images() -> Iterator[tuple[float, Image]]:
        begin, index = None, 0
        while True:
            found, image = capture.read()
            if not found:
                return
            now = time.perf_counter()  # the other clocks of Windows tick 64 times a second
            begin = now if begin is None else begin
            if index >= start:
                yield now - begin, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            index += 1

    name = f"camera {number}"
    return _Opened(images(), name, name, rate, None, release=capture.release, live=True)


def _is_pipe(source: str) -> bool:
    if source == shown(PIPED_INPUT):
        return not stat.S_ISREG(os.fstat(0).st_mode)
    return "://" not in source and Path(source).is_fifo()


def _check_start(source: str | Path, start: int, count: int) -> None:
    if count == 0:
        mend = ""
        if str(source).startswith("http"):
            mend = "; download it first: its server does not seek in it"
        elif _is_pipe(str(source)):
            mend = "; save it as a file first: it cannot be sought in"
        elif is_animated_webp(source):
            mend = ": FFmpeg does not read animated WebP; convert it to GIF or MP4 first"
        raise InputError(f"{source}: holds no frame that can be decoded{mend}")
    if start >= count:
        raise InputError(f"{source}: starts at frame {start}, but has {count} (0 to {count - 1})")
