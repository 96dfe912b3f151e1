"""The frames of a video file by number, for data sets."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av

from rartrack.errors import InputError, brief
from rartrack.video.decode import Decoder, open_video, packets_of, upright
from rartrack.video.images import Image


class VideoFrames:
    """The frames of a video file as a sequence: length, random access, iteration; picklable.

    Frames in order are decoded one after another; a jump seeks to the key frame before and decodes from there. The
    first use reads the file once, mostly without decoding, to learn the times of its frames. One thread, and not to be
    shared between threads; a copy sent to, or inherited by, another process opens the file anew.

    Args:
        path: the file; it is opened when the first frame or the length is asked for.

    Raises:
        InputError: (when used) the file is missing, no video, holds no frames, or a frame cannot be decoded; or a slice
            is asked for.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._places: dict[int, int] | None = None
        self._count = 0
        self._keys: list[tuple[int, int]] = []
        self._forget()

    def __len__(self) -> int:
        self._learn()
        return self._count

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Image:
        try:
            index = operator.index(index)
        except TypeError:
            raise InputError(
                f"{self.path}: frame {brief(index)}: frames are taken one at a time, each by a whole number"
            ) from None
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"{self.path}: frame {index} of {count}")
        image = upright(self._decode(index % count))
        if self._next == count:
            self._forget()  # a finished sequence holds no file open
        return image

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("path", "_places", "_count", "_keys")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._opened: tuple[Any, Any] | None = None
        self._frames: Iterator[Any] = iter(())
        self._next = 0
        self._process = os.getpid()

    def _learn(self) -> None:
        """Read the file, mostly without decoding: how many frames, the place of each time stamp, the key frames."""
        if self._count:
            return
        container, stream = open_video(self.path, threads=False)
        with container:
            packets = [
                (one.pts, one.is_keyframe)
                for one in packets_of(container, stream)
                if not one.is_discard and not one.is_corrupt
            ]
            codec, reorders = stream.codec_context.name, stream.codec_context.has_b_frames
        stamps = [pts for pts, _ in packets]
        usable = None not in stamps and len(set(stamps)) == len(stamps)
        # Frames may be shown in another order than they are stored in. Where no times say so, these are not, or the
        # container, such as AVI, has no times for it: only decoding tells.
        doubtful = usable and reorders and stamps == sorted(stamps)
        shown = [frame.pts for frame in islice(self._from_first(), None if doubtful else 1)]
        # VP8 holds packets that show nothing.
        if usable and codec != "vp8" and None not in shown and shown == sorted(shown):
            # What leans on frames before the file's first, as where it was cut out of another, is not shown.
            stamps = sorted(pts for pts in stamps if shown and pts >= shown[0])
            self._places = {pts: place for place, pts in enumerate(stamps)}
            # After a jump in an MPEG program stream frames have other times than in order: there none is made.
            keys = [pts for pts, key in packets if key and pts in self._places and container.format.name != "mpeg"]
            self._keys = sorted((self._places[pts], pts) for pts in keys)
            self._count = len(stamps)
        else:  # without usable time stamps only decoding tells the frames, and every jump begins at the first
            self._count = len(shown) if doubtful else sum(1 for _ in self._from_first())
        if not self._count:
            raise InputError(f"{self.path}: holds no frame that can be decoded")

    def _from_first(self) -> Decoder:
        return Decoder(*open_video(self.path, threads=False))

    def _decode(self, index: int) -> Any:
        if self._process != os.getpid():
            self._forget()  # a file opened before a fork shares its position with the parent
        keys = [key for key in self._keys if key[0] <= index]
        if self._opened is None or self._next > index or (keys and keys[-1][0] > self._next):
            self._seek(keys)
        for frame in self._frames:
            place = self._next if self._places is None else self._places.get(frame.pts, -1)
            self._next = max(self._next, place + 1)
            if place == index:
                return frame
            if place > index:
                break
        self._forget()
        raise InputError(f"{self.path}: frame {index} cannot be decoded; the file is damaged")

    def _seek(self, keys: list[tuple[int, int]]) -> None:
        """Begin decoding at the last of these key frames, else one or two earlier, else at the first frame."""
        for place, pts in keys[:0:-1][:3]:
            if self._opened is None:
                self._opened = open_video(self.path, threads=False)
            container, stream = self._opened
            try:
                container.seek(pts, stream=stream, backward=True)
            except (av.error.FFmpegError, OSError):  # containers have many reasons
                break
            frames = iter(Decoder(container, stream))
            first = next(frames, None)
            # Frames that lean on what lies before a key frame come out broken: begin where one is whole.
            if first is not None and first.key_frame and first.pts <= pts:
                self._frames, self._next = chain([first], frames), place
                return
        self._forget()
        self._opened = open_video(self.path, threads=False)
        self._frames = iter(Decoder(*self._opened))
