"""Raw results in every spelling in use, and what is said about those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rartrack.datasets import Dataset
from rartrack.datasets.dataset import Entry
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import raw

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


def test_two_files_for_one_sequence_are_refused(dataset: Dataset, tracker: Path) -> None:
    _write(tracker, "Jogging-1.txt")
    _write(tracker, "jogging.1.txt")
    with pytest.raises(InputError, match=r"are both Jogging-1; remove one"):
        raw.find_results(tracker, dataset)


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
    ],
)
def test_a_wrong_file_is_named_with_its_line(tracker: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.txt: .*{message}"):
        raw.read_boxes(_write(tracker, "a.txt", text))


TRUTH = np.ones((349, 4))


def test_tiger1_of_all_frames_loses_its_first_five() -> None:
    boxes = np.arange(354.0)[:, None].repeat(4, axis=1)
    fitted, remark = raw.fit(boxes, TRUTH, "Tiger1")
    assert (fitted[0, 0], len(fitted)) == (5, 349)
    assert remark is not None


def test_missing_last_lines_count_where_the_truth_is_invalid_there() -> None:
    truth = np.ones((3, 4))
    truth[2] = 0
    fitted, remark = raw.fit(np.ones((2, 4)), truth, "Board")
    assert len(fitted) == 3
    assert np.isnan(fitted[2]).all()
    assert remark is not None


def test_other_missing_lines_stay_missing_and_superfluous_ones_are_dropped() -> None:
    assert len(raw.fit(np.ones((2, 4)), np.ones((3, 4)), "Board")[0]) == 2
    fitted, remark = raw.fit(np.ones((5, 4)), np.ones((3, 4)), "Board")
    assert len(fitted) == 3
    assert remark == "5 lines for 3 frames, the first 3 were used"
