"""All trackers of a results folder on one benchmark."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rartrack.datasets.dataset import Dataset, Protocol
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError, nearest
from rartrack.evaluation import raw
from rartrack.evaluation.scoring import Score, read_trajectories, rules_of, score_got10k, score_one_pass

OWN_RULES = "toolkit"
"""The name under which every benchmark has its own toolkit's rules."""


@dataclass(frozen=True)
class Scoreboard:
    """Scores of all trackers on one benchmark, best first by its ranking metric, for each set of rules.

    Attributes:
        benchmark: its name.
        protocol: ``ope``, ``lasot``, ``got10k`` or ``vot``.
        rules: the sets of rules applied, in the order asked for.
        metrics: names of the figures, the ranking one first.
        sequences: name -> sequence, those scored.
        scores: one per tracker and set of rules.
        remarks: one line for each thing that was missing, odd or left out.
    """

    benchmark: str
    protocol: Protocol
    rules: tuple[str, ...]
    metrics: tuple[str, ...]
    sequences: Mapping[str, Sequence]
    scores: tuple[Score, ...]
    remarks: tuple[str, ...] = field(default=())

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
    """Mean of a tracker's per-sequence figures over the named sequences; NaN if it has none of them."""
    chosen = [index for index, name in enumerate(score.sequences) if name in names]
    return float(score.by_sequence[metric][chosen].mean()) if chosen else float("nan")


def score_results(
    results: Path,
    dataset: Dataset,
    rules: Iterable[str] = (OWN_RULES,),
    *,
    trackers: Collection[str] | None = None,
    given_origin: int | None = None,
    partial: bool = False,
    protocol: Protocol | None = None,
) -> Scoreboard:
    """Score raw results without frames.

    Args:
        results: folder of trackers' folders (see ``raw``).
        dataset: the benchmark.
        rules: sets of rules by name.
        trackers: names of those wanted; all if None.
        given_origin: what the files call the first pixel; what the benchmark's own files call it if None.
        partial: score trackers that lack sequences on those they have, and leave out sequences without annotation.
        protocol: another than the data set's own.

    Raises:
        InputError: a wrong folder, name or annotation, or nothing that can be scored.
    """
    remarks: list[str] = []
    if protocol is not None:
        dataset = replace(dataset, protocol=protocol)
    wanted = _rules(dataset, rules)
    folders = _folders(results, trackers)
    sequences = _sequences(dataset, partial, remarks)
    scores: list[Score] = []
    for folder in folders.values():
        scores += _score(folder, dataset, sequences, wanted, given_origin, partial, remarks)
    if not scores:
        raise InputError(f"{results}: no tracker can be scored on {dataset.name}: {'; '.join(remarks[:3])}")
    metrics = tuple(scores[0].figures)
    order = [_position(score, wanted, metrics[0]) for score in scores]
    ranked = [score for _, score in sorted(zip(order, scores, strict=True), key=lambda pair: pair[0])]
    return Scoreboard(dataset.name, dataset.protocol, wanted, metrics, sequences, tuple(ranked), tuple(remarks))


def _position(score: Score, rules: tuple[str, ...], metric: str) -> tuple[int, float, str]:
    return rules.index(score.rules), -score.figures[metric], score.tracker


def _rules(dataset: Dataset, asked: Iterable[str]) -> tuple[str, ...]:
    known = {"vot": ("toolkit", "pysot"), "got10k": ("toolkit",)}.get(dataset.protocol) or tuple(rules_of(dataset))
    chosen = tuple(dict.fromkeys(asked))
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


def _sequences(dataset: Dataset, partial: bool, remarks: list[str]) -> dict[str, Sequence]:
    found = {}
    for entry in dataset.entries:
        try:
            found[entry.name] = entry.read()
        except InputError as error:
            if not partial:
                raise InputError(f"{error} (--partial scores the sequences that are there)") from None
            remarks.append(f"{error}; left out")
    if not found:
        raise InputError(f"{dataset.root}: none of {dataset.name}'s {len(dataset)} sequences can be read")
    return found


def _score(
    folder: Path,
    dataset: Dataset,
    sequences: Mapping[str, Sequence],
    rules: tuple[str, ...],
    given_origin: int | None,
    partial: bool,
    remarks: list[str],
) -> list[Score]:
    origin = dataset.origin if given_origin is None else given_origin
    read = read_trajectories(folder, dataset, sequences, origin)
    remarks += read.remarks
    if not read.boxes or (read.missing and not partial):
        rest = "; --partial scores the rest" if read.boxes else ""
        remarks.append(f"{folder.name}: left out, {len(read.missing)} of {len(sequences)} sequences missing{rest}")
        return []
    if dataset.protocol == "got10k":
        return [score_got10k(read, dataset, sequences, name, dataset.name) for name in rules]
    known = rules_of(dataset)
    return [score_one_pass(read, dataset, sequences, known[name], dataset.name) for name in rules]
