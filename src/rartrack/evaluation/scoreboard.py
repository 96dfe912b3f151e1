"""All trackers of a results folder on one benchmark."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from rartrack.datasets.dataset import Dataset, Protocol
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError, nearest
from rartrack.evaluation import raw, vot
from rartrack.evaluation.beside import Reading, read_failures
from rartrack.evaluation.scoring import Score, read_trajectories, rules_of, rules_text, score_got10k, score_one_pass
from rartrack.evaluation.scoring_runs import read_several, score_several
from rartrack.evaluation.scoring_vot import EXPERIMENTS, benchmark_of, read_runs, score_vot

SEVERAL = ("tre", "sre")
"""Those of several runs a sequence, whose starts depend on all its frames."""

PROTOCOLS = ("ope", *SEVERAL, *EXPERIMENTS, "got10k", "lasot")
"""Ways in which results can be scored: one pass, from several frames, from disturbed boxes, supervised with resets, the
same in real time, without resets, and one pass with GOT-10k's and LaSOT's figures."""

_SAID = 3
"""Trackers of which it is said why they cannot be scored, where none can."""


@dataclass(frozen=True)
class Scoreboard:
    """Scores of all trackers on one benchmark, best first by its ranking metric, for each set of rules.

    Attributes:
        benchmark: its name.
        protocol: one of ``PROTOCOLS``.
        rules: the sets of rules applied, in the order asked for.
        metrics: names of the figures by the first set of rules, the ranking one first; others may have others.
        sequences: name -> sequence, those scored.
        scores: one per tracker and set of rules.
        sources: where each set of rules was read.
        remarks: one line for each thing that was missing, odd or left out.
        first: how many frames of each sequence (of each run where there are several) were scored; None: all.
        left_out: how many of the benchmark's sequences were not asked for.
    """

    benchmark: str
    protocol: str
    rules: tuple[str, ...]
    metrics: tuple[str, ...]
    sequences: Mapping[str, Sequence]
    scores: tuple[Score, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = field(default=())
    first: int | None = None
    left_out: int = 0

    def by(self, rules: str) -> list[Score]:
        """Scores by one set of rules, best first."""
        return [score for score in self.scores if score.rules == rules]

    @property
    def main(self) -> list[Score]:
        """Scores by the first set of rules."""
        return self.by(self.rules[0])

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Attribute -> names of the sequences that have it, in the order in which attributes are first met."""
        found: dict[str, list[str]] = {}
        for name, sequence in self.sequences.items():
            for attribute in sorted(sequence.attributes):
                found.setdefault(attribute, []).append(name)
        return {attribute: tuple(names) for attribute, names in found.items()}


def by_attribute(score: Score, metric: str, names: Collection[str]) -> float:
    """A tracker's figure over the named sequences, of which it is a mean; NaN if it has none of them."""
    return float(score.mean(score.by_sequence[metric], names))


def score_results(
    results: Path,
    dataset: Dataset,
    rules: Iterable[str] = (),
    *,
    trackers: Collection[str] | None = None,
    given_origin: int | None = None,
    partial: bool = False,
    protocol: str | None = None,
    first: int | None = None,
) -> Scoreboard:
    """Score raw results without frames.

    Args:
        results: folder of trackers' folders (see ``raw``).
        dataset: the benchmark.
        rules: sets of rules by name; the benchmark's own if none is given.
        trackers: names of those wanted; all if None.
        given_origin: what the files call the first pixel; if None, what is said beside them where we made them, else
            what the benchmark's own files call it. VOT's call it 0 always.
        partial: score trackers that lack sequences on those they have, and leave out sequences without annotation.
        protocol: another than the data set's own.
        first: score only so many frames from the start of each sequence, or of each run where there are several.

    Raises:
        InputError: a wrong folder, name or annotation, or nothing that can be scored.
    """
    remarks: list[str] = []
    protocol = protocol or dataset.protocol
    if protocol in ("ope", "lasot", "got10k"):
        dataset = replace(dataset, protocol=cast(Protocol, protocol))
    wanted = _rules(dataset, protocol, rules)
    if protocol in EXPERIMENTS and given_origin:
        raise InputError(f"--boxes 1-based: results of {protocol} on {dataset.name} count from 0 always; leave it out")
    folders = _folders(results, trackers)
    sequences = _sequences(dataset, partial, None if protocol in SEVERAL else first, remarks)
    scores: list[Score] = []
    reasons: list[str] = []
    for folder in folders.values():
        read, score_one = _read(folder, dataset, sequences, protocol, given_origin, first)
        failed = _failed(folder, dataset, protocol, read.missing)
        if failed and len(failed) == len(sequences):
            reasons.append(f"{folder.name}: left out, {_failed_remark(failed, sequences)}")
            remarks.append(reasons[-1])
            continue
        whole = len(read.missing) < len(sequences) and (partial or not read.missing)
        found = [score_one(name) for name in wanted] if whole else []
        remarks += [*read.remarks, *read.changed_remark()]
        if failed:
            read.reasons.append(f"{folder.name}: {_failed_remark(failed, sequences)}")
            remarks.append(read.reasons[-1])
        if any(score.weights is not None and not score.weights.any() for score in found):
            reasons.append(f"{folder.name}: left out, no frame counts (first ones never do, nor unseen targets)")
            remarks.append(reasons[-1])
        elif found:
            scores += found
        else:
            rest = "; --partial scores the rest" if len(read.missing) < len(sequences) else ""
            left_out = f"left out, no complete results for {len(read.missing)} of {len(sequences)} sequences"
            remarks.append(f"{folder.name}: {left_out}{rest}")
            reasons.append(f"{folder.name}: {left_out}{_why(read)}{rest}")
    if not scores:
        more = [f"{len(reasons) - _SAID} more"] if len(reasons) > _SAID else []
        why = "; ".join([*reasons[:_SAID], *more, *_nested_trackers(folders.values(), dataset)])
        raise InputError(f"{results}: no tracker can be scored on {dataset.name}: {why}")
    metrics = tuple(scores[0].figures)
    scores.sort(key=lambda score: _position(score, wanted, metrics[0]))
    sources = {name: rules_text(dataset, protocol, name) for name in wanted}
    said = tuple(dict.fromkeys(remarks))
    return Scoreboard(
        scores[0].benchmark,
        protocol,
        wanted,
        metrics,
        sequences,
        tuple(scores),
        sources,
        said,
        first,
        len(dataset.left_out),
    )


