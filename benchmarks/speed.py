"""How fast, and where the time goes: ours by preset and backend beside OpenCV's trackers, in one run.

    python benchmarks/speed.py examples/coffee.mp4 --box 398,206,88,104
    python benchmarks/speed.py examples/coffee.mp4 --box 398,206,88,104 --nano DIR --long

Prints the machine, then four tables: stages of a frame end to end (decoding, tracking one target, drawing, writing
video and table) for every ``--tracker`` in turn, ``--rounds`` times over the same frames, the median round; the
network's time against the speed of a matrix product; the cost of a frame by number of targets and by its size, the
tracker alone; with ``--long``, memory over 10,000 frames or as many as it says. The last three are of the first
tracker that is ours. ``--only stages,network,targets,sizes`` chooses.

``--tracker`` is as of ``rartrack evaluate``, with ``onnx=`` or ``openvino=`` before a model to choose its backend. The
default leaves out backends that are not installed. ``--nano DIR`` adds OpenCV's Nano v2 with the ONNX files of DIR.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from ceiling import against_ceiling
from growth import with_length, with_size, with_targets
from options import build, machine, tracker_parser
from stages import STAGES, end_to_end

from rartrack.boxes import as_box
from rartrack.cli.names import listed
from rartrack.cli.numbers import positive
from rartrack.errors import InputError, one_line
from rartrack.tracking.threads import use_threads
from rartrack.tracking.tracker import Tracker as OurTracker
from rartrack.video import open_source

OURS = ("{}", "{}@fast", "{}@quality", "onnx={}", "openvino={}")
PEERS = ("opencv:csrt", "opencv:kcf")
TABLES = ("stages", "network", "targets", "sizes")


@one_line()
def main() -> None:
    """Print the tables."""
    parser = tracker_parser(__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--box", required=True, metavar="X,Y,W,H")
    parser.add_argument("--model", default="rar-fast", metavar="NAME|PATH")
    parser.add_argument(
        "--tracker", action="append", help="default: the model by preset and backend, OpenCV's CSRT, KCF"
    )
    parser.add_argument("--nano", metavar="DIR", help="OpenCV's Nano v2 too, whose two ONNX files DIR holds")
    parser.add_argument("--frames", type=positive, default=150, help="timed in each round, at most (150)")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--only", default=",".join(TABLES), metavar="A,B")
    parser.add_argument("--long", type=int, nargs="?", const=10_000, default=0, metavar="FRAMES")
    options = parser.parse_args()
    wanted = listed("--only", options.only)
    if unknown := set(wanted) - set(TABLES):
        parser.error(f"--only: {', '.join(sorted(unknown))}; known are {', '.join(TABLES)}")
    use_threads(options.threads)  # before anything is built, which may keep to as many as there are then
    trackers = {}
    for text in options.tracker or _default(options.model, options.nano):
        try:
            trackers[text] = build(text, options)
        except InputError as error:
            if options.tracker:
                raise
            print(f"left out: {text} ({error})")
    if not options.tracker and not any(isinstance(tracker, OurTracker) for tracker in trackers.values()):
        sys.exit(f"--model {options.model}: cannot be had, see above")
    with open_source(options.source) as source:
        size = source.size
        images = [frame.image for frame in itertools.islice(source, min(options.frames, 60) + 1)]
    box = as_box(options.box, size)
    if len(images) < 2:
        sys.exit(f"{options.source}: one frame; at least two are needed")
    print(machine(options))
    shown = f"{options.source.name}, {size[0]}x{size[1]}, {options.frames} frames or all"
    print(f"{shown}, one target, {options.rounds} rounds")

    if "stages" in wanted:
        rounds: dict[str, list[dict[str, float]]] = {text: [] for text in trackers}
        for _ in range(options.rounds):
            for text, tracker in trackers.items():
                rounds[text].append(end_to_end(tracker, options.source, options.box, options.frames))
        print_stages(rounds)
    if "network" in wanted:
        against_ceiling(trackers)
    tracker = next((tracker for tracker in trackers.values() if isinstance(tracker, OurTracker)), None)
    if tracker is None:
        return
    if "targets" in wanted:
        with_targets(tracker, images, box)
    if "sizes" in wanted:
        with_size(tracker, images, box)
    if options.long:
        with_length(tracker, images, box, options.long)


def print_stages(rounds: dict[str, list[dict[str, float]]]) -> None:
    """A line for each tracker: the round in the middle, in ms a frame; spread is slowest over fastest round."""
    width = max(map(len, rounds))
    columns = "".join(f"{stage:>9s}" for stage in (*STAGES, "frame"))
    print(f"\n{'ms a frame':{width}s}{columns}{'frames/s':>10s}{'spread':>8s}{'not network':>13s}")
    for text, found in rounds.items():
        found.sort(key=lambda one: one["frame"])
        middle = found[len(found) // 2]
        values = "".join(f"{middle[stage] * 1e3:9.2f}" for stage in (*STAGES, "frame"))
        network = middle["network"] / middle["frame"]
        share = f"{1 - network:13.0%}" if network else f"{'':13s}"
        spread = found[-1]["frame"] / found[0]["frame"]
        print(f"{text:{width}s}{values}{1 / middle['frame']:10.1f}{spread:8.2f}{share}", flush=True)


def _default(model: str, nano: str | None) -> list[str]:
    return [*(text.format(model) for text in OURS), *PEERS, *([f"opencv:nano-v2:{nano}"] if nano else [])]


if __name__ == "__main__":
    main()
