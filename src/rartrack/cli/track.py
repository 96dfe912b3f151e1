"""``rartrack track``: follow objects through a video, write an overlay and a table."""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from itertools import islice
from pathlib import Path

from rartrack.boxes import Box, as_boxes, clip
from rartrack.cli.model_options import add_model_options
from rartrack.cli.numbers import positive
from rartrack.cli.pace import Pace
from rartrack.cli.stopping import ENDING, Interrupt, when_asked_to_stop
from rartrack.config import parse_settings
from rartrack.errors import InputError
from rartrack.outputs import check_output
from rartrack.results import Record, Result
from rartrack.trajectories import (
    STDOUT,
    TRAJECTORY_SUFFIXES,
    TrajectoryWriter,
    check_trajectory_output,
    open_trajectory_writer,
)
from rartrack.trajectory_formats import FORMATS
from rartrack.video import VIDEO_SUFFIXES, Frame, FrameSource, VideoWriter, open_source
from rartrack.video.images import Image
from rartrack.video.inputs import files_read

_LONGEST_STEM = 100
"""Bytes of a source's name that outputs are called after: file systems take names of 255."""

_MOSTLY = 0.5
"""Share of a given box inside the frame below which it is asked about."""

_EXAMPLES = """
examples:
  rartrack track video.mp4 --box 120,80,60,40
  rartrack track frames/ --box cup=10,20,30,40 --box spoon=90,20,15,60 --video out.mp4 --results out.csv
  rartrack track 0                      draw the box on the camera's first picture
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.epilog, parser.formatter_class = _EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a video (- is standard input), a folder of images, a camera's number, or a url",
    )
    parser.add_argument(
        "--box",
        action="append",
        metavar="[NAME=]X,Y,W,H",
        help="a target: left, top, width and height in pixels in the first frame; once for each target. "
        "Without it a window opens to draw one",
    )
    add_model_options(parser)
    parser.add_argument("--start", type=int, default=0, metavar="FRAME", help="the frame the boxes are in (default: 0)")
    parser.add_argument("--first", type=positive, metavar="N", help="only the first N frames, from --start on")
    parser.add_argument(
        "--video", type=Path, metavar="OUT.mp4", help="write the video with the targets drawn on it; without sound"
    )
    parser.add_argument(
        "--results", type=Path, metavar="OUT.csv", help="write the boxes: .csv, .json or .txt; - is standard output"
    )
    parser.add_argument("--format", choices=FORMATS, help="format of the results (default: what the ending says)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def run(options: argparse.Namespace) -> int:
    """Check what can be checked, then load the model, then track; the first of Ctrl-C, SIGTERM and SIGHUP ends it."""
    named = _parse_boxes(options.box or [])
    settings = parse_settings(options.set)
    if options.format and options.video and not options.results:
        raise InputError(f"--format {options.format}: no results are asked for; add --results FILE, or leave it out")
    _check_outputs(options, options.video, options.results)
    stop = Interrupt()
    with when_asked_to_stop(stop, ("SIGINT", *ENDING)), ExitStack() as stack:
        frames = stack.enter_context(open_source(options.source, start=options.start))
        video, results = _outputs(options, frames)
        first = next(frames)
        boxes = as_boxes(named, frames.size) or _draw_box(first.image)
        _warn_of_corners(boxes, frames.size)

        from rartrack.tracking.load import load
        from rartrack.tracking.threads import use_threads

        use_threads(options.threads)
        tracker = load(options.model, options.device, settings, options.backend, options.preset)
        tracker.init(first.image, boxes)
        writers = _open(stack, options, frames, list(boxes), video, results)
        pace = stack.enter_context(Pace(_expected(options, frames)))
        stack.callback(stop.hold)  # before all that is open is closed: the video has yet to be finished
        _write(writers, stop, first, tracker.given())
        pace.step(tracker.given())
        for frame in islice(frames, None if options.first is None else options.first - 1):
            found = tracker.update(frame.image)
            _write(writers, stop, frame, found)
            pace.step(found)
    if results != STDOUT:
        print(*filter(None, (video, results)), sep="\n")
    return 0


def _expected(options: argparse.Namespace, frames: FrameSource) -> int | None:
    """Frames there will be, if the source says how many it has; else at most so many, if that was asked for."""
    numbers = [options.first, None if frames.count is None else frames.count - options.start]
    return min((number for number in numbers if number is not None), default=None)


def _parse_boxes(texts: list[str]) -> dict[str, Box]:
    """``[NAME=]X,Y,W,H`` texts to boxes by name; without a name a target is called by its number."""
    given: dict[str, str] = {}
    for number, text in enumerate(texts, start=1):
        name, equals, numbers = text.rpartition("=")
        name = name.strip() if equals else str(number)
        if not name:
            raise InputError(f"--box {text!r}: no name before '='")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(f"--box {text!r}: the name is not UTF-8 text; give it another") from None
        if name in given:
            raise InputError(f"--box {text!r}: a target called {name!r} was given before; names must differ")
        given[name] = numbers
    return as_boxes(given)


def _warn_of_corners(boxes: Mapping[str, Box], size: tuple[int, int]) -> None:
    """Ask about boxes that are mostly outside the frame, and would be inside if they were two corners."""
    for box in boxes.values():
        seen = clip(box, size)[2:].prod() / (box.w * box.h)
        if seen < _MOSTLY and 0 <= box.x < box.w <= size[0] and 0 <= box.y < box.h <= size[1]:
            warnings.warn(
                f"box {','.join(f'{number:g}' for number in box)}: {1 - seen:.0%} of it is outside the frame, which is "
                f"{size[0]}x{size[1]} pixels; if these are corners, write {box.x:g},{box.y:g},{box.w - box.x:g},"
                f"{box.h - box.y:g} (x,y,w,h)",
                stacklevel=2,
            )


def _outputs(options: argparse.Namespace, frames: FrameSource) -> tuple[Path | None, Path | None]:
    """The files to write; without any asked for, a video and a table named after the source, in this folder."""
    if options.video is not None or options.results is not None:
        return options.video, options.results
    stem = _stem(frames.name)
    format = options.format or "csv"
    ending = format if f".{format}" in TRAJECTORY_SUFFIXES else "txt"
    video, results = Path(f"{stem}-tracked.mp4"), Path(f"{stem}-tracked.{ending}")
    _check_outputs(options, video, results)
    return video, results


def _stem(name: str) -> str:
    """What outputs are called after a source; of a url, its last part or its host: the rest may hold a password."""
    if "://" in name:
        address = re.split("[?#]", name.partition("://")[2])[0]
        host, _, path = address.partition("/")
        name = Path(path).stem or host.rpartition("@")[2].partition(":")[0]
    words = re.sub(r"[^\w.-]+", "-", name).strip("-")
    return words.encode()[:_LONGEST_STEM].decode(errors="ignore") or "video"


def _check_outputs(options: argparse.Namespace, video: Path | None, results: Path | None) -> None:
    """Refuse outputs that cannot be written, or that would overwrite the source or each other."""
    inputs = files_read(options.source)
    if video is not None:
        check_output(video, options.overwrite, VIDEO_SUFFIXES, inputs)
    if results is not None:
        check_trajectory_output(results, max(1, len(options.box or [])), options.format, options.overwrite, inputs)
    if video is not None and results is not None and video.resolve() == results.resolve():
        raise InputError(f"--video {video} and --results {results} are one file; give two names")


def _draw_box(image: Image) -> dict[str, Box]:
    from rartrack.video.select import screen_available, select_box

    if not screen_available():
        raise InputError("no box given and no screen to draw one on; pass --box X,Y,W,H")
    box = select_box(image)
    if box is None:
        raise InputError("no box drawn; draw one with the mouse and press Enter, or pass --box X,Y,W,H")
    return {"1": box}


def _open(
    stack: ExitStack,
    options: argparse.Namespace,
    frames: FrameSource,
    names: list[str],
    video: Path | None,
    results: Path | None,
) -> tuple[VideoWriter | None, TrajectoryWriter | None]:
    table = film = None
    if video is not None:  # first, for it may turn out not to be writable, and a table is emptied when it is opened
        film = stack.enter_context(VideoWriter(video, frames.rate, frames.size, options.overwrite, frames.pixel_aspect))
    if results is not None:
        table = stack.enter_context(open_trajectory_writer(results, names, options.format, options.overwrite))
    return film, table


def _write(
    writers: tuple[VideoWriter | None, TrajectoryWriter | None],
    stop: Interrupt,
    frame: Frame,
    results: Mapping[str, Result],
) -> None:
    film, table = writers
    # A pipe's reader may have stopped reading: that must not keep anybody from stopping.
    with stop.held() if table is None or table.seekable else nullcontext():
        if table is not None:
            for name, result in results.items():
                table.write(Record(frame.index, frame.time, name, result))
        if film is not None:
            film.write(frame.image, frame.time, results)