def _why(read: Reading) -> str:
    """Why results are not complete, in brackets: the last reason or what files there are, and what was changed."""
    said = [*(read.reasons or read.remarks)[-1:], *read.changed_remark()]
    lines = "; ".join(line.removeprefix(f"{read.tracker}: ") for line in said)
    return f" ({lines})" if lines else ""


def _read(
    folder: Path,
    dataset: Dataset,
    sequences: Mapping[str, Sequence],
    protocol: str,
    given_origin: int | None,
    first: int | None,
) -> tuple[Reading, Callable[[str], Score]]:
    """One tracker's results, and how to score those that are complete by one set of rules."""
    cut = first is not None
    if protocol in EXPERIMENTS:
        benchmark, runs = benchmark_of(dataset), read_runs(folder, dataset, sequences, protocol, cut)
        return runs, lambda name: score_vot(runs, benchmark, sequences, name, protocol)
    known = rules_of(dataset)
    if protocol in SEVERAL:
        title = f"{dataset.name}-{protocol}"
        several = read_several(folder, dataset, sequences, protocol, given_origin, first)
        return several, lambda name: score_several(several, dataset, sequences, known[name], title)
    read = read_trajectories(folder, dataset, sequences, given_origin, cut)
    if protocol == "got10k":
        return read, lambda name: score_got10k(read, dataset, sequences, name, dataset.name)
    return read, lambda name: score_one_pass(read, dataset, sequences, known[name], dataset.name)


def _failed(folder: Path, dataset: Dataset, protocol: str, missing: Collection[str]) -> dict[str, str]:
    """Of the sequences without a result, those whose runs failed, with the reason."""
    places = [f"{protocol}/*.error" if protocol in SEVERAL else "*.error"]
    if protocol in EXPERIMENTS:
        each = ((EXPERIMENTS[protocol], glob.escape(name), "*.error") for name in missing)
        places = ["/".join(filter(None, parts)) for parts in each]
    failures = {name: why for place in places for name, why in read_failures(folder, place, dataset).items()}
    return {name: why for name, why in failures.items() if name in missing}


def _failed_remark(failed: Mapping[str, str], sequences: Collection[str]) -> str:
    return f"failed on {len(failed)} of {len(sequences)} ({next(iter(failed.values()))})"


def _position(score: Score, rules: tuple[str, ...], metric: str) -> tuple[int, float, str]:
    return rules.index(score.rules), -score.figures[metric], score.tracker


def _rules(dataset: Dataset, protocol: str, asked: Iterable[str]) -> tuple[str, ...]:
    known = {"got10k": ("toolkit",), **dict.fromkeys(EXPERIMENTS, vot.RULES)}.get(protocol) or tuple(rules_of(dataset))
    chosen = tuple(dict.fromkeys(asked)) or known[:1]
    for name in chosen:
        if name not in known:
            raise InputError(f"{dataset.name} has no rules {name!r}; it has {', '.join(known)}{nearest(name, known)}")
    return chosen


def _folders(results: Path, trackers: Collection[str] | None) -> dict[str, Path]:
    folders = raw.tracker_folders(results)
    for name in trackers or ():
        if name not in folders:
            raise InputError(
                f"{results}: no results of {name!r}{nearest(name, folders)}; there are {', '.join(folders)}"
            )
    return {name: folder for name, folder in folders.items() if trackers is None or name in trackers}


def _nested_trackers(folders: Iterable[Path], dataset: Dataset) -> list[str]:
    """A line where the trackers lie one folder deeper."""
    for folder in folders:
        if not raw.holds_results(folder, dataset):
            for inside in sorted(child for child in folder.iterdir() if child.is_dir()):
                own = dataset.find(inside.name) is not None or raw.is_of_a_protocol(inside.name, dataset)
                if not own and raw.holds_results(inside, dataset):
                    return [f"{inside} looks like a tracker's results; pass {folder}, the folder of trackers"]
    return []


def _sequences(dataset: Dataset, partial: bool, first: int | None, remarks: list[str]) -> dict[str, Sequence]:
    found = {}
    for entry in dataset.entries:
        try:
            found[entry.name] = entry.read().beginning(first)
        except InputError as error:
            if not partial:
                raise InputError(f"{error} (--partial scores the sequences that are there)") from None
            remarks.append(f"{error}; left out")
    if not found:
        raise InputError(f"{dataset.root}: none of {dataset.name}'s {len(dataset)} sequences can be read")
    if first != 1 and not any(np.isfinite(sequence.boxes[1:]).all(axis=1).any() for sequence in found.values()):
        raise InputError(
            f"{dataset.root}: no box after a first frame, as in GOT-10k's and TrackingNet's test splits: those are "
            "scored by their own servers, to which the results are sent"
        )
    return found
