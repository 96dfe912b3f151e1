"""Published figures come back, to the last decimal printed, from published trackers' raw results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rartrack.boxes import Boxes
from rartrack.datasets import Dataset, load_dataset
from rartrack.datasets.otb import members
from rartrack.datasets.sequence import Sequence
from rartrack.evaluation import otb, raw
from rartrack.evaluation.metrics import shares_above, shares_within
from rartrack.evaluation.rules import Frames, Rules, measure
from rartrack.evaluation.scoreboard import score_results
from rartrack.evaluation.scoring import Trajectories, own_coordinates, read_trajectories, score_one_pass

Figures = Callable[[str, str, Rules], tuple[float, float]]
Reading = Callable[[dict[str, Frames]], tuple[float, float]]

# AUC, DP@20 px: OTB-2013 by the toolkit's rules; OTB-2015 by the toolkit's, pysot's and got10k's.
FIGURES = {
    "DaSiamRPN": [(0.6562, 0.8899), (0.6578, 0.8807), (0.6578, 0.8802), (0.6578, 0.8802)],
    "SiamTri": [(0.6155, 0.8154), (0.5902, 0.7808), (0.5902, 0.7808), (0.5904, 0.7808)],
    "SiamRPN": [(0.6546, 0.8833), (0.6317, 0.8503), (0.6289, 0.8468), (0.6320, 0.8502)],
    "CFNet-conv2": [(0.6107, 0.8069), (0.5677, 0.7476), (0.5677, 0.7476), (0.5679, 0.7475)],
    "SiamFC-3s": [(0.6073, 0.8093), (0.5821, 0.7705), (0.5821, 0.7705), (0.5824, 0.7705)],
    "HCF": [(0.6047, 0.8907), (0.5618, 0.8371), (0.5617, 0.8366), (0.5618, 0.8366)],
    "KCF": [(0.5138, 0.7400), (0.4771, 0.6957), (0.4771, 0.6952), (0.4772, 0.6951)],
    "TLD_zz": [(0.4071, 0.5526), (0.4056, 0.5457), (0.3572, 0.5012), (0.3572, 0.5012)],
}

# What a rule read otherwise does to AUC / DP on OTB-2015, in percent: KCF, DaSiamRPN, SiamTri, TLD_zz.
MOVED = ("KCF", "DaSiamRPN", "SiamTri", "TLD_zz")
OTHER_RULES = {
    "toolkit": (otb.TOOLKIT, [(47.71, 69.57), (65.78, 88.07), (59.02, 78.08), (40.56, 54.57)]),
    ">= instead of >": (
        replace(otb.TOOLKIT, strict=False),
        [(48.70, 69.57), (66.06, 88.07), (59.70, 78.08), (41.92, 54.57)],
    ),
    "trapezoid": (
        replace(otb.TOOLKIT, area="trapezoid"),
        [(48.10, 69.57), (66.71, 88.07), (59.82, 78.08), (40.79, 54.57)],
    ),
    "101 thresholds": (
        replace(otb.TOOLKIT, overlaps=tuple(k / 100 for k in range(101))),
        [(48.03, 69.57), (66.51, 88.07), (59.64, 78.08), (40.74, 54.57)],
    ),
    "without first frame": (
        replace(otb.TOOLKIT, first="dropped"),
        [(47.54, 69.45), (65.67, 88.03), (58.88, 78.00), (40.36, 54.39)],
    ),
    "invalid truth not precise": (
        replace(otb.TOOLKIT, invalid="imprecise"),
        [(47.71, 69.51), (65.78, 88.01), (59.02, 78.03), (40.56, 54.52)],
    ),
    "invalid truth dropped": (
        replace(otb.TOOLKIT, invalid="dropped"),
        [(47.73, 69.54), (65.80, 88.04), (59.05, 78.08), (40.58, 54.54)],
    ),
    "pysot": (otb.PYSOT, [(47.71, 69.52), (65.78, 88.02), (59.02, 78.08), (35.72, 50.12)]),
    "got10k": (otb.GOT10K, [(47.72, 69.51), (65.78, 88.02), (59.04, 78.08), (35.72, 50.12)]),
}


@pytest.fixture(scope="module")
def dataset(shared: Path) -> Dataset:
    return load_dataset("otb2015", shared / "annotations")


@pytest.fixture(scope="module")
def sequences(dataset: Dataset) -> dict[str, Sequence]:
    return {each.name: each for each in dataset}


@pytest.fixture(scope="module")
def read(raw_results: Path, dataset: Dataset, sequences: dict[str, Sequence]) -> dict[str, Trajectories]:
    folders = raw.tracker_folders(raw_results / "otb")
    return {name: read_trajectories(folder, dataset, sequences, given_origin=1) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def figures(dataset: Dataset, sequences: dict[str, Sequence], read: dict[str, Trajectories]) -> Figures:
    """AUC and DP of a tracker on one of the benchmarks."""

    def found(benchmark: str, tracker: str, rules: Rules) -> tuple[float, float]:
        chosen = {name: sequences[name] for name in members(benchmark)}
        figures = score_one_pass(read[tracker], dataset, chosen, rules, benchmark).figures
        return figures["auc"], figures["dp20"]

    return found


@pytest.mark.parametrize("tracker", FIGURES)
def test_published_trackers_score_as_published(figures: Figures, tracker: str) -> None:
    found = [figures("otb2013", tracker, otb.TOOLKIT)]
    found += [figures("otb2015", tracker, rules) for rules in otb.RULES.values()]
    assert np.round(found, 4).tolist() == [list(pair) for pair in FIGURES[tracker]]


@pytest.mark.parametrize("tracker", FIGURES)
def test_figures_equal_the_reference_to_the_last_bits(raw_results: Path, figures: Figures, tracker: str) -> None:
    reference = json.loads((raw_results / "otb" / tracker / "meta.json").read_text())["reference"]
    for benchmark, key in (("otb2013", "OTB-2013"), ("otb50", "OTB-50"), ("otb2015", "OTB-100")):
        assert figures(benchmark, tracker, otb.TOOLKIT) == pytest.approx(reference[key], rel=0, abs=1e-13)


def test_files_of_other_programs_and_spellings_give_the_same_figures(
    raw_results: Path, dataset: Dataset, tmp_path: Path
) -> None:
    for path in (raw_results / "otb" / "TLD_zz").glob("*.txt"):
        stem = path.stem.lower().replace("-", "_").replace("human4_2", "human4")
        lines = path.read_text().replace(",", "\t").splitlines()
        (tmp_path / "TLD").mkdir(exist_ok=True)
        text = "\ufeffx\ty\tw\th\r\n" + "".join(f"{line}\t\r\n" for line in lines)
        (tmp_path / "TLD" / f"{stem}_tld_old.txt").write_text(text, newline="")
    board = score_results(tmp_path, dataset)
    assert np.round([board.main[0].figures[key] for key in ("auc", "dp20")], 4).tolist() == [0.4056, 0.5457]
    assert board.remarks == ()


def test_siamrpn_counted_from_0_gives_its_published_figures(
    raw_results: Path, dataset: Dataset, sequences: dict[str, Sequence]
) -> None:
    from_0 = read_trajectories(raw_results / "otb" / "SiamRPN", dataset, sequences, given_origin=0)
    found = score_one_pass(from_0, dataset, sequences, otb.TOOLKIT, "otb2015").figures
    assert (found["auc"], found["dp20"]) == pytest.approx((0.638, 0.851), abs=6e-4)


@pytest.mark.parametrize("name", OTHER_RULES)
def test_each_rule_moves_the_figures_as_measured(figures: Figures, name: str) -> None:
    rules, expected = OTHER_RULES[name]
    found = [figures("otb2015", tracker, rules) for tracker in MOVED]
    assert np.round(np.multiply(found, 100), 2).tolist() == [list(pair) for pair in expected]


def _mean_over_sequences(success: Callable[[Frames], float]) -> Reading:
    def reading(frames: dict[str, Frames]) -> tuple[float, float]:
        precision = np.mean([shares_within(each.error, [20])[0] for each in frames.values()])
        return float(np.mean([success(each) for each in frames.values()])), float(precision)

    return reading


def _pooled(frames: dict[str, Frames]) -> tuple[float, float]:
    overlap = np.concatenate([each.overlap for each in frames.values()])
    error = np.concatenate([each.error for each in frames.values()])
    return float(shares_above(overlap, otb.MATLAB_OVERLAPS).mean()), float(shares_within(error, [20])[0])


def _below_20(frames: dict[str, Frames]) -> tuple[float, float]:
    auc = np.mean([shares_above(each.overlap, otb.MATLAB_OVERLAPS).mean() for each in frames.values()])
    return float(auc), float(np.mean([(each.error < 20).mean() for each in frames.values()]))


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (_below_20, [(47.71, 69.56), (65.78, 88.07), (59.02, 78.08), (40.56, 54.55)]),
        (_pooled, [(48.88, 73.69), (68.01, 89.17), (62.09, 80.41), (45.20, 63.00)]),
        (
            _mean_over_sequences(lambda frames: float(np.maximum(frames.overlap, 0).mean())),
            [(48.11, 69.57), (66.70, 88.07), (59.80, 78.08), (40.78, 54.57)],
        ),
    ],
    ids=["DP below 20", "pooled over frames", "mean overlap"],
)
def test_other_averages_of_the_same_frames(
    read: dict[str, Trajectories],
    sequences: dict[str, Sequence],
    reading: Reading,
    expected: list[tuple[float, float]],
) -> None:
    found = [reading(_frames(read[tracker], sequences)) for tracker in MOVED]
    assert np.round(np.multiply(found, 100), 2).tolist() == [list(pair) for pair in expected]


def _frames(read: Trajectories, sequences: dict[str, Sequence], shift: int = 0) -> dict[str, Frames]:
    """By the toolkit's rules, all boxes but the first shifted: bad ones after it take it as it is."""
    found = {}
    for name, each in sequences.items():
        boxes, truth = own_coordinates(read.boxes[name], shift), own_coordinates(each.boxes, 1)
        boxes[0] = truth[0] if shift else boxes[0]
        found[name] = measure(boxes, truth, otb.TOOLKIT)
    return found


