"""Do the backends give torch's boxes? The largest differences over a data set, from torch in float32.

    python benchmarks/agreement.py --dataset DIR --sequences A,B --first 100 --backend onnx --backend openvino:bfloat16

A backend is ``onnx``, ``openvino``, ``openvino:bfloat16``, ``torch:bfloat16``, or ``onnx:FILE`` with an exported file.
Each is compared twice. ``step``: in every frame it starts from the state that torch's tracker has, so a difference is
its own; ``99 %`` of the steps differ by no more than that: the few that do took another window, or another scale.
``run``: it goes on from its own boxes, so differences pile up. Differences are the largest of x, y, w and h, in pixels.
``overlap`` is with the truth, the mean over the sequences. The first line is torch's own, the
second torch again with its first box moved by a millionth of a pixel: what a ``run`` makes of no difference at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rartrack.boxes import iou
from rartrack.cli.names import listed
from rartrack.datasets import load_dataset
from rartrack.datasets.sequence import Sequence
from rartrack.errors import one_line
from rartrack.tracking.load import is_exported, load
from rartrack.tracking.threads import use_threads
from rartrack.tracking.tracker import Tracker

TORCH, MOVED = "torch:float32", "torch, moved by 1e-6"


@dataclass
class Compared:
    """One backend beside torch in one sequence: differences of steps and of the run in pixels, overlaps; (T,) each."""

    step: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)
    overlap: list[float] = field(default_factory=list)


@one_line()
def main() -> None:
    """Print a line for each backend and sequence, then one for each backend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--sequences", help="A,B: these only")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N frames of each")
    parser.add_argument("--model", default="rar-fast")
    parser.add_argument("--backend", action="append", help="see above (default: onnx, openvino)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    agree(options)


def agree(options: argparse.Namespace) -> None:
    """Track with every backend, print the table."""
    use_threads(options.threads)
    dataset = load_dataset(options.dataset, None, listed("--sequences", options.sequences) or None)
    names = options.backend or ["onnx", "openvino"]
    reference = opened(TORCH, options.model)
    others = {name: opened(TORCH if name == MOVED else name, options.model) for name in [MOVED, *names]}
    print(f"{options.model}, torch {torch.__version__}, {dataset.name}: {len(dataset)} sequences")
    print(f"{'sequence':22s}{'backend':26s}{'step':>8s}{'99 %':>9s}{'run':>8s}{'overlap':>9s}")
    found: dict[str, list[Compared]] = {name: [] for name in [TORCH, *others]}
    for sequence in dataset:
        for name, compared in compare(reference, others, sequence, options.first).items():
            found[name].append(compared)
            print(line(sequence.name, name, [compared]), flush=True)
    for name, each in found.items():
        print(line("all", name, each))


def opened(name: str, model: str) -> Tracker:
    """The tracker that a backend's name stands for."""
    backend, _, rest = name.partition(":")
    if rest and is_exported(rest):
        return load(rest, "cpu", {"tracking.precision": "float32"}, backend)
    return load(model, "cpu", {"tracking.precision": rest or "float32"}, backend)


def compare(
    reference: Tracker, others: dict[str, Tracker], sequence: Sequence, first: int | None
) -> dict[str, Compared]:
    """Track one sequence with torch and with each other backend, twice."""
    found = {name: Compared() for name in [TORCH, *others]}
    own: dict[str, Any] = {}
    for number, (frame, truth) in enumerate(frames(sequence, first)):
        if number == 0:
            for name, tracker in {TORCH: reference, **others}.items():
                tracker.init(frame, (truth[0] + 1e-6 * (name == MOVED), *truth[1:]))
                own[name] = tracker.state
            continue
        before = reference.state
        expected = np.array(reference.update(frame).box)
        found[TORCH].overlap.append(float(iou(expected, truth)))
        for name, tracker in others.items():
            compared = found[name]
            tracker.state = before
            stepped = np.array(tracker.update(frame).box)
            compared.step.append(float(np.abs(stepped - expected).max()))
            tracker.state = own[name]
            ran = np.array(tracker.update(frame).box)
            own[name] = tracker.state
            compared.run.append(float(np.abs(ran - expected).max()))
            compared.overlap.append(float(iou(ran, truth)))
    return found


def frames(sequence: Sequence, first: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames and true boxes."""
    return islice(zip(sequence.frames, sequence.boxes, strict=False), first)


def line(sequence: str, backend: str, compared: list[Compared]) -> str:
    """One line of the table, over one sequence or several."""
    overlap = np.mean([np.nanmean(each.overlap) for each in compared])
    if not compared[0].step:
        return f"{sequence:22s}{backend:26s}{'':25s}{overlap:9.4f}"
    step, run = (np.concatenate([getattr(each, part) for each in compared]) for part in ("step", "run"))
    kind, _, rest = backend.partition(":")
    shown = f"{kind}:{Path(rest).name}" if rest else backend
    return f"{sequence:22s}{shown:26s}{step.max():8.3f}{np.quantile(step, 0.99):9.4f}{run.max():8.2f}{overlap:9.4f}"


if __name__ == "__main__":
    main()
