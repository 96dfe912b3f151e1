"""Accuracy against time of a model under named settings, on the held-out videos, in one run.

    python scripts/speed_table.py DIR/train --model rar-fast --output speed
    python scripts/speed_table.py DIR/train --model rar-fast --output speed --only float32,balanced,fast \\
        --setting "update 4=tracking.update_interval=4,filter.learning_rate=0.04"

Every setting tracks the first ``--first`` frames after the first visible one of each sequence held out from training
(``rartrack.training.split``; test sequences are refused); on each sequence the settings take turns, so that what else
the machine does meets all alike. Overlap is the mean over sequences of the mean overlap with the annotation; time is
that of the tracker alone (crops, network, filter), the mean of all frames, and the slowest twentieth. ``from`` and
``to`` bound the difference in overlap from the first setting, by bootstrap over sequences.

``--output`` gets ``speed.csv``, ``speed.md`` and ``speed.svg``, ``speed.png``. A setting names changes to the model's
own; ``backend``, ``preset`` and another ``model``, such as an exported file, are among them.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from videos import followed, held_out

from rartrack.cli.names import listed
from rartrack.config import PRESETS, parse_settings
from rartrack.datasets.sequence import Sequence as Video
from rartrack.errors import InputError, one_line
from rartrack.evaluation.statistics import bootstrap, compare
from rartrack.report.drawing import COLOURS, INK, MUTED, new_figure, save, styled
from rartrack.tracking.load import load
from rartrack.tracking.threads import use_threads
from rartrack.tracking.tracker import Tracker

SETTINGS: dict[str, dict[str, Any]] = {
    "float32": {"tracking.precision": "float32"},
    **PRESETS,
    "three scales": {"tracking.scale_search": "pyramid", "tracking.alternate_scales": False},
    "scales in turn": {"tracking.scale_search": "pyramid", "tracking.alternate_scales": True},
    "no scales": {"tracking.scale_search": "pyramid", "tracking.scales": 1},
    "update 1": {"tracking.update_interval": 1},
    "update 2": {"tracking.update_interval": 2},
    "update 3": {"tracking.update_interval": 3},
    "update 5": {"tracking.update_interval": 5},
    "update 10": {"tracking.update_interval": 10},
    "update 20": {"tracking.update_interval": 20},
    "delayed": {"tracking.delayed_update": True},
    "update 1 delayed": {"tracking.update_interval": 1, "tracking.delayed_update": True},
    "no contexts": {"filter.contexts": 0},
    "contexts": {"filter.contexts": 4},
    "contexts shared": {"filter.contexts": 4, "tracking.shared_context": True},
    "onnx": {"backend": "onnx"},
    "openvino": {"backend": "openvino"},
}
"""Name -> changes; ``balanced`` is the model as it is. The first that is asked for is what the others are held to."""

_ARGUMENTS = ("model", "backend", "preset")
"""What a setting may name besides settings: arguments of ``load``."""

_LETTER = (0.0105, 0.036)
"""Width and height of a letter of a point's name, in shares of the axes."""
_GAP = 0.01
"""Between a point and its name."""
_SPREAD = np.array([1.3, 1.24])
"""What the axes are longer than the points are apart."""

COLUMNS = ("setting", "overlap", "low", "high", "difference", "from", "to", "ms", "slow ms", "frames/s")


