"""OTB: which frames of which video, in whose numbers, under which name."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rartrack.datasets import load_dataset, otb
from rartrack.errors import InputError


def _video(tree, folder, images, lines, annotation="groundtruth_rect.txt", digits=4):
    tree.images(f"{folder}/img", [f"{number:0{digits}}.jpg" for number in images])
    return tree.boxes(f"{folder}/{annotation}", lines)


class TestBenchmark:
    def test_sizes(self):
        assert len(otb.members("otb2013")) == 51
        assert len(otb.members("otb50")) == 50
        assert len(otb.members("otb2015")) == 100
        assert len({target.video for target in otb.targets().values()}) == 98

    def test_annotated_images_that_are_not_the_whole_video(self):
        ranges = {name: (target.first, target.last) for name, target in otb.targets().items()}
        assert ranges["David"] == (300, 770)
        assert ranges["BlurCar1"] == (247, 988)
        assert ranges["BlurCar3"] == (3, 359)
        assert ranges["BlurCar4"] == (18, 397)
        assert ranges["Football1"] == (1, 74)
        assert ranges["Freeman3"] == (1, 460)
        assert ranges["Freeman4"] == (1, 283)
        assert ranges["Diving"] == (1, 215)

    def test_only_tiger1_loses_its_first_frames(self):
        assert {name: target.omit for name, target in otb.targets().items() if target.omit} == {"Tiger1": 5}

    @pytest.mark.parametrize(
        ("benchmark", "counts"),
        [
            ("otb2015", [38, 63, 64, 49, 44, 29, 39, 51, 14, 31, 9]),
            ("otb2013", [25, 39, 28, 29, 19, 12, 17, 31, 6, 21, 4]),
        ],
    )
    def test_attribute_counts_are_those_papers_print(self, benchmark, counts):
        found = Counter(name for member in otb.members(benchmark) for name in otb.targets()[member].attributes)
        assert [found[name] for name in otb.ATTRIBUTES] == counts

    @pytest.mark.parametrize(
        ("spelling", "name"),
        [
            ("Jogging-1", "Jogging-1"),
            ("jogging_1", "Jogging-1"),
            ("Jogging.2", "Jogging-2"),
            ("skating2-2", "Skating2-2"),
            ("FaceOcc1", "FaceOcc1"),
            ("faceocc1", "FaceOcc1"),
            ("Fleetface", "FleetFace"),
            ("Human4", "Human4-2"),
            ("human4.2", "Human4-2"),
            ("carDark", "CarDark"),
            ("Nobody", None),
        ],
    )
    def test_names_in_any_spelling(self, spelling, name):
        assert otb.official_name(spelling) == name


class TestFolder:
    def test_boxes_become_zero_based(self, tree):
        _video(tree, "Deer", range(1, 72), 71)
        (deer,) = load_dataset(tree.root).sequences
        np.testing.assert_array_equal(deer.boxes[:2], [[0, 1, 3, 4], [1, 1, 3, 4]])
        assert deer.attributes == {"MB", "FM", "IPR", "BC", "LR"}

    def test_images_are_taken_by_their_numbers(self, tree):
        _video(tree, "BlurCar3", range(400), 357)
        (sequence,) = load_dataset(tree.root).sequences
        assert len(sequence) == len(sequence.frames) == 357
        assert sequence.frames[0][0, 0, 0] == 3

    def test_tiger1_starts_at_its_sixth_frame(self, tree):
        _video(tree, "Tiger1", range(1, 355), 354)
        (tiger,) = load_dataset(tree.root).sequences
        assert len(tiger) == len(tiger.frames) == 349
        assert tiger.boxes[0, 0] == 5
        assert tiger.frames[0][0, 0, 0] == 5

    def test_tiger1_whose_annotation_starts_there_already(self, tree):
        _video(tree, "Tiger1", range(1, 355), 349)
        (tiger,) = load_dataset(tree.root).sequences
        assert len(tiger) == 349
        assert tiger.boxes[0, 0] == 0

    def test_five_digits(self, tree):
        _video(tree, "Board", range(1, 699), 698, digits=5)
        assert len(load_dataset(tree.root).sequences[0].frames) == 698

    def test_two_targets_share_their_images(self, tree):
        _video(tree, "Jogging", range(1, 308), 307, "groundtruth_rect.1.txt")
        tree.boxes("Jogging/groundtruth_rect.2.txt", 307)
        dataset = load_dataset(tree.root)
        assert dataset.names == ("Jogging-1", "Jogging-2")
        assert [len(sequence.frames) for sequence in dataset] == [307, 307]

    def test_of_human4_the_second_target_counts(self, tree):
        _video(tree, "Human4", range(1, 668), 667, "groundtruth_rect.1.txt")
        tree.text("Human4/groundtruth_rect.2.txt", "9,9,9,9\n" * 667)
        (human,) = load_dataset("otb2015", tree.root, ["Human4"]).sequences
        assert human.name == "Human4-2"
        assert human.boxes[0].tolist() == [8, 8, 9, 9]
        (alone,) = load_dataset(tree.root).sequences
        assert (alone.name, alone.boxes[0].tolist()) == ("Human4-2", [8, 8, 9, 9])

    def test_a_target_with_a_folder_of_its_own(self, tree):
        _video(tree, "Skating2-1", range(1, 474), 473)
        (sequence,) = load_dataset("OTB-2015", tree.root, ["skating2.1"]).sequences
        assert sequence.name == "Skating2-1"

    def test_a_video_of_ones_own_in_this_layout(self, tree):
        _video(tree, "Mine", range(7, 10), 3)
        (mine,) = load_dataset(tree.root).sequences
        assert mine.name == "Mine"
        assert len(mine.frames) == 3

    def test_annotation_without_images_is_enough_to_score(self, tree):
        tree.boxes("Deer/groundtruth_rect.txt", 71)
        assert load_dataset(tree.root).sequences[0].frames is None

    def test_loading_reads_no_image(self, tree):
        _video(tree, "Mine", range(3), 3)
        for path in (tree.root / "Mine" / "img").iterdir():
            path.write_bytes(b"")
        assert len(load_dataset(tree.root).sequences[0].frames) == 3


class TestBadInput:
    @pytest.mark.parametrize(("lines", "wrong"), [(70, "shorter"), (72, "longer")])
    def test_annotation_of_another_length(self, tree, lines, wrong):
        _video(tree, "Deer", range(1, 72), lines)
        with pytest.raises(InputError, match=f"groundtruth_rect.txt: {lines} lines, {wrong} than Deer's 71 annotated"):
            load_dataset(tree.root).sequences  # noqa: B018

    @pytest.mark.parametrize(("lines", "wrong"), [(2, "shorter"), (4, "longer")])
    def test_ones_own_video_with_an_annotation_of_another_length(self, tree, lines, wrong):
        _video(tree, "Mine", range(3), lines)
        with pytest.raises(InputError, match=f"{lines} lines, {wrong} than the 3 images in .*img"):
            load_dataset(tree.root)[0]

    def test_missing_images_are_counted_and_the_first_is_named(self, tree):
        _video(tree, "Deer", [number for number in range(1, 72) if number not in (5, 9)], 71)
        with pytest.raises(InputError, match=r"Deer.img: 2 of images 1 to 71 are missing, first 5; it holds 1 to 71"):
            load_dataset(tree.root)[0]

    def test_a_misnamed_annotation_is_shown(self, tree):
        _video(tree, "Couple", range(1, 141), 140)
        _video(tree, "Deer", range(1, 72), 71, "groundtruth.txt")
        with pytest.raises(InputError, match=r"Deer: no groundtruth_rect.txt; the folder holds groundtruth.txt"):
            load_dataset(tree.root)[1]

    def test_a_missing_sequence_of_the_benchmark(self, tree):
        _video(tree, "Dear", range(1, 72), 71)
        dataset = load_dataset("otb2013", tree.root)
        with pytest.raises(InputError, match=r"Deer is missing; a folder Deer/ was looked for; did you mean 'Dear'\?"):
            dataset.entry("Deer").read()


class TestReal:
    def test_all_hundred_annotations(self, shared):
        sequences = load_dataset("otb2015", shared / "annotations").sequences
        assert len(sequences) == 100
        for sequence in sequences:
            target = otb.targets()[sequence.name]
            assert len(sequence) == target.last - target.first + 1 - target.omit
            assert sequence.frames is None
        assert len(next(sequence for sequence in sequences if sequence.name == "Tiger1")) == 349
        assert sum(len(sequence) for sequence in sequences) == 59035

    def test_invalid_boxes_are_kept_as_the_benchmark_wrote_them(self, shared):
        boxes = {sequence.name: np.add(sequence.boxes, [1, 1, 0, 0]) for sequence in load_dataset("otb2015", shared)}
        invalid = {name: int((rows <= 0).any(axis=1).sum()) for name, rows in boxes.items()}
        assert {name: count for name, count in invalid.items() if count} == {
            "Biker": 7,
            "Board": 1,
            "Crowds": 1,
            "Twinnings": 1,
        }

    def test_otb2013_is_a_part_of_it(self, shared):
        dataset = load_dataset("otb2013", shared / "annotations" / "otb")
        assert len(dataset.sequences) == 51
        assert dataset.origin == 1

    def test_images_and_boxes_agree_with_the_copies_as_video(self, shared):
        copies = load_dataset(shared / "otb-dev")
        originals = load_dataset(shared / "otb-layout").sequences
        assert [sequence.name for sequence in originals] == ["Couple", "Crossing", "KiteSurf"]
        for original in originals:
            copy = copies.entry(original.name).read()
            assert len(original.frames) == len(copy.frames) == len(copy)
            np.testing.assert_array_equal(original.boxes, copy.boxes)
            assert original.frames[0].shape == copy.frames[0].shape
