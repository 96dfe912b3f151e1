"""VOT's text files of results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rartrack.errors import InputError
from rartrack.evaluation.vot_results import (
    Code,
    Trajectory,
    read_trajectory,
    trajectory_text,
)

POLYGON = [1.0, 2, 3, 2, 3, 4, 1, 4]


def test_codes_boxes_and_polygons_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [[1.0], [1.5, 2.25, 3, 4], POLYGON, [2.0], [0.0], [0.0], [0.0], [0.0], [1.0], [-0.1234, 0, 10000, 0.5]]
    path = tmp_path / "a_001.txt"
    path.write_text(trajectory_text(Trajectory.from_rows(rows)))
    assert path.read_text().splitlines()[:4] == ["1", "1.5,2.25,3,4", "1,2,3,2,3,4,1,4", "2"]
    assert read_trajectory(path).rows() == rows


def test_published_spellings(tmp_path: Path) -> None:
    path = tmp_path / "a_001.txt"
    path.write_text("1.0000\r\n1,2,3,4\r\n1\t2 3,4\r\n2.0000\r\n0.0000\r\nnan,nan,nan,nan\r\n\r\n")
    trajectory = read_trajectory(path)
    assert trajectory.codes.tolist() == [Code.STARTED, -1, -1, Code.FAILED, Code.SKIPPED, -1]
    np.testing.assert_array_equal(trajectory.regions[1], [1, 2, 3, 4])
    assert np.isnan(trajectory.regions[5]).all()


def test_equal_trajectories() -> None:
    first = Trajectory.from_rows([[1.0], [1, 2, 3, 4]])
    assert first.equals(Trajectory.from_rows([[1.0], [1, 2, 3, 4]]))
    assert not first.equals(Trajectory.from_rows([[1.0], [1, 2, 3, 5]]))
    assert not first.equals(Trajectory.from_rows([[1.0], [2.0]]))
    assert not first.equals(Trajectory.from_rows([[1.0], POLYGON]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("1\n1,2,3\n", "line 2 has 3 numbers"),
        ("1\n1,2,3,4,5\n", "line 2 has 5 numbers"),
        ("7\n", "line 1 has 1 numbers"),
        ("1\nfoo\n", "line 2 holds 'foo'"),
        ("1\n\n1,2,3,4\n", "line 2 has 0 numbers"),
        ("1\ninf,2,3,4\n", "line 2 holds an infinite number"),
    ],
)
def test_what_is_no_result_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a_001.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=f"a_001.txt: {message}"):
        read_trajectory(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a_001\.txt: No such file"):
        read_trajectory(tmp_path / "a_001.txt")
