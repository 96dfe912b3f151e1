"""The VOT benchmarks and the rules they were scored by, as data.

Rules go by year, and toolkits differ; the differences move the figures in the third decimal:

- ``toolkit``: the challenge's own (MATLAB) toolkit of the benchmark's year; it gives the published figures.
- ``pysot``: the evaluation that came with PySOT, by which most Siamese trackers are published.
- ``vot-toolkit``: the challenge's later toolkit in Python (seen in 0.7.4 and 0.9.0), which gives other figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from rartrack.datasets.dataset import plain
from rartrack.errors import InputError, nearest
from rartrack.evaluation.vot_overlap import Grid


@dataclass(frozen=True)
class Constants:
    """How a run goes (M. Kristan et al., "A Novel Performance Evaluation Methodology", PAMI 2016)."""

    restart_after: int = 5
    """The tracker starts again so many frames after a failure."""
    failure_overlap: float = 0.0
    """It has failed where its overlap is no more than this."""
    repetitions: int = 15
    """A tracker runs so often on each sequence ..."""
    deterministic_after: int = 3
    """... but once so many repetitions are equal, no more."""
    burn_in: int = 10
    """Frames from a start on that accuracy leaves out, the start included."""
    rate: float = 20.0
    """Frames a second of the real-time run, whatever a sequence says of its own (VOT2017 to 2019: stack_vot2017.m and
    those after it set ``default_fps`` to 20 and ``override_fps``)."""


@dataclass(frozen=True)
class Benchmark:
    """One year's challenge.

    Attributes:
        name: as the commands spell it.
        title: as papers spell it.
        eao_range: shortest and longest sequence length, in frames and both included, over which the curve is averaged.
    """

    name: str
    title: str
    eao_range: tuple[int, int]
    constants: Constants = field(default_factory=Constants)


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("vot2015", "VOT2015", (108, 371)),
        Benchmark("vot2016", "VOT2016", (108, 371)),
        Benchmark("vot2017", "VOT2017", (100, 356)),
        Benchmark("vot2018", "VOT2018", (100, 356)),
        Benchmark("vot2019", "VOT2019", (46, 291)),
    )
}
"""The ranges are those of the challenges' reports, from the lengths of each year's sequences. VOT2017 and VOT2018 have
the same sequences and annotation."""


@dataclass(frozen=True)
class Rules:
    """How raw results become figures.

    A *cut* keeps the pixels in columns 0 to W + cut and rows 0 to H + cut of a W x H frame; None keeps all.
    """

    name: str
    source: str = ""
    """Where the rules were read."""
    grid: Grid = field(default_factory=Grid)
    accuracy_cut: int | None = 0
    eao_cut: int | None = -1
    accuracy_mean: Literal["frames", "sequences"] = "frames"
    """Over all frames pooled, or over sequences, each weighing its length."""
    fragments: Literal["toolkit", "pysot", "vot-toolkit"] = "toolkit"
    """How a run falls into pieces for EAO (see ``rartrack.evaluation.vot_scores.fragments``)."""
    first_length: int = 1
    """Length of the sequence that the curve's first value stands for."""
    repetitions: Literal["all", "first"] = "all"
    """``first`` takes the first repetition only, unless there are exactly 15."""


TOOLKIT = Rules("toolkit", "the challenge's MATLAB toolkit of the benchmark's year; published figures follow it")
PYSOT = Rules(
    "pysot",
    "pysot-toolkit, eao_benchmark and ar_benchmark; figures of most Siamese trackers follow it",
    fragments="pysot",
    repetitions="first",
)
VOT_TOOLKIT = Rules(
    "vot-toolkit",
    "the challenge's later toolkit in Python (0.7.4, 0.9.0)",
    grid=Grid(rectangle_end=-1, halves="even", whole_size=True, lone_corners=True),
    accuracy_cut=-1,
    accuracy_mean="sequences",
    fragments="vot-toolkit",
    first_length=0,
)
_BY_YEAR = {
    "vot2015": replace(TOOLKIT, accuracy_cut=None),  # accuracy counts pixels outside the frame until September 2017
    "vot2016": replace(TOOLKIT, accuracy_cut=None),
    "vot2017": replace(TOOLKIT, accuracy_cut=None),
    "vot2018": TOOLKIT,
    "vot2019": replace(TOOLKIT, grid=Grid(rectangle_end=-1)),  # the toolkit's change of April 2019
}
RULES = ("toolkit", "pysot", "vot-toolkit")
"""Names of the rules; the first is the default."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in BENCHMARKS:
        raise InputError(f"VOT benchmark {name!r}: not one of {', '.join(BENCHMARKS)}{nearest(name, BENCHMARKS)}")
    return BENCHMARKS[name]


def known_benchmark(name: str) -> Benchmark | None:
    """The benchmark that a data set's name, in any spelling (VOT2019, vot-2019), says it is; None for any other."""
    return BENCHMARKS.get(plain(name))


def unsupervised(benchmark: Benchmark) -> Benchmark:
    """Return the benchmark as its unsupervised runs are scored: their accuracy leaves out the first frame alone."""
    return replace(benchmark, constants=replace(benchmark.constants, burn_in=1))


def find_rules(name: str, benchmark: str = "vot2018") -> Rules:
    """Return rules by name; ``toolkit`` is the toolkit of the benchmark's year (of 2018 for one not known here).

    Args:
        name: one of ``RULES``.
        benchmark: the data set's name, in any spelling.

    Raises:
        InputError: there are none of that name.
    """
    if name == "toolkit":
        return _BY_YEAR.get(plain(benchmark), TOOLKIT)
    if name == "pysot":
        return PYSOT
    if name == "vot-toolkit":
        return VOT_TOOLKIT
    raise InputError(f"VOT rules {name!r}: not one of {', '.join(RULES)}{nearest(name, RULES)}")
