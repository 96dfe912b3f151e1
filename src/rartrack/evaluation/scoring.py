"""Score a folder of raw results against a data set: every tracker, every sequence, by one or several rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.datasets import BENCHMARKS
from rartrack.datasets.dataset import Dataset
from rartrack.datasets.otb import official_name
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import got10k, normalized, otb, raw
from rartrack.evaluation.beside import Reading, first_pixel
from rartrack.evaluation.metrics import Values
from rartrack.evaluation.rules import Curves, Frames, Rules, measure, valid
from rartrack.evaluation.vot import VotScores, find_rules


@dataclass(frozen=True)
class Score:
    """What one tracker reached on one benchmark by one set of rules.

    Attributes:
        benchmark, tracker, rules: names.
        sequences: S names, in the benchmark's order, that were scored.
        figures: metric -> figure over all of them, full precision.
        by_sequence: metric -> (S,) figures.
        weights: (S,) frames a sequence has in a figure that pools those of all; None where sequences count alike.
        curves: success and precision curves (S, N), where the protocol draws them.
        overlaps: sequence -> (T,) overlap with the truth in every frame, of the first repetition where there are
            several; -1 where the truth is invalid or the frame does not count.
        boxes: sequence -> (T, 4) results, 0-based, of the same repetition.
        seconds: median seconds a frame over all sequences, where times are at hand.
        missing: sequences that have no complete result; not empty only where partial results were asked for.
        challenge: what the VOT challenges' rules say, curve and tags included.
    """

    benchmark: str
    tracker: str
    rules: str
    sequences: tuple[str, ...]
    figures: Mapping[str, float]
    by_sequence: Mapping[str, Values]
    weights: Values | None = None
    curves: Curves | None = None
    overlaps: Mapping[str, Values] = field(default_factory=dict)
    boxes: Mapping[str, Boxes] = field(default_factory=dict)
    seconds: float | None = None
    missing: tuple[str, ...] = ()
    challenge: VotScores | None = None

    def mean(self, values: Values, chosen: Collection[str] | None = None) -> Values:
        """Mean over the sequences, or those chosen, of values (S, ...), weighed as the figures weigh them.

        NaN where none of them has a weight.
        """
        rows = [index for index, name in enumerate(self.sequences) if chosen is None or name in chosen]
        weights = np.ones(len(self.sequences)) if self.weights is None else self.weights
        rows = [index for index in rows if weights[index] > 0]
        if not rows:
            return np.full(values.shape[1:], np.nan)
        return np.asarray(np.average(values[rows], axis=0, weights=weights[rows]))


@dataclass
class Trajectories(Reading):
    """One tracker's boxes by sequence, and what was wrong with the rest.

    Attributes:
        repetitions: sequence -> (T, 4) in the benchmark's own coordinates of each repetition; of one alone where the
            protocol knows none.
        seconds: as in ``Score``.
    """

    repetitions: dict[str, list[Boxes]] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def boxes(self) -> dict[str, Boxes]:
        """The first repetition of each sequence."""
        return {name: runs[0] for name, runs in self.repetitions.items()}


def rules_of(dataset: Dataset) -> dict[str, Rules]:
    """The rules by which a data set's one-pass results can be scored; the first are the benchmark's own."""
    if dataset.protocol != "lasot":
        return otb.FOLDER_RULES if dataset.layout == "folder" else otb.RULES
    return normalized.TRACKINGNET_RULES if dataset.layout == "trackingnet" else normalized.LASOT_RULES


def rules_text(dataset: Dataset, protocol: str, name: str) -> str:
    """Where a set of rules was read, for a reader.

    Args:
        dataset: that is scored.
        protocol: by which.
        name: of the rules.
    """
    if protocol == "got10k":
        return "the got10k package 0.1.3, ExperimentGOT10k: frames pooled, first frames and unseen targets left out"
    if protocol.startswith("vot"):
        return find_rules(name, dataset.name).source
    return rules_of(dataset)[name].source


def truth_of(sequence: Sequence, dataset: Dataset) -> Boxes:
    """The true boxes (T, 4) in the benchmark's own coordinates; NaN where its protocol says the target is not seen.

    LaSOT flags such frames as ``absent``, GOT-10k flags all others as ``covered``.
    """
    truth = own_coordinates(sequence.boxes, dataset.origin)
    if dataset.protocol == "lasot" and "absent" in sequence.tags:
        truth[sequence.tags["absent"]] = np.nan
    if dataset.protocol == "got10k" and "covered" in sequence.tags:
        truth[~sequence.tags["covered"]] = np.nan
    return truth


def _valid(sequence: Sequence, dataset: Dataset) -> NDArray[np.bool_]:
    """The frames (T,) in which a result matters by the benchmark's own rules. GOT-10k's know no invalid box."""
    truth = truth_of(sequence, dataset)
    if dataset.protocol == "got10k":
        return np.asarray(~np.isnan(truth).any(axis=1))
    return valid(truth, next(iter(rules_of(dataset).values())), dataset.origin)


def own_coordinates(boxes: Boxes, origin: int) -> Boxes:
    """Boxes (T, 4) counted from ``origin`` instead of from 0."""
    return boxes + np.array([origin, origin, 0, 0], dtype=np.float64)


def read_trajectories(
    folder: Path, dataset: Dataset, sequences: Mapping[str, Sequence], given_origin: int | None, cut: bool = False
) -> Trajectories:
    """Read one tracker's results for the given sequences.

    A file that is missing, short or wrong makes a remark and a missing sequence, never an error: the other trackers
    are to be scored all the same. Of repetitions GOT-10k's protocol takes all, others the first, with a remark.

    Args:
        folder: the tracker's.
        dataset: whose spellings and first pixel count.
        sequences: name -> sequence, those wanted.
        given_origin: what the files call the first pixel, 0 or 1; None: what is said beside them, else what the
            benchmark's own files call it.
        cut: the sequences were cut at their ends, so that longer results need no remark.

    Raises:
        InputError: beside a file is said that it counts from another first pixel than is given.
    """
    read = Trajectories(folder.name)
    try:
        found = raw.find_results(folder, dataset)
    except InputError as error:
        read.refuse(str(error))
        read.missing.extend(sequences)
        return read
    read.remarks += [*missing_remark(read.tracker, found, sequences), *strangers_remark(read.tracker, found, dataset)]
    files = {name: raw.one_pass(found.files.get(name, ())) for name in sequences}
    if dataset.protocol != "got10k":
        read.remarks += _repetitions_remark(read.tracker, files)
        files = {name: paths[:1] for name, paths in files.items()}
    for name, sequence in sequences.items():
        runs = [_read_one(path, dataset, sequence, given_origin, read, cut) for path in files[name]]
        whole = [boxes for boxes in runs if boxes is not None]
        if whole and len(whole) == len(runs):
            read.repetitions[name] = whole
        else:
            read.missing.append(name)
    read.seconds = _seconds(found.times, read)
    return read


def _repetitions_remark(tracker: str, files: Mapping[str, ListLike[Path]]) -> list[str]:
    """A line on the sequences that have several, if there are any."""
    several = [name for name, paths in files.items() if len(paths) > 1]
    if not several:
        return []
    counts = sorted({len(files[name]) for name in several})
    number = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    return [f"{tracker}: {number} repetitions of {_some(several)}, the first was used"]


def _read_one(
    path: Path, dataset: Dataset, sequence: Sequence, given_origin: int | None, read: Trajectories, cut: bool
) -> Boxes | None:
    try:
        boxes = raw.read_boxes(path)
    except InputError as error:
        read.refuse(str(error))
        return None
    said = read.beside(path)
    origin = first_pixel(said, given_origin, dataset.origin)
    boxes = own_coordinates(boxes, dataset.origin - origin)
    name = sequence.name if dataset.layout in ("otb", "otb-annotations") else ""
    lines, longer = len(boxes), len(boxes) > len(sequence)
    remark = None
    if said is None or not said.asked_for(lines) or longer:
        boxes, remark = raw.fit(boxes, _valid(sequence, dataset), name)
    if remark and not (longer and cut):
        read.remarks.append(f"{read.tracker}/{path.name}: {remark}")
    if len(boxes) < len(sequence):
        short = f"{read.tracker}/{path.name}: {lines} lines, shorter than its {len(sequence)} frames"
        read.refuse_short(said, lines, short)
        return None
    return boxes


def _seconds(files: Mapping[str, Path], read: Trajectories) -> float | None:
    times = []
    for path in files.values():
        try:
            times.append(raw.read_times(path)[1:])  # the first is that of the start
        except InputError as error:
            read.remarks.append(str(error))
    pooled = np.concatenate(times) if times else np.empty(0)
    pooled = pooled[np.isfinite(pooled) & (pooled > 0)]
    return float(np.median(pooled)) if len(pooled) else None


def missing_remark(tracker: str, found: raw.Found, sequences: Mapping[str, Sequence]) -> list[str]:
    """A line on the sequences without a file, if there are any."""
    absent = [name for name in sequences if name not in found.files]
    return [f"{tracker}: no result for {_some(absent)} of {len(sequences)} sequences"] if absent else []


def strangers_remark(tracker: str, found: raw.Found, dataset: Dataset) -> list[str]:
    """A line on the files that belong to no sequence, if there are any.

    Results of all of OTB-2015 are commonly scored on OTB-2013 too: its other sequences are no strangers.
    """
    foreign = [name for name in dict.fromkeys(found.unknown) if not dataset.leaves_out(name)]
    strangers = [name for name in foreign if dataset.name not in BENCHMARKS or official_name(name) is None]
    return [f"{tracker}: {_some(strangers)} not in {dataset.name}, ignored"] if strangers else []


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names)} ({shown}{', ...' if len(names) > 5 else ''})"


def score_one_pass(
    read: Trajectories, dataset: Dataset, sequences: Mapping[str, Sequence], rules: Rules, benchmark: str
) -> Score:
    """Score one tracker by one-pass rules; figures are means over the sequences it has."""
    given = read.boxes
    frames = {
        name: measure(given[name], truth_of(sequence, dataset), rules, dataset.origin)
        for name, sequence in sequences.items()
        if name in given
    }
    return summarise(
        frames,
        rules,
        benchmark,
        read.tracker,
        boxes={name: own_coordinates(given[name], -dataset.origin) for name in frames},
        seconds=read.seconds,
        missing=tuple(read.missing),
    )


def summarise(
    frames: Mapping[str, Frames],
    rules: Rules,
    benchmark: str,
    tracker: str,
    *,
    boxes: Mapping[str, Boxes] | None = None,
    seconds: float | None = None,
    missing: tuple[str, ...] = (),
) -> Score:
    """Draw the curves of measured sequences and reduce them to figures."""
    drawn = [rules.curves(each) for each in frames.values()]
    curves = Curves(
        success=np.array([each.success for each in drawn]),
        precision=np.array([each.precision for each in drawn]),
        normalized=np.array([each.normalized for each in drawn]),
    )
    by_sequence = rules.figures(curves)
    return Score(
        benchmark=benchmark,
        tracker=tracker,
        rules=rules.name,
        sequences=tuple(frames),
        figures={metric: float(values.mean()) for metric, values in by_sequence.items()},
        by_sequence=by_sequence,
        curves=curves,
        overlaps={name: each.overlap for name, each in frames.items()},
        boxes=boxes or {},
        seconds=seconds,
        missing=missing,
    )


def score_got10k(
    read: Trajectories, dataset: Dataset, sequences: Mapping[str, Sequence], rules: str, benchmark: str
) -> Score:
    """Score one tracker by GOT-10k's rules: figures pool the frames of all repetitions of all sequences."""
    overlaps = {
        name: [
            got10k.overlaps(boxes, truth_of(sequence, dataset), sequence.frame_size) for boxes in read.repetitions[name]
        ]
        for name, sequence in sequences.items()
        if name in read.repetitions
    }
    counted = {name: got10k.counted(np.concatenate(runs)) for name, runs in overlaps.items()}
    each = {name: got10k.figures(values) for name, values in counted.items()}
    success = np.array([got10k.success_curve([values]) for values in counted.values()])
    weights = np.array([float(len(values)) for values in counted.values()])
    return Score(
        benchmark=benchmark,
        tracker=read.tracker,
        rules=rules,
        sequences=tuple(counted),
        figures=got10k.figures(np.concatenate(list(counted.values()))),
        by_sequence={metric: np.array([figures[metric] for figures in each.values()]) for metric in got10k.METRICS},
        weights=weights,
        curves=Curves(success, np.empty((len(counted), 0)), np.empty((len(counted), 0))),
        overlaps={name: runs[0] for name, runs in overlaps.items()},
        boxes={name: own_coordinates(read.repetitions[name][0], -dataset.origin) for name in counted},
        seconds=read.seconds,
        missing=tuple(read.missing),
    )
