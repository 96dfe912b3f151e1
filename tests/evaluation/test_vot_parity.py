"""The published figures of the VOT challenges, from the raw results their authors published."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import split_regions
from rartrack.evaluation.vot import find_benchmark, read_repetitions, score

TAGS = ("camera_motion", "illum_change", "motion_change", "occlusion", "size_change")

# Raw set -> rules -> EAO / accuracy / failures per 100 frames, as those toolkits compute them.
FIGURES = {
    ("vot2017", "SiamFC"): {
        "toolkit": (0.1880, 0.5021, 0.5853),
        "pysot": (0.1868, 0.5029, 0.5853),
        "vot-toolkit": (0.1842, 0.4932, 0.5853),
    },
    ("vot2018", "DaSiamRPN"): {
        "toolkit": (0.3827, 0.5858, 0.2763),
        "pysot": (0.3827, 0.5858, 0.2763),
        "vot-toolkit": (0.3717, 0.5856, 0.2763),
    },
    ("vot2018", "NanoTrackV3"): {
        "toolkit": (0.4491, 0.5651, 0.1639),
        "pysot": (0.4491, 0.5651, 0.1639),
        "vot-toolkit": (0.4535, 0.5714, 0.1639),
    },
    ("vot2018", "SiamAPN"): {
        "toolkit": (0.2480, 0.5586, 0.4917),
        "pysot": (0.2480, 0.5586, 0.4917),
        "vot-toolkit": (0.2438, 0.5568, 0.4917),
    },
    ("vot2019", "NanoTrackV3"): {
        "toolkit": (0.2991, 0.5695, 0.3863),
        "pysot": (0.2957, 0.5627, 0.3863),
        "vot-toolkit": (0.2931, 0.5637, 0.3863),
    },
}
QUICK = {(("vot2017", "SiamFC"), "pysot"), (("vot2018", "DaSiamRPN"), "toolkit")}


@cache
def annotations(path: Path) -> list[Sequence]:
    found = []
    for name, entry in json.loads(path.read_text()).items():
        boxes, polygons = split_regions(entry["gt_rect"])
        tags = {tag: np.array(entry[tag], dtype=bool) for tag in TAGS if entry[tag]}
        size = (entry["width"], entry["height"])
        found.append(Sequence(name, boxes, polygons=polygons, tags=tags, frame_size=size))
    return found


CASES = [
    pytest.param(key, rules, marks=() if (key, rules) in QUICK else pytest.mark.slow, id=f"{'-'.join(key)}-{rules}")
    for key, figures in FIGURES.items()
    for rules in figures
]


@pytest.mark.parametrize(("key", "rules"), CASES)
def test_figures_are_the_published_ones(shared: Path, raw_results: Path, key: tuple[str, str], rules: str) -> None:
    benchmark, tracker = key
    year = {"vot2017": "vot2018"}.get(benchmark, benchmark)
    sequences = annotations(shared / "annotations" / f"{year}.json")
    results = {
        sequence.name: read_repetitions(raw_results / benchmark / tracker / sequence.name, sequence.name)
        for sequence in sequences
    }
    scores = score(find_benchmark(benchmark), sequences, results, rules)
    figures = tuple(round(figure, 4) for figure in (scores.eao, scores.accuracy, scores.robustness))
    assert figures == FIGURES[key][rules]
