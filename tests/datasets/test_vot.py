"""VOT: polygons, tags, and the files that describe a sequence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rartrack.cli.main import main
from rartrack.datasets import load_dataset, vot
from rartrack.errors import InputError

POLYGON = "1,1,5,1,5,4,1,4\n"


def _sequence(tree, name, frames=3, folder="color"):
    tree.images(f"{name}/{folder}", [f"{number + 1:08}.jpg" for number in range(frames)])
    tree.text(f"{name}/groundtruth.txt", POLYGON * frames)


@pytest.mark.parametrize("benchmark", ["vot2016", "vot2017", "vot2018", "vot2019"])
def test_each_year_has_sixty_sequences(benchmark):
    assert len(set(vot.members(benchmark))) == 60


def test_vot2017_and_vot2018_are_the_same_sequences():
    assert vot.members("vot2017") == vot.members("vot2018")


@pytest.mark.parametrize("folder", ["color", "."])
def test_images_lie_in_color_or_beside_the_annotation(tree, folder):
    _sequence(tree, "ball", folder=folder)
    (ball,) = load_dataset(tree.root).sequences
    assert len(ball.frames) == 3
    assert ball.boxes[0].tolist() == [1, 1, 4, 3]
    assert ball.polygons.shape == (3, 8)


def test_the_sequence_file_says_where_the_images_lie_and_how_large_they_are(tree):
    _sequence(tree, "ball", folder="rgb")
    tree.text("ball/sequence", "channels.color=rgb/%08d.jpg\nfps=30\nwidth=8\nheight=6\n")
    (ball,) = load_dataset(tree.root).sequences
    assert len(ball.frames) == 3
    assert (ball.frame_size, ball.rate) == ((8, 6), 30.0)


def test_tags_may_end_early(tree):
    _sequence(tree, "ball")
    tree.text("ball/occlusion.tag", "0\n1\n")
    tree.text("ball/camera_motion.label", "1\n1\n1\n")
    tree.text("ball/._occlusion.tag", "Mac OS X")
    (ball,) = load_dataset(tree.root).sequences
    assert ball.tags["occlusion"].tolist() == [False, True, False]
    assert ball.tags["camera_motion"].all()


def test_the_list_says_which_sequences_there_are(tree):
    _sequence(tree, "ball")
    _sequence(tree, "bag")
    tree.text("list.txt", "ball\r\nbook\r\n")
    dataset = load_dataset(tree.root)
    assert dataset.names == ("ball", "book")
    with pytest.raises(InputError, match="book: no such folder; sequence book was looked for there"):
        dataset[1]


def test_annotation_of_another_length(tree):
    _sequence(tree, "ball")
    tree.text("ball/groundtruth.txt", POLYGON * 2)
    with pytest.raises(InputError, match=r"groundtruth.txt: 2 lines, shorter than the 3 images in .*color"):
        load_dataset(tree.root)[0]


class TestOneFile:
    def _write(self, tree, **video):
        return tree.text(
            "vot2018.json", json.dumps({"bag": {"gt_rect": [[1, 1, 5, 1, 5, 4, 1, 4], [1, 2, 3, 4]], **video}})
        )

    def test_polygons_boxes_tags_and_size(self, tree):
        path = self._write(tree, occlusion=[0, 1], size_change=[], width=8, height=6)
        (bag,) = load_dataset(path).sequences
        assert bag.boxes.tolist() == [[1, 1, 4, 3], [1, 2, 3, 4]]
        assert np.isnan(bag.polygons[1]).all()
        assert bag.tags["occlusion"].tolist() == [False, True]
        assert bag.tags["size_change"].tolist() == [False, False]
        assert (bag.frame_size, bag.frames) == ((8, 6), None)

    def test_frames_are_found_beside_it(self, tree):
        tree.images("bag/color", ["1.jpg", "2.jpg"])
        (bag,) = load_dataset(self._write(tree, img_names=["bag/color/1.jpg", "bag/color/2.jpg"])).sequences
        assert len(bag.frames) == 2

    def test_a_polygon_with_six_numbers(self, tree):
        path = tree.text("a.json", json.dumps({"bag": {"gt_rect": [[1, 1, 5, 1, 5, 4]]}}))
        with pytest.raises(InputError, match=r"bag, gt_rect\[0\] has 6 numbers, 4 or 8 expected"):
            load_dataset(path)[0]

    @pytest.mark.parametrize(
        ("video", "problem"),
        [
            ({"gt_rect": [[1, 1, "wide", 4]]}, "bag, gt_rect[0] holds 'wide', numbers expected"),
            ({"gt_rect": [[1, 1, [3], 4]]}, "bag, gt_rect[0] holds '[3]', numbers expected"),
            ({"gt_rect": [[1, 1, float("inf"), 4]]}, "bag, gt_rect[0] holds an infinite number"),
            ({"gt_rect": "none"}, "...}; bag is not so"),
            ({"occlusion": ["yes"]}, "bag, occlusion holds 'yes', numbers expected"),
            ({"occlusion": "yes"}, "bag, occlusion is 'yes', a list of 0 and 1 expected"),
            ({"width": "wide", "height": 4}, "bag, width or height holds 'wide', numbers expected"),
            ({"width": -8, "height": 4}, "bag has a width and height of -8 and 4, 1 and more expected"),
            ({"img_names": 5}, "bag, img_names: a list of the images' names expected"),
            ({"img_names": [5]}, "bag, img_names: a list of the images' names expected"),
        ],
    )
    def test_what_is_wrong_is_one_line_that_names_file_and_sequence(self, tree, video, problem, capsys):
        path = tree.text("a.json", json.dumps({"bag": {"gt_rect": [[1, 1, 3, 4]], **video}}))
        assert main(["data", "check", str(path)]) == 2
        output = capsys.readouterr()
        (line,) = [line for line in (output.out + output.err).splitlines() if f"{path}: " in line]
        assert line.endswith(problem)

    @pytest.mark.parametrize("content", ["{", "[]", '{"bag": {}}'])
    def test_a_file_of_another_kind(self, tree, content):
        with pytest.raises(InputError, match=r"a.json: (not JSON|expected)"):
            load_dataset(tree.text("a.json", content))

    def test_otb_in_one_file_is_refused_for_its_boxes_are_counted_from_one(self, tree):
        path = tree.text("OTB100.json", json.dumps({"Deer": {"gt_rect": [[1, 2, 3, 4]]}}))
        with pytest.raises(InputError, match="give OTB's own folders"):
            load_dataset(path)


class TestReal:
    def test_layout(self, shared):
        bag, motocross = load_dataset(shared / "vot-layout").sequences
        assert (bag.name, len(bag), len(bag.frames), bag.frame_size) == ("bag", 196, 196, (480, 360))
        assert (motocross.name, len(motocross), len(motocross.frames)) == ("motocross1", 164, 164)
        for sequence in (bag, motocross):
            assert set(sequence.tags) == set(vot.TAGS)
            assert sequence.frames[0].shape[1::-1] == sequence.frame_size
        counts = {tag: int(flags.sum()) for tag, flags in bag.tags.items()}
        lines = {tag: (shared / "vot-layout" / "bag" / f"{tag}.tag").read_text().split() for tag in vot.TAGS}
        assert counts == {tag: values.count("1") for tag, values in lines.items()}

    def test_layout_and_one_file_agree(self, shared):
        folder = load_dataset("vot2018", shared / "vot-layout", ["bag"])[0]
        single = load_dataset("vot2018", shared / "annotations", ["bag"])[0]
        assert (folder.frames is None, single.frames is None) == (False, True)
        np.testing.assert_array_equal(folder.polygons, single.polygons)
        for tag in vot.TAGS:
            np.testing.assert_array_equal(folder.tags[tag], single.tags[tag])

    @pytest.mark.parametrize(("name", "frames"), [("vot2017", 21356), ("vot2018", 21356), ("vot2019", 19935)])
    def test_annotations(self, shared, name, frames):
        dataset = load_dataset(name, shared)
        assert (len(dataset), dataset.protocol, dataset.origin) == (60, "vot", 0)
        assert sum(len(sequence) for sequence in dataset.sequences) == frames
        boxed = [sequence.name for sequence in dataset.sequences if sequence.polygons is None]
        assert boxed == ["conduction1"]
