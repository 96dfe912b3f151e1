"""Raw results in every spelling in use, and what is said about those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rartrack.datasets import Dataset
from rartrack.datasets.dataset import Entry
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import otb, raw
from rartrack.evaluation.rules import measure
from rartrack.evaluation.scoring import read_trajectories

NAMES = ("Jogging-1", "Jogging-2", "Human4-2", "Basketball", "Tiger1")
LINE = "1,2,3,4\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    entries = tuple(Entry(name, lambda name=name: Sequence(name, np.ones((3, 4)))) for name in NAMES)  # type: ignore[misc]
    return Dataset("otb2015", entries, "otb", "ope", 1, tmp_path)


@pytest.fixture
def tracker(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "KCF"
    folder.mkdir(parents=True)
    return folder


def _write(folder: Path, name: str, text: str = LINE) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Jogging-1.txt", "Jogging-1"),
        ("jogging_2.txt", "Jogging-2"),
        ("Jogging.1.txt", "Jogging-1"),
        ("human4.txt", "Human4-2"),
        ("Human4-2.txt", "Human4-2"),
        ("BASKETBALL.txt", "Basketball"),
        ("basketball_KCF.txt", "Basketball"),
        ("Basketball/Basketball_001.txt", "Basketball"),
        ("baseline/basketball/basketball_001.txt", "Basketball"),
        ("baseline/basketball.txt", "Basketball"),
        ("Baseline/basketball/basketball_001.txt", "Basketball"),
        ("OTB100/basketball.txt", "Basketball"),
        ("basketball_001.txt", "Basketball"),
        ("Jogging_1_001.txt", "Jogging-1"),
        ("Human4_2.txt", "Human4-2"),
        ("Human4.2.txt", "Human4-2"),
        ("Tiger1/tiger1.txt", "Tiger1"),
    ],
)
def test_names_are_known_in_every_spelling_in_use(dataset: Dataset, tracker: Path, spelling: str, name: str) -> None:
    path = _write(tracker, spelling)
    assert raw.find_results(tracker, dataset).files == {name: [path]}


def test_repetitions_come_in_order(dataset: Dataset, tracker: Path) -> None:
    paths = [_write(tracker, f"Tiger1/Tiger1_{number:03d}.txt") for number in (3, 1, 2)]
    assert raw.find_results(tracker, dataset).files == {"Tiger1": sorted(paths)}


def test_times_and_strangers_are_told_from_results(dataset: Dataset, tracker: Path) -> None:
    _write(tracker, "Lost.txt")
    times = _write(tracker, "Tiger1_time.txt", "0.1\n0.2\n")
    found = raw.find_results(tracker, dataset)
    assert (found.files, found.times, found.unknown) == ({}, {"Tiger1": times}, ["Lost"])
    assert raw.read_times(times).tolist() == [0.1, 0.2]


def test_a_sequence_may_be_called_as_times_are(tracker: Path, tmp_path: Path) -> None:
    entries = tuple(Entry(name, lambda name=name: Sequence(name, np.ones((3, 4)))) for name in ("lap_time", "dog"))  # type: ignore[misc]
    own = Dataset("own", entries, "folder", "ope", 0, tmp_path)
    boxes, times = _write(tracker, "lap_time.txt"), _write(tracker, "lap_time_time.txt", "0.1\n")
    found = raw.find_results(tracker, own)
    assert (found.files, found.times) == ({"lap_time": [boxes]}, {"lap_time": times})


def test_two_files_for_one_sequence_are_refused(dataset: Dataset, tracker: Path) -> None:
    _write(tracker, "Jogging-1.txt")
    _write(tracker, "jogging.1.txt", "5,6,7,8\n")
    with pytest.raises(InputError, match=r"are both Jogging-1; remove one"):
        raw.find_results(tracker, dataset)


def test_a_name_in_full_goes_before_a_part_of_it_and_equal_copies_are_one(dataset: Dataset, tracker: Path) -> None:
    _write(tracker, "Human4.txt", "5,6,7,8\n")
    full = _write(tracker, "Human4_2.txt")
    copies = [_write(tracker, name) for name in ("Basketball.txt", "basketball_KCF.txt")]
    found = raw.find_results(tracker, dataset).files
    assert found["Human4-2"] == [full]
    assert found["Basketball"][0] in copies


@pytest.mark.parametrize("spelt", ["{}_CF2", "otb_{}", "run-3_{}.old"])
def test_what_nearly_all_files_begin_or_end_in_is_no_part_of_the_names(
    dataset: Dataset, tracker: Path, spelt: str
) -> None:
    for name in ("Jogging-1", "Jogging-2", "Human4", "Basketball", "tiger1"):
        _write(tracker, f"{spelt.format(name)}.txt")
    _write(tracker, "readme.txt")
    found = raw.find_results(tracker, dataset)
    assert (set(found.files), found.unknown) == (set(NAMES), ["readme"])


def test_of_one_pass_and_repeated_runs_in_one_folder_each_reader_takes_its_own(dataset: Dataset, tracker: Path) -> None:
    once = _write(tracker, "Tiger1.txt")
    repeated = _write(tracker, "baseline/Tiger1/Tiger1_001.txt", "1\n")
    files = raw.find_results(tracker, dataset).files["Tiger1"]
    assert files[0] == once
    assert raw.repetitions(files) == [repeated]


def test_other_experiments_and_folders_of_times_are_no_results(dataset: Dataset, tracker: Path) -> None:
    path = _write(tracker, "baseline/tiger1/tiger1_001.txt")
    for experiment in ("realtime", "unsupervised"):
        _write(tracker, f"{experiment}/tiger1/tiger1_001.txt", "5,6,7,8\n")
    _write(tracker, "baseline/tiger1/tiger1_confidence.txt", "0.5\n")
    times = _write(tracker, "times/Basketball_time.txt", "0.1\n")
    found = raw.find_results(tracker, dataset)
    assert (found.files, found.times) == ({"Tiger1": [path]}, {"Basketball": times})


def test_folders_of_trackers_are_listed_and_others_left_out(tracker: Path) -> None:
    _write(tracker, "Tiger1.txt")
    (tracker.parent / "empty").mkdir()
    _write(tracker.parent, ".cache/x.txt")
    assert raw.tracker_folders(tracker.parent) == {"KCF": tracker}


def test_a_trackers_own_folder_is_not_taken_for_a_results_folder(tracker: Path) -> None:
    _write(tracker, "Tiger1.txt")
    with pytest.raises(InputError, match=f"pass {tracker.parent}"):
        raw.tracker_folders(tracker)
    with pytest.raises(InputError, match="no such folder"):
        raw.tracker_folders(tracker / "nothing")


@pytest.mark.parametrize("text", ["1,2,3,4\n5,6,7,8\n", "1\t2\t3\t4\r\n5 6 7 8", "1, 2,3\t4 \n5;6;7;8\n\n"])
def test_commas_tabs_and_spaces_in_any_mixture(tracker: Path, text: str) -> None:
    assert raw.read_boxes(_write(tracker, "a.txt", text)).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff1,2,3,4\r\n5,6,7,8\r\n",
        "1,2,3,4,\n5,6,7,8,\n",
        "x,y,w,h\n1,2,3,4\n5,6,7,8\n",
        "# left top width height\n\n1 2 3 4\n5 6 7 8\n",
        "[1, 2, 3, 4]\n(5.0, 6, 7, 8)\n",
        '"1";"2";"3";"4"\n"5";"6";"7";"8"\n',
        "1,1,2,3,4\n2,5,6,7,8\n",
        "1,2,3,4,0.9\n5,6,7,8,1\n",
        "1,2,4,2,4,6,1,6\n5,6,7,8\n",
        " 1.0e+00   2.0000  3 4\n\t5 6 7 8   \n\n \n",
    ],
)
def test_other_programs_files(tracker: Path, text: str) -> None:
    assert raw.read_boxes(_write(tracker, "a.txt", text)).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_a_target_that_moves_by_a_pixel_a_frame_is_no_column_of_frame_numbers(tracker: Path) -> None:
    scored = raw.read_boxes(_write(tracker, "scored.txt", "7,2,30,40,1\n8,2,30,40,0.5\n9,2,30,40,nan\n"))
    assert scored.tolist() == [[7, 2, 30, 40], [8, 2, 30, 40], [9, 2, 30, 40]]
    numbered = raw.read_boxes(_write(tracker, "numbered.txt", "7,2,3,30,40\n8,2,3,30,0\n9,2,3,30,40\n"))
    assert numbered.tolist() == [[2, 3, 30, 40], [2, 3, 30, 0], [2, 3, 30, 40]]
    lost = raw.read_boxes(_write(tracker, "lost.txt", "1,nan,nan,nan,nan\n2,nan,nan,nan,nan\n"))
    assert np.isnan(lost).all()


def test_line_ends_converted_twice_and_utf_16(tracker: Path) -> None:
    path = tracker / "a.txt"
    path.write_bytes(b"1,2,3,4\r\r\n" * 3)
    assert len(raw.read_boxes(path)) == 3
    path.write_text("1,2,3,4\n5,6,7,8\n", encoding="utf-16")
    assert len(raw.read_boxes(path)) == 2


def test_a_code_among_boxes_is_a_frame_without_one(tracker: Path) -> None:
    boxes = raw.read_boxes(_write(tracker, "a.txt", "1\n1,2,3,4\n2\n0\n"))
    assert np.isnan(boxes).all(axis=1).tolist() == [True, False, True, True]


@pytest.mark.parametrize("word", ["-nan(ind)", "1.#QNAN", "-1.#IND00", "None", "-NaN", "NA"])
def test_every_programs_word_for_no_number(tracker: Path, word: str) -> None:
    boxes = raw.read_boxes(_write(tracker, "a.txt", f"1,2,3,4\n{word},{word},{word},{word}\n"))
    assert np.isnan(boxes).sum(axis=1).tolist() == [0, 4]


def test_nan_is_read_as_it_stands(tracker: Path) -> None:
    boxes = raw.read_boxes(_write(tracker, "a.txt", "NaN,nan,NAN,nan\n1,nan,3,4\n"))
    assert np.isnan(boxes).sum(axis=1).tolist() == [4, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("1,2,3,4\n1,2,3\n", "line 2 has 3 numbers, 4 expected"),
        ("1,2,3,4\n1,2,3,4,5\n1,2,3\n", "line 2 has 5 numbers"),
        ("1,2,3,4\n1,x,3,4\n", "line 2 holds 'x'"),
        ("1,2,3,4\n\n1,2,3,4\n", "line 2 has 0 numbers"),
        ("1,2,3,4,70\n1,2,3,4,80\n", "line 1 has 5 numbers"),
        ("1\n2\n", "line 1 has 1 numbers"),
        ("no result\n", "line 1 holds 'no'"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tracker: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.txt: .*{message}"):
        raw.read_boxes(_write(tracker, "a.txt", text))


def _valid(frames: int) -> np.ndarray:
    return np.ones(frames, dtype=bool)


def test_tiger1_of_all_frames_loses_its_first_five() -> None:
    boxes = np.arange(354.0)[:, None].repeat(4, axis=1)
    fitted, remark = raw.fit(boxes, _valid(349), "Tiger1")
    assert (fitted[0, 0], len(fitted)) == (5, 349)
    assert remark is not None
    assert raw.fit(boxes, _valid(80), "Tiger1")[0][0, 0] == 5  # also where only its first 80 frames are asked for
    assert raw.fit(boxes, _valid(354), "")[0][0, 0] == 0  # somebody else's Tiger1


def test_missing_last_lines_count_where_the_truth_is_invalid_there() -> None:
    fitted, remark = raw.fit(np.ones((2, 4)), np.array([True, True, False, False, False]), "Board")
    assert len(fitted) == 5
    assert np.isnan(fitted[2:]).all()
    assert remark == "its last 3 lines are missing, where the truth is invalid"


@pytest.mark.parametrize(
    ("layout", "protocol", "origin", "x", "missing"),
    [
        ("otb", "ope", 0, 0.0, True),  # at the border: counted from 1, its x is 1
        ("otb", "ope", 0, -1.0, False),
        ("folder", "ope", 0, -1.0, True),
        ("otb", "ope", 1, -1.0, False),
        ("lasot", "lasot", 1, 0.0, True),
        ("lasot", "lasot", 1, -1.0, False),
        ("trackingnet", "lasot", 0, -5.0, True),  # whose rules hold no box invalid, nor do GOT-10k's
        ("got10k", "got10k", 1, -5.0, True),
    ],
)
def test_a_result_that_ends_where_the_target_is_at_the_border_is_cut_short_unless_that_is_invalid(
    tracker: Path, layout: str, protocol: str, origin: int, x: float, missing: bool
) -> None:
    boxes = np.tile([50.0, 40.0, 20.0, 10.0], (6, 1))
    boxes[2:, 0] = x
    sequence = Sequence("alpha", boxes)
    dataset = Dataset("small", (Entry("alpha", lambda: sequence),), layout, protocol, origin, tracker)  # type: ignore[arg-type]
    _write(tracker, "alpha.txt", LINE * 2)
    read = read_trajectories(tracker, dataset, {"alpha": sequence}, origin)
    assert read.missing == (["alpha"] if missing else [])
    assert any("alpha.txt: 2 lines, shorter than its 6 frames" in remark for remark in read.remarks) == missing


def test_one_missing_line_is_a_frame_without_a_box_that_each_set_of_rules_judges() -> None:
    fitted, remark = raw.fit(np.ones((2, 4)), _valid(3), "Board")
    assert (len(fitted), np.isnan(fitted[2]).all()) == (3, True)
    assert remark == "its last line is missing, which counts as frames without a box"
    truth = np.array([[10.0, 10, 20, 20]] * 3)
    short = raw.fit(truth[:2], _valid(3), "Board")[0]
    assert measure(short, truth, otb.TOOLKIT).overlap.tolist() == [1, 1, 1]  # the toolkit takes the previous box
    assert not measure(short, truth, otb.PYSOT).overlap[2] > 0


def test_more_missing_lines_stay_missing_and_superfluous_ones_are_dropped() -> None:
    assert len(raw.fit(np.ones((2, 4)), _valid(4), "Board")[0]) == 2
    fitted, remark = raw.fit(np.ones((5, 4)), _valid(3), "Board")
    assert len(fitted) == 3
    assert remark == "5 lines for 3 frames, the first 3 were used"
