"""Looking through a data set: every kind of problem, each under its sequence."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rartrack.datasets import load_dataset
from rartrack.datasets.check import check, without_frames


@pytest.fixture
def video(tree):
    """A sequence of four good images with four boxes."""
    tree.images("good", [f"{number}.png" for number in range(4)])
    tree.boxes("good.txt", 4)
    return tree


def _problems(tree, deep=False):
    return {
        each.sequence: [finding.problem for finding in each.findings] for each in check(load_dataset(tree.root), deep)
    }


def test_a_good_set_has_no_problem(video):
    (checked,) = check(load_dataset(video.root), deep=True)
    assert (checked.frames, checked.has_frames, checked.findings) == (4, True, ())


def test_every_sequence_is_looked_at_whatever_the_others_lack(video):
    video.images("short", ["1.png", "2.png"])
    video.boxes("short.txt", 1)
    video.images("bad", ["1.png"])
    video.text("bad.txt", "1,2,3\n")
    video.images("bare", ["1.png"])
    problems = _problems(video)
    assert problems["good"] == []
    assert "1 lines, shorter than the 2 images" in problems["short"][0]
    assert "line 1 has 3 numbers" in problems["bad"][0]
    assert "no such file" in problems["bare"][0]


@pytest.mark.parametrize(
    ("numbers", "lines", "said"),
    [
        ([1, 2, 4, 5], 5, "4 images in FOLDER, where number 3 is missing"),
        ([1, 2, 5, 7], 7, "4 images in FOLDER, where numbers 3 to 4, 6 are missing"),
        ([1, 2, 3, 4], 5, "4 images in FOLDER"),  # of the end, or the beginning, nobody knows
        ([10, 20, 40, 50], 5, "4 images in FOLDER"),  # they do not count frames
        ([1, 3, 5, 7, 9, 11, 13], 13, "7 images in FOLDER, where numbers 2, 4, 6, 8, 10 and more are missing"),
    ],
)
def test_an_image_that_is_missing_from_their_numbers_is_named(tree, numbers, lines, said):
    tree.images("gap", [f"img{number:04d}.png" for number in numbers])
    tree.boxes("gap.txt", lines)
    (problem,) = _problems(tree)["gap"]
    assert problem.endswith(f"longer than the {said.replace('FOLDER', str(tree.root / 'gap'))}")


@pytest.mark.parametrize(
    ("name", "deep", "found"), [("3.png", False, True), ("1.png", False, False), ("1.png", True, True)]
)
def test_a_broken_image(video, name, deep, found):
    (video.root / "good" / name).write_bytes(b"\x89PNG")
    problems = _problems(video, deep)["good"]
    assert [name in problem for problem in problems] == ([True] if found else [])


def test_an_image_of_another_size(video):
    good = video.root / "good"
    cv2.imwrite(str(good / "3.png"), np.zeros((6, 9, 3), dtype=np.uint8))
    (problem,) = _problems(video)["good"]
    assert "3.png: 9x6 pixels, but 0.png is 8x6" in problem


def test_images_of_another_size_than_the_set_says(video):
    video.text("good.json", '{"width": 16, "height": 6}')
    assert _problems(video)["good"] == [
        "frame 0 has 8x6 pixels, 16x6 expected",
        "frame 3 has 8x6 pixels, 16x6 expected",
    ]


def test_a_first_frame_without_a_box(video):
    video.text("good.txt", "nan,nan,nan,nan\n" + "1,2,3,4\n" * 3)
    assert _problems(video)["good"] == ["the first frame has no box to start from: nan,nan,nan,nan"]


def test_an_annotation_whose_frames_are_missing(video):
    video.boxes("alone.txt", 2)
    (finding,) = without_frames(list(check(load_dataset(video.root))))
    assert finding.sequence == "alone"


def test_a_set_of_annotations_alone_is_no_problem(tree):
    tree.boxes("Deer/groundtruth_rect.txt", 71)
    checked = list(check(load_dataset(tree.root)))
    assert [each.findings for each in checked] == [()]
    assert without_frames(checked) == []


def test_what_a_benchmark_lacks_is_named(tree):
    tree.boxes("Deer/groundtruth_rect.txt", 71)
    checked = list(check(load_dataset("otb2013", tree.root)))
    assert len(checked) == 51
    assert sum(bool(each.findings) for each in checked) == 50
