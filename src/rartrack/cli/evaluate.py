"""``rartrack evaluate``: run trackers over the sequences of a data set and keep their raw results."""

from __future__ import annotations

import argparse
from pathlib import Path

from rartrack.cli.model_options import add_model_options
from rartrack.cli.names import listed
from rartrack.cli.numbers import count, positive, threads
from rartrack.cli.progress import Progress
from rartrack.config import parse_settings
from rartrack.datasets import Dataset, Sequence, load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.executors import PROCESSES
from rartrack.evaluation.opencv import SPELLINGS
from rartrack.evaluation.protocols import PROTOCOLS, VOT
from rartrack.evaluation.run import TIME_LIMIT, Settings, Summary, evaluate
from rartrack.evaluation.trackers import parse_tracker

FAILED = 1
"""Exit status when every run that could be made was made and some failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add("--dataset", required=True, metavar="NAME|DIR", help="a benchmark such as otb2015, or a folder")
    add("--data", metavar="DIR", help="where a named benchmark lies")
    add("--protocol", choices=PROTOCOLS, help="default: vot for VOT's data sets, else ope")
    add(
        "--tracker",
        action="append",
        required=True,
        metavar="[NAME=]SPEC",
        help=f"rar-resnet50, rar-fast@quality, a checkpoint's path, opencv:{'|'.join(SPELLINGS)}, "
        "module:callable, path/to/file.py:callable or trax:COMMAND; NAME is the folder of its results; may be repeated",
    )
    add("--output", required=True, type=Path, metavar="RESULTS_DIR", help="results go to RESULTS_DIR/NAME/SEQUENCE.txt")
    add("--sequences", metavar="A,B", help="these sequences only")
    add("--first", type=positive, metavar="N", help="only the first N frames of each run, for a quick look")
    add("--overwrite", action="store_true", help="redo results that are there")
    add(
        "--workers",
        type=positive,
        metavar="N",
        help="processes at once (default: one per processor; 1 for real-time runs and on a GPU; 1 where times count)",
    )
    add("--threads", type=threads, default=1, metavar="N", help="of each process (default: 1)")
    add("--executor", default=PROCESSES, metavar="WHERE", help="processes (default) or dask://HOST:PORT")
    add_model_options(parser, "--set", "--device", "--backend")
    add("--seed", type=count, default=0, metavar="N", help="of all random numbers (default: 0)")
    add(
        "--time-limit",
        type=float,
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="a tracker that takes longer for one frame is given up on that sequence; inf: never "
        f"(default: {TIME_LIMIT:g})",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command; returns 1 when some runs failed."""
    if not options.time_limit > 0:
        raise InputError(f"--time-limit {options.time_limit:g}: must be above 0")
    overrides = parse_settings(options.set)
    trackers = [
        parse_tracker(text, options.device, overrides, options.time_limit, options.backend) for text in options.tracker
    ]
    wanted = listed("--sequences", options.sequences) or None
    dataset = load_dataset(options.dataset, options.data, wanted)
    protocol = PROTOCOLS[options.protocol or (VOT.name if dataset.protocol == "vot" else "ope")]
    settings = Settings(
        protocol,
        options.first,
        options.seed,
        options.threads,
        options.time_limit,
        origin=dataset.origin,
        benchmark=dataset.name,
    )
    with Progress() as progress:
        summary = evaluate(
            _sequences(dataset),
            trackers,
            options.output,
            settings,
            executor=options.executor,
            workers=options.workers,
            overwrite=options.overwrite,
            observer=progress,
        )
    _report(summary, options.output)
    return FAILED if summary.failed else 0


def _sequences(dataset: Dataset) -> list[Sequence]:
    """All of a data set, or a word on how to take the part that is there."""
    try:
        return dataset.sequences
    except InputError as error:
        raise InputError(f"{error} (--sequences A,B takes those that are there)") from None


def _report(summary: Summary, output: Path) -> None:
    done = "1 run" if len(summary.done) == 1 else f"{len(summary.done)} runs"
    counts = [f"{done} done", f"{len(summary.kept)} there already"]
    if summary.failed:
        counts.append(f"{len(summary.failed)} FAILED")
    print(f"{', '.join(counts)}; results in {output}")
    for job, failure in summary.failed:
        print(f"failed: {job}: {failure.reason}")
