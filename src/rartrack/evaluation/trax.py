"""Drive any program that speaks TraX, the VOT challenge's protocol between a benchmark and a tracker, as a tracker.

The program runs as a process of its own and is talked to over its standard input and output. Needs the extra ``vot``
(vot-trax). Source: L. Čehovin, "TraX: The visual Tracking eXchange protocol and library", Neurocomputing 2017.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any, TypeVar

import cv2
import numpy as np

from rartrack.boxes import Box, polygon_bounds
from rartrack.errors import InputError
from rartrack.extras import need
from rartrack.video.images import Image

T = TypeVar("T")

START_LIMIT = 60.0
"""Seconds a program may take to say hello (it may have weights to load)."""
REPLY_LIMIT = 30.0
"""Seconds it may take for one frame (the VOT toolkit's default)."""


@dataclass(frozen=True)
class Reply:
    """What a program said of one frame.

    Attributes:
        box: x, y, w, h; around the polygon where it sent one.
        region: (2n,) corners x1, y1, ... of the polygon it sent, or None.
        score: its ``confidence``, or None.
    """

    box: Box
    region: tuple[float, ...] | None
    score: float | None


class TraxProgram:
    """A TraX program as a tracker; ``start`` starts it, or the first ``init``, and the first one after a failure again.

    Args:
        command: the program and its arguments.
        reply_limit: seconds one frame may take.
        start_limit: seconds it may take to say hello.

    ``close`` (or leaving a ``with`` block) ends it. Every failure is an ``InputError`` of one line, and ends it too.
    """

    def __init__(
        self, command: Sequence[str], reply_limit: float = REPLY_LIMIT, start_limit: float = START_LIMIT
    ) -> None:
        self.command = list(command)
        self._limits = {"start": start_limit, "reply": reply_limit}
        self._session: _Session | None = None
        if not self.command:
            raise InputError("TraX program: empty command")

    def start(self) -> None:
        """Start the program and wait for its hello, if it does not run.

        Raises:
            InputError: it cannot be started, dies, takes too long or breaks the protocol.
        """
        if self._session is None:
            self._session = self._try(lambda: _Session(self.command, self._limits["start"]))

    def init(self, frame: Image, box: Box) -> Reply:
        """Start on a frame, RGB uint8 (H, W, 3), with a box x, y, w, h; returns what the program makes of it.

        Raises:
            InputError: the program cannot be started, dies, takes too long or breaks the protocol.
        """
        self.start()
        session = self._session
        assert session is not None
        return self._try(lambda: session.initialize(frame, box, self._limits["reply"]))

    def update(self, frame: Image) -> Reply:
        """Return where the target is in the next frame, RGB uint8 (H, W, 3).

        Raises:
            InputError: as ``init``, or ``init`` was not called.
        """
        session = self._session
        if session is None:
            raise InputError(f"TraX program {self.command[0]}: not started; call init(frame, box) first")
        return self._try(lambda: session.frame(frame, self._limits["reply"]))

    def close(self) -> None:
        """End the program."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def __enter__(self) -> TraxProgram:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _try(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except InputError:
            self.close()
            raise


def library() -> ModuleType:
    """Import vot-trax.

    Raises:
        InputError: it is not installed.
    """
    return need("trax.client", "vot", "vot-trax")


def region_box(region: Any) -> tuple[Box, tuple[float, ...] | None]:
    """Return the box of a TraX region, and its corners where it is a polygon.

    Raises:
        InputError: it is neither a rectangle nor a polygon.
    """
    trax = library()
    if region.type == trax.Region.RECTANGLE:
        return Box(*map(float, region.bounds())), None
    if region.type == trax.Region.POLYGON:
        corners = tuple(float(value) for point in region for value in point)
        return Box(*map(float, polygon_bounds(corners))), corners
    raise InputError(f"TraX: a {region.type} region; a rectangle or a polygon is expected")


class _Session:
    """One process and the conversation with it."""

    def __init__(self, command: list[str], limit: float) -> None:
        self._trax, self._name = library(), command[0]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the process
        self._folder = tempfile.TemporaryDirectory(prefix="rartrack-trax-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # so that what it starts in turn ends with it
            )
        except OSError as error:
            raise InputError(f"TraX program {self._name}: cannot be started: {error.strerror}") from None
        self._end = weakref.finalize(self, _kill, self._process)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pipes = self._process.stdin.fileno(), self._process.stdout.fileno()
        # The library's own "no log" fails with a type error, hence a log that is thrown away.
        connect = lambda: self._trax.client.Client(stream=pipes, log=_ignore)  # noqa: E731
        self._client = self._within(limit, "did not say hello", connect)
        self._send_image = self._pick_format()

    def initialize(self, frame: Image, box: Box, limit: float) -> Reply:
        region = self._trax.Rectangle.create(*box)
        if self._trax.Region.RECTANGLE not in self._client.region_formats:
            x, y, w, h = box
            region = self._trax.Polygon.create([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
        images = self._images(frame)
        return self._ask(limit, "start", lambda: self._client.initialize(images, [(region, {})], {}))

    def frame(self, frame: Image, limit: float) -> Reply:
        images = self._images(frame)
        return self._ask(limit, "frame", lambda: self._client.frame(images, {}, []))

    def close(self) -> None:
        if self._process.poll() is None:
            try:
                self._within(1.0, "did not quit", self._client.quit)
                self._process.wait(timeout=3)
            except (AttributeError, InputError, subprocess.TimeoutExpired):
                pass  # it is ended all the same
        self._end()
        self._folder.cleanup()

    def _ask(self, limit: float, what: str, call: Callable[[], Any]) -> Reply:
        objects, _ = self._within(limit, f"did not answer a {what}", call)
        if not objects:
            raise InputError(f"TraX program {self._name}: answered a {what} without a region")
        region, properties = objects[0]
        box, corners = region_box(region)
        confidence = properties.get("confidence")
        return Reply(box, corners, None if confidence is None else float(confidence))

    def _within(self, limit: float, failure: str, call: Callable[[], Any]) -> Any:
        """Call the library, which blocks; a program that takes too long is killed, which unblocks it."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            _kill(self._process)

        timer = threading.Timer(limit, give_up)
        timer.daemon = True
        timer.start()
        try:
            return call()
        except self._trax.TraxException as error:
            how = f"{failure} within {limit:g} s" if late.is_set() else f"{failure}: {self._reason(str(error))}"
            raise InputError(f"TraX program {self._name}: {how}{self._last_words()}") from None
        finally:
            timer.cancel()

    def _reason(self, message: str) -> str:
        try:
            self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return " ".join(message.split())
        code = self._process.returncode
        said = message.partition("terminated the session: ")[2]
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return f"it ended ({ended}{f', {said}' if said else ''})"

    def _last_words(self) -> str:
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 4000))
        lines = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return f"; it printed last: {lines[-1][:200]}" if lines else ""

    def _pick_format(self) -> Callable[[Image], Any]:
        """The first way of sending images that the program knows: as they are, as PNG, as a PNG file."""
        formats, image = self._client.image_formats, self._trax.Image
        ways = {image.MEMORY: self._as_memory, image.BUFFER: self._as_buffer, image.PATH: self._as_file}
        for name, way in ways.items():
            if name in formats:
                return way
        raise InputError(
            f"TraX program {self._name}: takes images as {', '.join(formats)} only, which is not supported"
        )

    def _images(self, frame: Image) -> dict[str, Any]:
        return {self._trax.ImageChannel.COLOR: self._send_image(frame)}

    def _as_memory(self, frame: Image) -> Any:
        return self._trax.MemoryImage.create(np.ascontiguousarray(frame))

    def _as_buffer(self, frame: Image) -> Any:
        return self._trax.BufferImage.create(_png(frame))

    def _as_file(self, frame: Image) -> Any:
        path = Path(self._folder.name) / "frame.png"
        path.write_bytes(_png(frame))
        return self._trax.FileImage.create(str(path))


def _png(frame: Image) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # Windows
            process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()


def _ignore(text: str) -> None:
    """Throw a piece of the conversation away."""
