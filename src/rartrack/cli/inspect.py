"""``rartrack inspect``: what the network looks at, as pictures and one page."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from rartrack.boxes import as_box
from rartrack.cli.model_options import add_model_options
from rartrack.errors import InputError
from rartrack.outputs import check_output, output_folder
from rartrack.report.inspection import PAGE, write_inspection
from rartrack.video import open_source
from rartrack.video.decode import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("source", metavar="SOURCE", help="a video, a folder of images, a camera's number, or a url")
    parser.add_argument(
        "--box", required=True, action="append", metavar="X,Y,W,H", help="the one target, in the first frame"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="for the pictures and index.html")
    parser.add_argument("--model", default="rar-fast", metavar="NAME|PATH", help="a built-in model or a checkpoint")
    add_model_options(parser, "--device")
    parser.add_argument("--start", type=int, default=0, metavar="FRAME", help="the frame the box is in (default: 0)")
    parser.add_argument(
        "--frames",
        default="1,5,20",
        metavar="A,B",
        help="frames shown, counted from the start (default: 1,5,20)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the page and pictures that are there")


def run(options: argparse.Namespace) -> None:
    """Track as far as the last frame shown, and write what was seen."""
    wanted = parse_frames(options.frames)
    if len(options.box) > 1:
        raise InputError(f"--box: given {len(options.box)} times, but one target is shown; run once for each")
    source = shown(options.source)
    box, title = as_box(options.box[0]), f"{source}, {options.model}"

    from rartrack.tracking.load import is_exported, load
    from rartrack.tracking.maps import FrameMaps, update_with_maps

    if is_exported(options.model):
        raise InputError(f"{options.model}: an exported network shows no maps; give the checkpoint it was made from")

    if options.output.is_dir() and Path(options.source).is_dir() and options.output.samefile(options.source):
        raise InputError(f"--output {options.output}: the source itself, whose frames pictures would be; give another")
    seen: list[FrameMaps] = []
    with open_source(options.source, start=options.start) as frames, output_folder(options.output):
        first = next(frames)
        box = as_box(options.box[0], frames.size)
        check_output(options.output / PAGE, options.overwrite)
        tracker = load(options.model, options.device)
        tracker.init(first.image, tuple(box))
        try:
            for number, frame in enumerate(frames, start=1):
                if number in wanted:
                    seen.append(update_with_maps(tracker, frame.image, options.start + number))
                else:
                    tracker.update(frame.image)
                if number == max(wanted):
                    break
        except (KeyboardInterrupt, InputError):
            if seen:
                write_inspection(seen, options.output, title)
            raise
        if not seen:
            raise InputError(f"--frames {options.frames}: {source} ends before the first of them")
    lacking = sorted(wanted - {maps.frame - options.start for maps in seen})
    if lacking:
        listed = ",".join(map(str, lacking))
        warnings.warn(f"--frames {listed}: not shown, as {source} ends before", stacklevel=2)
    print(write_inspection(seen, options.output, title))


def parse_frames(text: str) -> set[int]:
    """``"1,5,20"`` to numbers from 1.

    Raises:
        InputError: something else.
    """
    try:
        numbers = {int(part) for part in text.split(",")}
    except ValueError:
        numbers = set()
    if not numbers or min(numbers) < 1:
        raise InputError(f"--frames {text!r}: expected numbers from 1, such as 1,5,20")
    return numbers