def test_boxes_counted_from_0_by_mistake(read: dict[str, Trajectories], sequences: dict[str, Sequence]) -> None:
    curves = _mean_over_sequences(lambda frames: float(shares_above(frames.overlap, otb.MATLAB_OVERLAPS).mean()))
    found = [curves(_frames(read[tracker], sequences, shift=-1)) for tracker in MOVED]
    expected = [[47.29, 69.47], [65.83, 88.00], [59.52, 78.22], [40.13, 54.52]]
    assert np.round(np.multiply(found, 100), 2).tolist() == expected


def test_tiger1_compared_from_its_first_frame(
    shared: Path, read: dict[str, Trajectories], sequences: dict[str, Sequence]
) -> None:
    truth: Boxes = np.loadtxt(shared / "annotations/otb/Tiger1.txt", delimiter=",")
    whole = sequences | {"Tiger1": Sequence("Tiger1", own_coordinates(truth[:349], -1))}
    curves = _mean_over_sequences(lambda frames: float(shares_above(frames.overlap, otb.MATLAB_OVERLAPS).mean()))
    found = [curves(_frames(read[tracker], whole)) for tracker in MOVED]
    expected = [[47.30, 68.84], [65.37, 87.34], [58.67, 77.45], [40.53, 54.49]]
    assert np.round(np.multiply(found, 100), 2).tolist() == expected


def test_agrees_with_the_got10k_package(read: dict[str, Trajectories], sequences: dict[str, Sequence]) -> None:
    package = pytest.importorskip("got10k.utils.metrics")
    for tracker in MOVED:
        for name, sequence in sequences.items():
            truth, boxes = own_coordinates(sequence.boxes, 1), read[tracker].boxes[name].copy()
            boxes[0] = truth[0]
            frames = measure(read[tracker].boxes[name], truth, otb.GOT10K)
            curves = otb.GOT10K.curves(frames)
            success = (package.rect_iou(boxes, truth)[:, None] > np.linspace(0, 1, 21)).mean(axis=0)
            precision = (package.center_error(boxes, truth)[:, None] <= np.arange(51)).mean(axis=0)
            np.testing.assert_allclose(curves.success, success, atol=2 / len(sequence))
            np.testing.assert_array_equal(curves.precision, precision)
