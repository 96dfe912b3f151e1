"""Whole benchmarks: the challenges' published figures through the report's own path, and several runs a sequence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rartrack.datasets import Dataset, load_dataset
from rartrack.datasets.dataset import Entry
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import got10k
from rartrack.evaluation.protocols import TRE, starts
from rartrack.evaluation.scoreboard import by_attribute, score_results
from rartrack.report import worst_frames
from rartrack.report.summaries import interval, overall, paired


def test_a_run_that_lacks_its_last_frame_is_scored_and_one_that_lacks_more_is_not(
    shared: Path, raw_results: Path, tmp_path: Path
) -> None:
    dataset = load_dataset("vot2018", shared / "annotations", ["bag", "ball2"])
    folder = tmp_path / "DaSiamRPN"
    for name in ("bag", "ball2"):
        shutil.copytree(raw_results / "vot2018" / "DaSiamRPN" / name, folder / name)
    run = folder / "bag" / "bag_001.txt"
    lines = run.read_text().splitlines()
    run.write_text("\n".join(lines[:-1]))
    board = score_results(tmp_path, dataset)
    assert board.main[0].missing == ()
    assert "DaSiamRPN/bag: 195 lines for 196 frames" in board.remarks
    run.write_text("\n".join(lines[:100]))
    with pytest.raises(InputError, match="no complete results for 1 of 2 sequences"):
        score_results(tmp_path, dataset)
    assert score_results(tmp_path, dataset, partial=True).main[0].missing == ("bag",)


def test_a_folder_in_vots_layout_is_scored_with_polygons(shared: Path, raw_results: Path, tmp_path: Path) -> None:
    shutil.copytree(raw_results / "vot2018" / "DaSiamRPN" / "bag", tmp_path / "DaSiamRPN" / "bag")
    board = score_results(tmp_path, load_dataset(shared / "vot-layout", sequences=["bag"]))
    named = score_results(tmp_path, load_dataset("vot2018", shared / "annotations", ["bag"]))
    assert board.main[0].figures["accuracy"] == pytest.approx(named.main[0].figures["accuracy"])


def test_the_year_is_known_by_a_files_name_in_any_spelling(shared: Path, raw_results: Path, tmp_path: Path) -> None:
    shutil.copy(shared / "annotations" / "vot2019.json", tmp_path / "VOT-2019.json")
    named = score_results(raw_results / "vot2019", load_dataset("vot2019", shared / "annotations"))
    own = score_results(raw_results / "vot2019", load_dataset(tmp_path / "VOT-2019.json"))
    assert own.main[0].figures == named.main[0].figures
    assert not any("scored by VOT2018's" in remark for remark in own.remarks)
    shutil.move(tmp_path / "VOT-2019.json", tmp_path / "mine.json")
    other = score_results(raw_results / "vot2019", load_dataset(tmp_path / "mine.json"))
    assert other.main[0].figures["eao"] != named.main[0].figures["eao"]
    years = "vot2015, vot2016, vot2017, vot2018, vot2019"
    assert f"mine: none of {years}; scored by VOT2018's lengths and toolkit" in other.remarks


def test_a_folder_has_rules_of_its_own(tmp_path: Path) -> None:
    boxes = np.tile([-5.0, 20, 30, 40], (4, 1))
    boxes[2:] = np.nan
    dataset = Dataset("own", (Entry("alpha", lambda: Sequence("alpha", boxes)),), "folder", "ope", 0, tmp_path)
    (tmp_path / "results" / "still").mkdir(parents=True)
    np.savetxt(tmp_path / "results" / "still" / "alpha.txt", np.nan_to_num(boxes), delimiter=",")
    board = score_results(tmp_path / "results", dataset)
    assert board.rules == ("visible",)
    assert board.main[0].figures["dp20"] == 1
    toolkit = score_results(tmp_path / "results", dataset, ["toolkit"]).main[0]
    assert toolkit.figures["auc"] < board.main[0].figures["auc"] / 2


def test_real_time_and_unsupervised_runs_are_scored_from_their_own_folders(
    shared: Path, raw_results: Path, tmp_path: Path
) -> None:
    dataset = load_dataset("vot2018", shared / "annotations", ["bag", "ball2"])
    own = raw_results / "vot2018"
    for name in dataset.names:
        shutil.copytree(own / "DaSiamRPN" / name, tmp_path / "T" / name)
        shutil.copytree(own / "SiamAPN" / name, tmp_path / "T" / "realtime" / name)
        (tmp_path / "T" / "unsupervised" / name).mkdir(parents=True)
        truth = ["1", *(",".join(map(str, box)) for box in dataset.entry(name).read().boxes[1:])]
        (tmp_path / "T" / "unsupervised" / name / f"{name}_001.txt").write_text("\n".join(truth))
    slow = score_results(tmp_path, dataset, protocol="vot-realtime")
    assert slow.benchmark == "vot2018-realtime"
    assert slow.main[0].figures == score_results(own, dataset, trackers=["SiamAPN"]).main[0].figures
    assert score_results(tmp_path, dataset).main[0].figures != slow.main[0].figures
    free = score_results(tmp_path, dataset, protocol="vot-unsupervised")
    assert (free.benchmark, free.metrics) == ("vot2018-unsupervised", ("ao",))
    assert 0.5 < free.main[0].figures["ao"] < 1  # boxes around polygons


@pytest.mark.parametrize(
    ("frames", "failure", "remark"),
    [
        (60, None, "small: EAO needs runs of at least 100 frames, the longest here has 60"),
        (150, 70, None),
        (150, None, None),
    ],
)
def test_runs_too_short_for_eao_are_said_to_be(
    tmp_path: Path, frames: int, failure: int | None, remark: str | None
) -> None:
    dataset = _dataset(tmp_path, frames)
    lines = ["1", *["50,40,20,10"] * (frames - 1)]
    if failure is not None:
        lines[failure : failure + 6] = ["2", "0", "0", "0", "0", "1"]
    (tmp_path / "results" / "T" / "alpha").mkdir(parents=True)
    (tmp_path / "results" / "T" / "alpha" / "alpha_001.txt").write_text("\n".join(lines))
    board = score_results(tmp_path / "results", dataset, ("toolkit", "pysot"), protocol="vot")
    assert board.remarks[0].startswith("small: none of vot2015, ")
    assert board.remarks[1:] == (() if remark is None else (remark,))
    assert np.isnan(board.main[0].figures["eao"]) == (remark is not None)
    if failure is not None:
        # Two pieces: overlaps of 1 up to the failure, then 0 for ever; and from the new start to the end, known so far.
        lengths = np.arange(100, 151)
        first = (failure - 1) / (lengths - 1)
        second = frames - failure - 5
        expected = np.where(lengths <= second, (first + 1) / 2, first)
        assert board.main[0].figures["eao"] == pytest.approx(expected.mean())
        with_toolkit = score_results(tmp_path / "results", dataset, ("vot-toolkit",), protocol="vot")
        said = "T: EAO needs 101 frames from a start to the next, the longest here has 75"
        assert with_toolkit.remarks[1:] == (said,)


def _dataset(tmp_path: Path, frames: int = 60) -> Dataset:
    boxes = np.tile([50.0, 40.0, 20.0, 10.0], (frames, 1))
    sequence = Sequence("alpha", boxes, attributes=frozenset({"OCC"}), frame_size=(160, 120))
    return Dataset("small", (Entry("alpha", lambda: sequence),), "folder", "ope", 0, tmp_path)


def test_the_frames_of_all_of_a_sequences_runs_are_pooled(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path)
    sequence = dataset[0]
    runs = starts(TRE, sequence)
    for start in runs:
        boxes = sequence.boxes[start.frame :].copy()
        if start is not runs[0]:
            boxes[1:, 0] += 500
        path = tmp_path / "results" / "halting" / "tre" / f"alpha_{start.number:02d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, boxes, delimiter=",")
    board = score_results(tmp_path / "results", dataset, protocol="tre")
    assert board.benchmark == "small-tre"
    total = sum(len(sequence) - start.frame for start in runs)
    assert board.main[0].figures["dp20"] == pytest.approx((60 + len(runs) - 1) / total)
    runs_file = tmp_path / "results" / "halting" / "tre" / "alpha_02.txt"
    runs_file.write_text("1,2,3,4\n")
    with pytest.raises(InputError, match=r"1 lines, \d+ expected from frame"):
        score_results(tmp_path / "results", dataset, protocol="tre")


def test_runs_that_were_cut_short_are_scored_by_the_frames_they_have(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path)
    sequence = dataset[0]
    for start in starts(TRE, sequence):
        boxes = sequence.boxes[start.frame :][:25].copy()
        boxes[5:, 0] += 500
        path = tmp_path / "results" / "short" / "tre" / f"alpha_{start.number:02d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, boxes, delimiter=",")
    board = score_results(tmp_path / "results", dataset, protocol="tre", first=5)
    assert board.main[0].figures["dp20"] == 1
    runs = [min(25, len(sequence) - start.frame) for start in starts(TRE, sequence)]
    board = score_results(tmp_path / "results", dataset, protocol="tre", first=25)
    assert board.main[0].figures["dp20"] == pytest.approx(5 * len(runs) / sum(runs))


def test_a_split_whose_boxes_are_kept_by_a_server_is_refused(tmp_path: Path) -> None:
    boxes = np.full((30, 4), np.nan)
    boxes[0] = 10, 10, 20, 20
    dataset = Dataset("kept", (Entry("alpha", lambda: Sequence("alpha", boxes)),), "folder", "got10k", 0, tmp_path)
    folder = tmp_path / "results" / "still"
    folder.mkdir(parents=True)
    np.savetxt(folder / "alpha.txt", np.tile(boxes[0], (30, 1)), delimiter=",")
    with pytest.raises(InputError, match="no box after a first frame"):
        score_results(tmp_path / "results", dataset)


def test_speed_is_the_median_without_the_start(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path)
    folder = tmp_path / "results" / "fast"
    folder.mkdir(parents=True)
    np.savetxt(folder / "alpha.txt", dataset[0].boxes, delimiter=",")
    np.savetxt(folder / "alpha_time.txt", [5.0, 0.02, 0.04])
    assert score_results(tmp_path / "results", dataset).main[0].seconds == pytest.approx(0.03)


def test_attribute_figures_are_means_over_the_sequences_that_have_it(shared: Path, raw_results: Path) -> None:
    dataset = load_dataset("otb2015", shared / "annotations")
    board = score_results(raw_results / "otb", dataset, trackers=["DaSiamRPN"])
    found = board.attributes()
    counts = [len(found[name]) for name in ("IV", "OPR", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OV", "BC", "LR")]
    assert counts == [38, 63, 64, 49, 44, 29, 39, 51, 14, 31, 9]
    score = board.main[0]
    rows = [score.sequences.index(name) for name in found["LR"]]
    assert by_attribute(score, "auc", found["LR"]) == score.by_sequence["auc"][rows].mean()
    assert np.isnan(by_attribute(score, "auc", ()))


@pytest.mark.parametrize(("protocol", "tag", "expected"), [("lasot", "absent", 2 / 3), ("got10k", "covered", 1.0)])
def test_frames_flagged_as_without_target_count_as_each_protocol_says(
    tmp_path: Path, protocol: str, tag: str, expected: float
) -> None:
    boxes = np.tile([50.0, 40.0, 20.0, 10.0], (3, 1))
    gone = np.array([False, True, False])
    tags = {tag: gone if tag == "absent" else ~gone}
    entry = Entry("alpha", lambda: Sequence("alpha", boxes, tags=tags))
    dataset = Dataset("small", (entry,), "folder", protocol, 0, tmp_path)  # type: ignore[arg-type]
    result = boxes.copy()
    result[1] = [500, 500, 20, 10]
    (tmp_path / "results" / "T").mkdir(parents=True)
    np.savetxt(tmp_path / "results" / "T" / "alpha.txt", result, delimiter=",")
    figures = score_results(tmp_path / "results", dataset).main[0].figures
    assert figures["ao" if protocol == "got10k" else "dp20"] == pytest.approx(expected)


def test_a_benchmark_of_which_only_a_part_is_there_is_scored_on_request(shared: Path, raw_results: Path) -> None:
    dataset = load_dataset("otb2015", shared / "otb-layout")
    with pytest.raises(InputError, match=r"is missing.*--partial scores the sequences that are there"):
        score_results(raw_results / "otb", dataset)
    board = score_results(raw_results / "otb", dataset, trackers=["KCF"], partial=True)
    assert set(board.sequences) == {"Crossing", "Couple", "KiteSurf"}
    assert board.main[0].missing == ()


@pytest.fixture
def uneven(tmp_path: Path) -> Dataset:
    """One sequence of 200 frames and three of 20; results of ``x``, right in the long one alone, and of ``y``, right in
    all but half of it."""
    boxes = {f"s{index}": np.tile([50.0, 40.0, 20.0, 10.0], (20 if index else 200, 1)) for index in range(4)}
    for tracker in ("x", "y"):
        folder = tmp_path / "results" / tracker
        folder.mkdir(parents=True)
        (folder / "unsupervised").mkdir()
        for name, truth in boxes.items():
            result = truth.copy()
            result[(1 if name != "s0" else 200) if tracker == "x" else (100 if name == "s0" else 20) :, 0] += 500
            np.savetxt(folder / f"{name}.txt", result, delimiter=",")
            np.savetxt(folder / "unsupervised" / f"{name}_001.txt", result, delimiter=",")
    entries = tuple(
        Entry(name, lambda name=name: Sequence(name, boxes[name], frame_size=(640, 360)))  # type: ignore[misc]
        for name in boxes
    )
    return Dataset("uneven", entries, "folder", "got10k", 0, tmp_path)


@pytest.mark.parametrize("protocol", ["got10k", "vot-unsupervised"])
def test_where_frames_are_pooled_intervals_and_comparisons_are_of_the_pooled_figure(
    uneven: Dataset, protocol: str
) -> None:
    board = score_results(uneven.root / "results", uneven, protocol=protocol)
    x, y = board.main
    assert x.tracker == "x"
    for score in board.main:
        assert score.mean(score.by_sequence["ao"]) == pytest.approx(score.figures["ao"])
        bounds = interval(score, "ao")
        assert bounds.low < score.figures["ao"] < bounds.high
    compared = paired(x, y, "ao")
    assert compared is not None
    assert compared.difference == pytest.approx(x.figures["ao"] - y.figures["ao"])
    assert compared.difference > 0 > (x.by_sequence["ao"] - y.by_sequence["ao"]).mean()
    if protocol == "got10k":
        assert x.curves is not None
        pooled = got10k.success_curve([got10k.counted(x.overlaps[name]) for name in x.sequences])
        np.testing.assert_allclose(x.mean(x.curves.success), pooled)


def test_rules_are_described_by_the_benchmark_they_are_of(tmp_path: Path) -> None:
    dataset = replace(_dataset(tmp_path), protocol="lasot", layout="trackingnet")
    folder = tmp_path / "results" / "right"
    folder.mkdir(parents=True)
    np.savetxt(folder / "alpha.txt", dataset[0].boxes, delimiter=",")
    assert "TrackingNet" in score_results(tmp_path / "results", dataset).sources["toolkit"]
    assert score_results(tmp_path / "results", dataset, protocol="ope").metrics == ("auc", "dp20")
    lasot = replace(dataset, layout="lasot")
    assert "LaSOT" in score_results(tmp_path / "results", lasot).sources["toolkit"]


def _repeated(tmp_path: Path) -> Dataset:
    """Results of ``T``: right always in beta, in three repetitions of alpha for 10, 20 and 30 of its 30 frames."""
    truth = {"alpha": np.tile([50.0, 40.0, 20.0, 10.0], (30, 1)), "beta": np.tile([50.0, 40.0, 20.0, 10.0], (12, 1))}
    for name, right in (("alpha", (10, 20, 30)), ("beta", (12,))):
        folder = tmp_path / "results" / "T" / name
        folder.mkdir(parents=True)
        for number, frames in enumerate(right, start=1):
            boxes = truth[name].copy()
            boxes[frames:, 0] += 500
            np.savetxt(folder / f"{name}_{number:03d}.txt", boxes, delimiter=",")
    entries = tuple(Entry(name, lambda name=name: Sequence(name, truth[name])) for name in truth)  # type: ignore[misc]
    return Dataset("small", entries, "folder", "got10k", 0, tmp_path)


def test_got10k_pools_the_frames_of_all_repetitions(tmp_path: Path) -> None:
    board = score_results(tmp_path / "results", _repeated(tmp_path))
    score = board.main[0]
    assert score.figures["ao"] == pytest.approx((9 + 19 + 29 + 11) / (3 * 29 + 11))
    assert score.by_sequence["ao"].tolist() == pytest.approx([(9 + 19 + 29) / (3 * 29), 1])
    assert score.weights is not None
    assert score.weights.tolist() == [87, 11]
    assert score.mean(score.by_sequence["ao"]) == pytest.approx(score.figures["ao"])
    assert score.overlaps["alpha"].tolist() == [-1, *[1] * 9, *[0] * 20]  # of the first
    assert board.remarks == ()


def test_a_sequence_of_which_a_repetition_is_cut_short_is_missing(tmp_path: Path) -> None:
    dataset = _repeated(tmp_path)
    (tmp_path / "results" / "T" / "alpha" / "alpha_002.txt").write_text("1,2,3,4\n")
    board = score_results(tmp_path / "results", dataset, partial=True)
    assert board.main[0].missing == ("alpha",)
    assert "T/alpha_002.txt: 1 lines, shorter than its 30 frames" in board.remarks


def test_where_one_run_is_scored_the_first_repetition_is_with_a_remark(tmp_path: Path) -> None:
    dataset = _repeated(tmp_path)
    board = score_results(tmp_path / "results", dataset, protocol="ope")
    assert board.main[0].by_sequence["dp20"].tolist() == pytest.approx([10 / 30, 1])
    assert board.remarks == ("T: 3 repetitions of 1 (alpha), the first was used",)
    np.savetxt(tmp_path / "results" / "T" / "alpha.txt", dataset[0].boxes, delimiter=",")
    board = score_results(tmp_path / "results", dataset, protocol="ope")  # a run of its own, beside VOT's
    assert (board.main[0].by_sequence["dp20"].tolist(), board.remarks) == ([1, 1], ())


@pytest.mark.parametrize(("protocol", "tag", "rules"), [("got10k", "covered", "toolkit"), ("lasot", "absent", "pysot")])
def test_worst_frames_are_shown_by_the_numbers_they_have_in_the_sequence(
    tmp_path: Path, protocol: str, tag: str, rules: str
) -> None:
    boxes = np.tile([50.0, 40.0, 20.0, 10.0], (30, 1))
    unseen = np.arange(30) < 10
    unseen[0] = False
    frames = [np.zeros((120, 160, 3), dtype=np.uint8)] * 30
    sequence = Sequence("alpha", boxes, frames, tags={tag: unseen if tag == "absent" else ~unseen})
    dataset = Dataset("small", (Entry("alpha", lambda: sequence),), "folder", protocol, 0, tmp_path)  # type: ignore[arg-type]
    result = boxes.copy()
    result[[5, 20], 0] += 500
    (tmp_path / "results" / "T").mkdir(parents=True)
    np.savetxt(tmp_path / "results" / "T" / "alpha.txt", result, delimiter=",")
    (worst,) = worst_frames.collect(score_results(tmp_path / "results", dataset, (rules,)), 1, frames=1)
    assert [(picture.number, picture.overlap) for picture in worst.pictures] == [(20, 0)]


def test_each_set_of_rules_shows_its_own_figures(tmp_path: Path) -> None:
    dataset = replace(_dataset(tmp_path), protocol="lasot", layout="trackingnet")
    folder = tmp_path / "results" / "right"
    folder.mkdir(parents=True)
    np.savetxt(folder / "alpha.txt", dataset[0].boxes, delimiter=",")
    table = overall(score_results(tmp_path / "results", dataset, ("toolkit", "pysot")))
    assert [(column.group, column.title) for column in table.columns[1:7]] == [
        *[("toolkit", title) for title in ("AUC", "P", "P_norm")],
        *[("pysot", title) for title in ("AUC", "DP@20", "P_norm")],
    ]
    assert table.rows[0][5] == 1
