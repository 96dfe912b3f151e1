"""``rartrack data check DIR`` and ``rartrack data preview CONFIG``: look through data before hours are spent on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from rartrack.cli.names import listed
from rartrack.cli.numbers import count, positive
from rartrack.datasets import load_dataset
from rartrack.datasets.check import check, without_frames
from rartrack.datasets.dataset import Dataset
from rartrack.outputs import check_output

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
    summary = "draw the clips that a training config gives: crops, contexts, labels"
    looking = actions.add_parser("preview", help=summary, description=summary)
    looking.add_argument("config", metavar="CONFIG", help="a YAML file such as configs/fast.yaml")
    looking.add_argument(
        "changes", metavar="KEY=VALUE", nargs="*", default=[], help="settings changed, such as data.exemplars=3"
    )
    looking.add_argument("--output", default="preview.html", metavar="FILE", help=".html or .png (preview.html)")
    looking.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    looking.add_argument("--clips", type=positive, default=20, metavar="N", help="how many (20)")
    looking.add_argument("--first", type=count, default=0, metavar="I", help="number of the first clip (0)")
    looking.add_argument("--validation", action="store_true", help="clips of the held-out sequences")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns 2 when a problem is found."""
    if options.action == "preview":
        return _preview(options)
    wanted = listed("--sequences", options.sequences) or None
    return _check(load_dataset(options.dataset, options.data, wanted), options.deep)


def _preview(options: argparse.Namespace) -> int:
    """Torch is loaded for this action alone."""
    from rartrack.config import parse_settings
    from rartrack.config_files import load_yaml
    from rartrack.training.config import TrainingConfig
    from rartrack.training.dataset import ClipDataset
    from rartrack.training.preview import write_preview

    check_output(options.output, options.overwrite, (".html", ".png"))
    config = load_yaml(TrainingConfig, options.config, parse_settings(options.changes))
    dataset = ClipDataset(config, "validation" if options.validation else "train")
    clips = [dataset[index] for index in range(options.first, options.first + options.clips)]
    write_preview(Path(options.output), clips, config)
    for name, why in dataset.left_out.items():
        print(f"left out: {name}: {why}")
    for clip in clips:
        for why in clip.skipped:
            print(f"skipped: {why}")
    print(f"{options.output}: {_count(len(clips), 'clip')}")
    return 0


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
    enough = frames and not problems and not any(each.has_frames for each in checked)
    held = "; no frames, which is enough to score results" if enough else ""
    print(f"{_count(frames, 'annotated frame')}{held}; {_count(problems, 'problem')}")
    return FOUND_PROBLEMS if problems else 0


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
