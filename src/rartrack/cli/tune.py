"""``rartrack tune MODEL``: choose tracking settings on validation videos by a seeded search."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rartrack.cli.model_options import add_model_options
from rartrack.cli.names import listed
from rartrack.cli.numbers import count, positive, threads
from rartrack.cli.progress import Progress
from rartrack.datasets import Dataset, load_dataset
from rartrack.errors import InputError, nearest
from rartrack.outputs import check_output
from rartrack.training.split import HELD_OUT, is_copy, is_test, matches, refuse_tests
from rartrack.tuning.choice import Limits, choose
from rartrack.tuning.space import parse_space

_MEND = "give other sequences, or --allow-test, which is recorded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a built-in model or a checkpoint")
    add("--data", required=True, metavar="DIR", help="a folder of sequences with frames, or a data set's name")
    add(
        "--sequences",
        metavar="A,B",
        help="sequences tracked, as names or patterns such as 'uav_*' (default: those held out from training)",
    )
    add(
        "--space",
        nargs="+",
        action="extend",
        required=True,
        metavar="KEY=LOW:HIGH[:log]",
        help="a setting and its range, or its values KEY=A,B,C, or a YAML file of such lines "
        "(configs/spaces/); several may be given",
    )
    add("--trials", type=positive, default=32, metavar="N", help="settings tried besides the current (default: 32)")
    add("--first", type=positive, metavar="N", help="only the first N frames of each sequence (default: all)")
    add("--seed", type=count, default=0, metavar="N", help="of the settings drawn (default: 0)")
    add("--output", required=True, type=Path, metavar="DIR", help="for tables, raw results and best.yaml")
    add("--save", type=Path, metavar="FILE", help="also write the model with the best settings: .safetensors or .xz")
    add("--overwrite", action="store_true", help="replace the file of --save")
    add("--max-ms", type=float, metavar="MS", help="choose none that takes longer for a frame, on average")
    add("--slower", type=float, metavar="RATIO", help="choose none that takes longer than RATIO times the current ones")
    add(
        "--halvings",
        type=count,
        default=0,
        metavar="N",
        help="give up the worse half of the trials N times on the way, each time on twice the sequences (default: 0)",
    )
    add("--workers", type=positive, default=1, metavar="N", help="processes at once (default: 1; more spoil the times)")
    add("--threads", type=threads, default=1, metavar="N", help="of each process (default: 1)")
    add_model_options(parser, "--device", "--backend")
    add("--allow-test", action="store_true", help="tune on a benchmark's test sequences, which is recorded")


def run(options: argparse.Namespace) -> None:
    """Run the command; stopped at any moment, the same command goes on."""
    from rartrack import checkpoints
    from rartrack.tracking.load import is_exported
    from rartrack.tuning.search import Search, search
    from rartrack.tuning.summary import BEST, TRIALS, changes, save_checkpoint, sentences, write_best, write_trials

    limits = _limits(options)
    space = parse_space(options.space)
    if options.save is not None:
        check_output(options.save, options.overwrite, {".safetensors", ".xz"})
    model = str(Path(options.model).resolve()) if Path(options.model).is_file() else options.model
    if is_exported(model):
        raise InputError(f"{model}: an exported network; give the checkpoint it was made from, and --backend")
    before = checkpoints.load(model)
    whole = load_dataset(options.data)
    _refuse_tests(whole, options)
    dataset = _chosen(whole, options.sequences)
    _refuse_tests(dataset, options)
    _refuse_copies(dataset, options)
    wanted = Search(
        model,
        before,
        space,
        dataset.sequences,
        options.trials,
        options.first,
        options.seed,
        options.halvings,
        limits,
        options.device,
        options.backend,
        options.threads,
        test=is_test(whole) or is_test(dataset) or any(is_copy(name) for name in dataset.names),
    )
    _say_what_is_odd(wanted.names)
    with Progress() as progress:
        found = search(wanted, options.output, options.workers, progress)
    try:
        choice = choose(found, len(wanted.videos), limits, wanted.untouched)
    except InputError:  # what was tracked is kept all the same
        write_trials(options.output / TRIALS, found, None, len(wanted.videos), limits)
        raise
    said = sentences(choice, wanted)
    write_trials(options.output / TRIALS, found, choice.best, len(wanted.videos), limits)
    write_best(options.output / BEST, choice, [f"{options.model}, chosen by rartrack tune", *said])
    for line in [*said, *changes(choice)]:
        print(line)
    print(f"settings: {options.output / BEST}; trials: {options.output / TRIALS}")
    if options.save is not None and choice.comparison is not None:
        save_checkpoint(options.save, choice, wanted)
        print(f"model: {options.save}")
    elif options.save is not None:
        print(f"{options.save}: not written, as nothing changed")


def _limits(options: argparse.Namespace) -> Limits:
    for name, value in (("--max-ms", options.max_ms), ("--slower", options.slower)):
        if value is not None and not value > 0:
            raise InputError(f"{name} {value:g}: must be above 0")
    return Limits(options.max_ms, options.slower)


def _chosen(dataset: Dataset, patterns: str | None) -> Dataset:
    """The data set with the sequences wanted alone.

    Raises:
        InputError: a pattern fits none, or none is named, or, without patterns, no sequence is on the list of those
            held out.
    """
    given = listed("--sequences", patterns)
    for pattern in given:
        if not any(matches(name, [pattern]) for name in dataset.names):
            known = nearest(pattern, dataset.names)
            raise InputError(f"--sequences: no sequence of {dataset.root} fits {pattern!r}{known}")
    wanted = given or HELD_OUT
    chosen = replace(dataset, entries=tuple(entry for entry in dataset.entries if matches(entry.name, wanted)))
    if not chosen.entries:
        raise InputError(f"{dataset.root}: none of the sequences held out from training is there; give --sequences")
    return chosen


def _refuse_tests(dataset: Dataset, options: argparse.Namespace) -> None:
    if not options.allow_test:
        refuse_tests(dataset, "tuning", _MEND)


def _refuse_copies(dataset: Dataset, options: argparse.Namespace) -> None:
    copies = [name for name in dataset.names if is_copy(name)]
    if copies and not options.allow_test:
        raise InputError(f"{', '.join(copies)}: test sequences of OTB or VOT under other names; {_MEND}")


def _say_what_is_odd(names: Sequence[str]) -> None:
    trained = [name for name in names if not matches(name, HELD_OUT)]
    if trained:
        warnings.warn(
            f"{len(trained)} of {len(names)} sequences are not on the list held out from training (such as "
            f"{trained[0]}); if the model was trained on them, settings chosen there flatter it",
            stacklevel=2,
        )
