"""The published figures of the VOT challenges, from the raw results their authors published."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.datasets import load_dataset
from rartrack.evaluation.scoreboard import score_results

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


CASES = [
    pytest.param(key, rules, marks=() if (key, rules) in QUICK else pytest.mark.slow, id=f"{'-'.join(key)}-{rules}")
    for key, figures in FIGURES.items()
    for rules in figures
]


@pytest.mark.parametrize(("key", "rules"), CASES)
def test_figures_are_the_published_ones(shared: Path, raw_results: Path, key: tuple[str, str], rules: str) -> None:
    benchmark, tracker = key
    dataset = load_dataset(benchmark, shared / "annotations")
    (score,) = score_results(raw_results / benchmark, dataset, (rules,), trackers=[tracker]).main
    assert tuple(round(score.figures[name], 4) for name in ("eao", "accuracy", "robustness")) == FIGURES[key][rules]
