"""``rartrack data check DIR``: look through a data set before hours are spent on it."""

from __future__ import annotations

import argparse

from rartrack.datasets import load_dataset
from rartrack.datasets.check import check, without_frames
from rartrack.datasets.dataset import Dataset

FOUND_PROBLEMS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    summary = "report what is missing, misnamed, short or unreadable, sequence by sequence"
    checking = actions.add_parser("check", help=summary, description=summary)
    checking.add_argument("dataset", metavar="DIR", help="a folder, or a benchmark's name such as otb2015")
    checking.add_argument("--data", metavar="DIR", help="where a named benchmark lies, or the folder that holds it")
    checking.add_argument("--sequences", metavar="A,B", help="look at these sequences only")
    checking.add_argument("--deep", action="store_true", help="decode every frame, not only the first and the last")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns 2 when a problem is found."""
    wanted = options.sequences.split(",") if options.sequences else None
    return _check(load_dataset(options.dataset, options.data, wanted), options.deep)


def _check(dataset: Dataset, deep: bool) -> int:
    print(f"{dataset.name}: {_count(len(dataset), 'sequence')}, layout {dataset.layout}, in {dataset.root}", flush=True)
    checked = []
    for each in check(dataset, deep):
        checked.append(each)
        for finding in each.findings:
            print(f"{finding.sequence}: {finding.problem}", flush=True)
    missing = without_frames(checked)
    for finding in missing:
        print(f"{finding.sequence}: {finding.problem}")
    problems = sum(len(each.findings) for each in checked) + len(missing)
    frames = sum(each.frames for each in checked)
    held = "" if any(each.has_frames for each in checked) else "; no frames, which is enough to score results"
    print(f"{_count(frames, 'annotated frame')}{held}; {_count(problems, 'problem')}")
    return FOUND_PROBLEMS if problems else 0


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