@one_line()
def main() -> None:
    """Track, time, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="folder of the training videos; the held-out ones are taken")
    parser.add_argument("--model", default="rar-fast", metavar="NAME|PATH")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--first", type=int, default=150, metavar="N", help="frames of each sequence")
    parser.add_argument("--only", metavar="A,B", help=f"of {', '.join(SETTINGS)}")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=KEY=VALUE,...", help="one more")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--title", help="of the plot (default: the model's name)")
    options = parser.parse_args()
    use_threads(options.threads)
    videos, trackers = held_out(options.videos), _trackers(options)
    rows = measured(videos, trackers, options.first)
    options.output.mkdir(parents=True, exist_ok=True)
    write(rows, options.output)
    title = options.title or f"{Path(options.model).stem}, {len(videos)} held-out videos"
    drawn = accuracy_against_time(rows, title)
    save(drawn, options.output, "speed")
    print((options.output / "speed.md").read_text(encoding="utf-8"))
    print(f"{len(videos)} videos, {torch.get_num_threads()} threads, torch {torch.__version__}")


def _trackers(options: argparse.Namespace) -> dict[str, Tracker]:
    """A tracker for each setting; one the model or the machine cannot have is left out, and that is said."""
    names = listed("--only", options.only) or list(SETTINGS)
    if unknown := [name for name in names if name not in SETTINGS]:
        raise InputError(f"--only: unknown {', '.join(unknown)}; known are {', '.join(SETTINGS)}")
    chosen = {name: SETTINGS[name] for name in names}
    for text in options.setting:
        name, _, changes = text.partition("=")
        chosen[name] = parse_settings(changes.split(","))
    trackers = {}
    for name, changes in chosen.items():
        arguments = {"model": options.model, **{key: changes[key] for key in _ARGUMENTS if key in changes}}
        settings = {key: value for key, value in changes.items() if key not in _ARGUMENTS}
        try:
            trackers[name] = load(**arguments, settings=settings)
        except InputError as error:
            print(f"left out: {name} ({error})", file=sys.stderr)
    if not trackers:
        raise InputError(f"{options.model}: no setting of it can be measured here")
    return trackers


def measured(videos: Sequence[Video], trackers: Mapping[str, Tracker], first: int) -> list[dict[str, Any]]:
    """A row of ``COLUMNS`` for each tracker."""
    overlaps: dict[str, list[float]] = {name: [] for name in trackers}
    seconds: dict[str, list[float]] = {name: [] for name in trackers}
    for number, video in enumerate(videos, start=1):
        print(f"{number}/{len(videos)} {video.name}", file=sys.stderr, flush=True)
        for name, tracker in trackers.items():
            start = int(np.flatnonzero(video.visible)[0])
            run = followed(tracker, video, start, first)
            overlaps[name].append(float(run.seen.mean()) if len(run.seen) else float("nan"))
            seconds[name] += run.seconds.tolist()
    reference, rows = next(iter(overlaps.values())), []
    for name, values in overlaps.items():
        interval, against, times = bootstrap(values), compare(values, reference), np.array(seconds[name]) * 1e3
        slow = float(np.sort(times)[-max(1, len(times) // 20) :].mean())
        bounds = (float(np.mean(values)), interval.low, interval.high)
        difference = (against.difference, against.interval.low, against.interval.high)
        row = (name, *bounds, *difference, float(times.mean()), slow, 1e3 / float(times.mean()))
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def write(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """``speed.csv`` in full precision, and ``speed.md`` for reading."""
    with (folder / "speed.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in rows:
        cells = [row[key] if key == "setting" else f"{row[key]:.{1 if _is_time(key) else 3}f}" for key in COLUMNS]
        lines.append(f"| {' | '.join(cells)} |")
    (folder / "speed.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _is_time(column: str) -> bool:
    return column in ("ms", "slow ms", "frames/s")


def corners(rows: Sequence[Mapping[str, Any]], front: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """On which side of each point its name stands, across and up: the first that meets no point and no other name."""
    points = np.array([(row["ms"], row["overlap"]) for row in rows])
    points = points / np.maximum(np.ptp(points, axis=0), 1e-9) / _SPREAD
    names: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    found = []
    for row, point in zip(rows, points, strict=True):
        first = -1 if row in front else 1  # the line through it rises
        sides = [(1, first), (1, -first), (-1, first), (-1, -first)]
        size = np.array([len(row["setting"]), 1]) * _LETTER
        middles = [point + np.array(side) * (size / 2 + _GAP) for side in sides]
        free = [
            all((np.abs(middle - other) > size / 2 + _GAP / 2).any() for other in points)
            and all((np.abs(middle - other) > (size + its) / 2).any() for other, its in names)
            for middle in middles
        ]
        best = free.index(True) if any(free) else 0
        names.append((middles[best], size))
        found.append(sides[best])
    return found


@styled
def accuracy_against_time(rows: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Overlap against ms a frame; the line joins those that none beats in both."""
    figure, axes = new_figure(1, 1, width=7.0, height=4.6)
    axis = axes[0][0]
    ranked = sorted(rows, key=lambda row: (row["ms"], -row["overlap"]))
    best = np.maximum.accumulate([0.0, *(row["overlap"] for row in ranked)])
    front = [row for row, before in zip(ranked, best, strict=False) if row["overlap"] > before]
    axis.plot([row["ms"] for row in front], [row["overlap"] for row in front], color=MUTED, linewidth=1.2, zorder=1)
    axis.margins(x=0.15, y=0.12)
    for row, (across, up) in zip(rows, corners(rows, front), strict=True):
        colour = COLOURS[1] if row["setting"] in PRESETS else COLOURS[0]
        place = (row["ms"], row["overlap"])
        axis.plot(*place, "o", color=colour, markersize=7, zorder=2)
        sides: dict[str, Any] = {"ha": "left" if across > 0 else "right", "va": "bottom" if up > 0 else "top"}
        offset = (5 * across, 4 * up)
        axis.annotate(row["setting"], place, offset, textcoords="offset points", fontsize=7.5, color=INK, **sides)
    axis.set(xlabel="ms a frame (mean, the tracker alone)", ylabel="mean overlap", title=title)
    return figure


if __name__ == "__main__":
    main()
