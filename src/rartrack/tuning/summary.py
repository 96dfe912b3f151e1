"""What a search found: a table of all trials, the settings chosen, a checkpoint with them, a few sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from rartrack import checkpoints
from rartrack.config import override
from rartrack.evaluation.statistics import bootstrap
from rartrack.outputs import replace_file
from rartrack.tuning.choice import Choice, Limits, Standing, unbeaten
from rartrack.tuning.runs import write_table
from rartrack.tuning.search import Search

TRIALS, BEST = "trials.csv", "best.yaml"
_SLOWER = 1.05
"""Ratio of times from which on the sentences say that overlap was bought with time."""


def write_trials(path: Path, found: Sequence[Standing], best: Standing | None, count: int, limits: Limits) -> None:
    """Write the table of trials, the start first: settings, overlap, time, difference from the start, standing.

    ``unbeaten`` marks the trials to which no other is better in overlap or time without being worse in the other.

    Raises:
        InputError: the disk refuses.
    """
    start = found[0]
    keys = tuple(start.settings)
    best_for_time = unbeaten([each for each in found if not each.failure and each.sequences == count])
    rows: list[list[Any]] = []
    for each in found:
        row: list[Any] = [each.number, *each.settings.values(), each.sequences]
        if each.failure:
            rows.append([*row, *[""] * 7, f"failed: {each.failure}"])
            continue
        row += [f"{each.overlap:.6f}", f"{each.ms:.3f}", f"{each.ratio:.3f}"]
        if each.sequences < count:
            rows.append([*row, *[""] * 4, "given up"])
            continue
        differences = each.overlaps - start.overlaps
        interval = bootstrap(differences)
        row += [f"{value:.6f}" for value in (differences.mean(), interval.low, interval.high)]
        rows.append([*row, "yes" if each.number in best_for_time else "", _standing(each, start, best, limits)])
    columns = ("sequences", "overlap", "ms", "ratio", "difference", "low", "high", "unbeaten", "standing")
    write_table(path, ("trial", *keys, *columns), rows)


def write_best(path: Path, choice: Choice, sentences: Sequence[str]) -> None:
    """Write the settings chosen as YAML in the layout of a model's settings, what is known of them as comments.

    Raises:
        InputError: the disk refuses.
    """
    nested: dict[str, dict[str, Any]] = {}
    for key, value in choice.best.settings.items():
        part, _, name = key.partition(".")
        nested.setdefault(part, {})[name] = value
    comments = "".join(f"# {line}\n" for sentence in sentences for line in sentence.splitlines())
    replace_file(path, (comments + yaml.safe_dump(nested, sort_keys=False)).encode())


def save_checkpoint(path: Path, choice: Choice, wanted: Search) -> None:
    """Write the model with the settings chosen; how they were chosen goes into its provenance.

    Raises:
        InputError: the disk refuses.
    """
    before = wanted.before
    config = override(before.config, choice.best.settings)
    tuned = {
        "settings": dict(choice.best.settings),
        "sequences": wanted.names,
        "frames": wanted.frames,
        "trials": wanted.trials,
        "seed": wanted.seed,
        "overlap": [choice.start.overlap, choice.best.overlap],
        "interval": None if choice.comparison is None else asdict(choice.comparison.interval),
        "judged": asdict(choice.judged),
        "distinguishable": choice.distinguishable,
        "test_sequences": wanted.test,
    }
    provenance = {**before.provenance, "tuned": [*before.provenance.get("tuned", []), tuned]}
    checkpoints.save(path, replace(before, config=config, provenance=provenance))


def sentences(choice: Choice, wanted: Search) -> list[str]:
    """What is to be said of a search: figures, then whether they mean anything, then what they cost."""
    best, start, count = choice.best, choice.start, len(wanted.videos)
    frames = "all frames" if wanted.frames is None else f"the first {wanted.frames} frames"
    said = [
        f"{_number(choice.candidates, 'setting')} beside the current, {frames} of {_number(count, 'sequence')}",
        f"current settings: overlap {start.overlap:.4f}, {start.ms:.2f} ms a frame",
    ]
    if choice.comparison is None:
        said.append("NO BETTER settings found: the current ones are the best")
    else:
        said += _gain(choice)
        if wanted.untouched is not None:
            low, high = choice.judged.low, choice.judged.high
            said.append(
                f"of it on the {_number(len(wanted.untouched), 'sequence')} by which no trial was given up, "
                f"and which alone judge: 95 % interval {low:+.4f} to {high:+.4f}"
            )
        said.append(_verdict(choice))
        if best.ratio > _SLOWER:
            said.append(f"it takes {best.ratio:.2f} times as long; --slower 1 looks for overlap that costs no time")
    if wanted.test:
        said.append("CHOSEN ON TEST SEQUENCES: no figure on them is comparable to anybody's")
    return said


def changes(choice: Choice) -> list[str]:
    """The settings that the choice changes, a line each."""
    before: Mapping[str, Any] = choice.start.settings
    return [f"{key}: {before[key]} -> {value}" for key, value in choice.best.settings.items() if value != before[key]]


def _gain(choice: Choice) -> list[str]:
    best, comparison = choice.best, choice.comparison
    assert comparison is not None
    low, high = comparison.interval.low, comparison.interval.high
    lines = [
        f"trial {best.number}: overlap {best.overlap:.4f}, {best.ms:.2f} ms a frame ({best.ratio:.2f} times)",
        f"difference {comparison.difference:+.4f}, 95 % interval {low:+.4f} to {high:+.4f} over sequences; "
        f"better on {comparison.wins}, worse on {comparison.losses}",
    ]
    if not math.isnan(choice.elsewhere):
        low, high = choice.elsewhere_interval.low, choice.elsewhere_interval.high
        lines.append(
            f"to be expected on other sequences (each judged by a choice made without it): {choice.elsewhere:+.4f}, "
            f"95 % interval {low:+.4f} to {high:+.4f}"
        )
    return lines


def _verdict(choice: Choice) -> str:
    chance = f"p = {choice.chance:.2g}, the best of {choice.candidates} counted in"
    if choice.worse:
        return "WORSE than the current settings, which the time limit rules out"
    if choice.distinguishable:
        return f"the difference is distinguishable from zero ({chance})"
    return f"NOT DISTINGUISHABLE FROM ZERO ({chance}): other videos may as well be tracked worse"


def _standing(each: Standing, start: Standing, best: Standing | None, limits: Limits) -> str:
    words = [
        "current" if each is start else "",
        "best" if each is best else "",
        "" if limits.allow(each) else "too slow",
    ]
    return ", ".join(word for word in words if word)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
