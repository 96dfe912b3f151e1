"""The other published layouts, each as a tiny tree: what is found, in whose numbers, and what a gap is told."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest

from rartrack.datasets import lasot, load_dataset, uav123
from rartrack.errors import InputError


class TestFolder:
    def test_images_beside_their_boxes(self, tree):
        tree.images("ours", ["2.png", "10.png", "1.png"])
        tree.text("ours.txt", "1,2,3,4\nnan,nan,nan,nan\n5,6,7,8\n")
        tree.text("ours.json", json.dumps({"attributes": ["OCC"], "width": 8, "height": 6, "rate": 25}))
        dataset = load_dataset(tree.root)
        (ours,) = dataset.sequences
        assert (dataset.layout, dataset.origin, dataset.protocol) == ("folder", 0, "ope")
        assert ours.boxes[0].tolist() == [1, 2, 3, 4]
        assert ours.visible.tolist() == [True, False, True]
        assert [int(image[0, 0, 0]) for image in ours.frames] == [2, 0, 1]
        assert (ours.attributes, ours.frame_size, ours.rate) == ({"OCC"}, (8, 6), 25)

    @pytest.mark.parametrize("text", ["Filmed in 2019.\n30 frames\n", "", "\ufeffÄ\n"])
    def test_a_text_that_is_of_no_sequence_is_left_out_with_a_word(self, tree, text):
        tree.images("ours", ["1.png"])
        tree.text("ours.txt", "1,2,3,4\n")
        tree.text("README.txt", text)
        with pytest.warns(UserWarning, match=r"README.txt: left out: it holds no boxes, and neither README.mp4"):
            assert load_dataset(tree.root).names == ("ours",)

    def test_a_damaged_annotation_is_none_of_these(self, tree):
        tree.images("ours", ["1.png"])
        tree.text("ours.txt", "words\n")
        tree.text("other.txt", "1,2,3,4\nwords\n")
        dataset = load_dataset(tree.root)
        for name in ("ours", "other"):
            with pytest.raises(InputError, match=r"is 'words', 4 expected"):
                dataset.entry(name).read()

    def test_a_video_without_boxes(self, tree):
        tree.text("a.txt", "1,2,3,4\n")
        (tree.root / "a.mp4").write_bytes(b"")
        (tree.root / "b.mp4").write_bytes(b"")
        with pytest.raises(InputError, match=r"b.txt: no such file; it should hold the boxes"):
            load_dataset(tree.root).entry("b").read()

    def test_a_video_that_is_counted_to_be_longer(self, tree):
        tree.text("a.txt", "1,2,3,4\n")
        tree.text("a.json", '{"frames": 3}')
        (tree.root / "a.mp4").write_bytes(b"")
        with pytest.raises(
            InputError, match=r"a.txt: 1 lines, shorter than the 3 frames of a.mp4, as a.json counts them"
        ):
            load_dataset(tree.root)[0]

    def test_a_video_is_counted_where_nothing_says_its_length(self, tree, shared):
        (tree.root / "girl.mp4").symlink_to(shared / "otb-dev" / "Girl.mp4")
        tree.boxes("girl.txt", 499)
        with pytest.raises(InputError, match=r"girl.txt: 499 lines, shorter than the 500 frames of girl.mp4"):
            load_dataset(tree.root)[0]

    def test_two_videos_of_one_name(self, tree):
        tree.text("a.txt", "1,2,3,4\n")
        (tree.root / "a.mp4").write_bytes(b"")
        (tree.root / "a.avi").write_bytes(b"")
        with pytest.raises(InputError, match=r"a has several videos \(a.avi, a.mp4\); keep one"):
            load_dataset(tree.root)[0]

    def test_a_video_as_cameras_name_it(self, tree):
        tree.text("GOPR01.txt", "1,2,3,4\n")
        tree.text("GOPR01.json", '{"frames": 1}')
        (tree.root / "GOPR01.MP4").write_bytes(b"")
        (found,) = load_dataset(tree.root)
        assert (found.name, found.frames.path.name) == ("GOPR01", "GOPR01.MP4")

    def test_names_in_any_script_and_names_that_are_nearly_alike(self, tree):
        names = ["кошка", "собака", "take-1", "take1", "café"]
        for name in names:
            tree.images(name, ["1.png"])
            tree.text(f"{name}.txt", "1,2,3,4\n")
        dataset = load_dataset(tree.root)
        for name in names:
            assert dataset.entry(name).name == name
        assert dataset.entry("Собака").name == "собака"
        assert dataset.entry(unicodedata.normalize("NFD", "café")).name == "café"
        with pytest.raises(InputError, match="no sequence 'Take_1'"):
            dataset.entry("Take_1")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('{"frames": "40"}', "frames: expected a whole number above 0, got '40'"),
            ('{"frames": 0}', "frames: expected a whole number above 0, got 0"),
            ('{"width": "64px", "height": 48}', "width: expected a whole number above 0, got '64px'"),
            ('{"rate": NaN}', "rate: expected a number above 0, got nan"),
            ('{"attributes": 3}', "attributes: expected a list of names, got 3"),
            ('{"attributes": "fast"}', "attributes: expected a list of names, got 'fast'"),
        ],
    )
    def test_a_description_of_another_kind(self, tree, content, said):
        tree.images("a", ["1.png"])
        tree.text("a.txt", "1,2,3,4\n")
        tree.text("a.json", content)
        with pytest.raises(InputError, match=f"a.json: {said}"):
            load_dataset(tree.root)[0]

    @pytest.mark.parametrize("content", ["{", "[1]"])
    def test_a_description_that_is_no_object(self, tree, content):
        tree.images("a", ["1.png"])
        tree.text("a.txt", "1,2,3,4\n")
        tree.text("a.json", content)
        with pytest.raises(InputError, match=r"a.json: (not JSON|expected an object)"):
            load_dataset(tree.root)[0]

    def test_real_development_set(self, shared):
        dataset = load_dataset(shared / "otb-dev")
        counts = {sequence.name: len(sequence) for sequence in dataset.sequences}
        assert len(counts) == 14
        assert (counts["Jogging_1"], counts["Football1"]) == (307, 74)
        assert dataset.entry("jogging-1").name == "Jogging_1"

    def test_real_training_set(self, shared):
        sequences = load_dataset(shared / "train").sequences
        assert len(sequences) == 110
        car = next(sequence for sequence in sequences if sequence.name == "tld_car")
        assert not car.visible[510]
        assert car.frame_size == (320, 240)


class TestGot10k:
    def _split(self, tree, split, name, lines):
        tree.images(f"{split}/{name}", ["00000001.jpg", "00000002.jpg", "00000003.jpg"])
        tree.boxes(f"{split}/{name}/groundtruth.txt", lines)
        tree.text(f"{split}/list.txt", f"{name}\n")

    def test_validation_has_labels_and_a_description(self, tree):
        self._split(tree, "val", "GOT-10k_Val_000001", 3)
        tree.text("val/GOT-10k_Val_000001/absence.label", "0\n1\n0\n")
        tree.text("val/GOT-10k_Val_000001/cover.label", "8\n0\n3\n")
        tree.text("val/GOT-10k_Val_000001/meta_info.ini", "[METAINFO]\nanno_fps: 10Hz\nresolution: (8, 6)\n")
        dataset = load_dataset("got10k-val", tree.root)
        (sequence,) = dataset.sequences
        assert (dataset.protocol, dataset.origin) == ("got10k", 1)
        assert sequence.boxes[0].tolist() == [0, 1, 3, 4]
        assert sequence.visible.tolist() == [True, False, True]
        assert sequence.tags["covered"].tolist() == [True, False, True]
        assert (sequence.frame_size, sequence.rate, len(sequence.frames)) == ((8, 6), 10, 3)

    def test_a_rate_that_is_no_number(self, tree):
        self._split(tree, "val", "GOT-10k_Val_000001", 3)
        tree.text("val/GOT-10k_Val_000001/meta_info.ini", "[METAINFO]\nanno_fps: ...Hz\n")
        assert load_dataset("got10k-val", tree.root)[0].rate is None

    def test_the_test_split_has_its_first_box_alone(self, tree):
        self._split(tree, "test", "GOT-10k_Test_000001", 1)
        (sequence,) = load_dataset("got10k-test", tree.root).sequences
        assert sequence.visible.tolist() == [True, False, False]

    def test_a_name_means_one_split_and_the_folder_means_all(self, tree):
        self._split(tree, "train", "GOT-10k_Train_000001", 3)
        self._split(tree, "val", "GOT-10k_Val_000001", 3)
        assert load_dataset("got10k-train", tree.root).names == ("GOT-10k_Train_000001",)
        assert len(load_dataset(tree.root)) == 2
        assert load_dataset(tree.root / "val").names == ("GOT-10k_Val_000001",)
        assert load_dataset("got10k-val", tree.root / "val").names == ("GOT-10k_Val_000001",)
        with pytest.raises(InputError, match="no sequence found"):
            load_dataset("got10k-val", tree.root / "train")

    def test_a_listed_sequence_that_is_missing(self, tree):
        self._split(tree, "val", "GOT-10k_Val_000001", 3)
        tree.text("val/list.txt", "GOT-10k_Val_000001\nGOT-10k_Val_000002\n")
        with pytest.raises(InputError, match="GOT-10k_Val_000002: no such folder"):
            load_dataset("got10k-val", tree.root)[1]


class TestLasot:
    def _video(self, tree, folder):
        tree.images(f"{folder}/img", ["00000001.jpg", "00000002.jpg", "00000003.jpg"])
        tree.boxes(f"{folder}/groundtruth.txt", 3)
        tree.text(f"{folder}/full_occlusion.txt", "0,1,0")
        tree.text(f"{folder}/out_of_view.txt", "0,0,1")

    def test_splits(self):
        test, train = set(lasot.members("test")), set(lasot.members("train"))
        assert (len(test), len(train), len(test | train)) == (280, 1120, 1400)
        assert {"airplane-1", "zebra-17"} <= test
        assert "airplane-2" in train

    @pytest.mark.parametrize("folder", ["airplane/airplane-1", "airplane-1"])
    def test_absent_is_occluded_or_out_of_view(self, tree, folder):
        self._video(tree, folder)
        dataset = load_dataset("lasot-test", tree.root, ["airplane-1"])
        (plane,) = dataset.sequences
        assert plane.boxes[0].tolist() == [0, 1, 3, 4]
        assert plane.visible.tolist() == [True, False, False]
        assert (len(plane.frames), dataset.protocol) == (3, "lasot")

    def test_a_folder_holds_what_is_there_in_the_order_of_numbers(self, tree):
        for number in (10, 2):
            self._video(tree, f"zebra/zebra-{number}")
        assert load_dataset(tree.root).names == ("zebra-2", "zebra-10")

    def test_a_missing_video_says_where_it_was_looked_for(self, tree):
        self._video(tree, "airplane/airplane-1")
        with pytest.raises(
            InputError, match=r"airplane-9 is missing; .*airplane/airplane-9 and .*/airplane-9 were looked for"
        ):
            load_dataset("lasot-test", tree.root)[1]


class TestTrackingNet:
    def _video(self, tree, chunk, name, lines):
        tree.images(f"{chunk}/frames/{name}", ["0.jpg", "2.jpg", "10.jpg"])
        tree.boxes(f"{chunk}/anno/{name}.txt", lines)

    def test_frames_in_the_order_of_their_numbers_and_boxes_from_zero(self, tree):
        self._video(tree, "TRAIN_10", "b", 3)
        self._video(tree, "TRAIN_2", "a", 3)
        self._video(tree, "TEST", "c", 1)
        train = load_dataset("trackingnet-train", tree.root)
        assert train.names == ("a", "b")
        assert [int(image[0, 0, 0]) for image in train[0].frames] == [0, 1, 2]
        assert train[0].boxes[0].tolist() == [1, 2, 3, 4]
        (test,) = load_dataset("trackingnet-test", tree.root).sequences
        assert test.visible.tolist() == [True, False, False]

    def test_one_chunk(self, tree):
        self._video(tree, "TRAIN_0", "a", 3)
        assert load_dataset(tree.root / "TRAIN_0").names == ("a",)

    def test_annotation_of_another_length(self, tree):
        self._video(tree, "TRAIN_0", "a", 2)
        with pytest.raises(InputError, match=r"a.txt: 2 lines, shorter than the 3 images"):
            load_dataset(tree.root)[0]


class TestUav123:
    def test_sizes_and_runs(self):
        runs = uav123.runs("UAV123")
        assert len(runs) == 123
        assert len({run.video for run in runs.values()}) == 91
        assert (runs["car6_3"].video, runs["car6_3"].first, runs["car6_3"].last) == ("car6", 1807, 2953)
        assert len(uav123.runs("UAV20L")) == 20

    def test_a_run_takes_its_part_of_the_video(self, tree):
        tree.images("data_seq/UAV123/person8", [f"{number:06}.jpg" for number in range(1070, 1530)])
        tree.text("anno/UAV123/person8_2.txt", "1,2,3,4\n" + "NaN,NaN,NaN,NaN\n" * 450)
        (run,) = load_dataset("uav123", tree.root, ["person8_2"]).sequences
        assert len(run.frames) == 451
        assert run.frames[0][0, 0, 0] == 5
        assert run.boxes[0].tolist() == [0, 1, 3, 4]
        assert run.visible.sum() == 1

    def test_an_annotation_of_another_run(self, tree):
        tree.boxes("anno/UAV123/bike2.txt", 3)
        with pytest.raises(InputError, match=r"bike2.txt: 3 lines, shorter than the 553 images 1 to 553 of bike2"):
            load_dataset("uav123", tree.root, ["bike2"])[0]


class TestNfs:
    def _video(self, tree, images, lines):
        tree.images("ball/30/ball", [f"{number + 1:05}.jpg" for number in range(images)])
        rows = "".join(f'0 {n} 2 {n + 3} 6 {n} {int(n == 8)} 0 1 "ball game"\n' for n in range(lines))
        tree.text("ball/30/ball.txt", rows)

    def test_every_eighth_line_belongs_to_an_image(self, tree):
        self._video(tree, 3, 20)
        (ball,) = load_dataset("nfs", tree.root).sequences
        assert ball.boxes.tolist() == [[0, 2, 3, 4], [8, 2, 3, 4], [16, 2, 3, 4]]
        assert ball.visible.tolist() == [True, False, True]
        assert (len(ball.frames), ball.rate) == (3, 30)

    def test_a_difference_of_one_is_the_data_sets_own(self, tree):
        self._video(tree, 4, 20)
        (ball,) = load_dataset("nfs", tree.root).sequences
        assert len(ball) == len(ball.frames) == 3

    def test_a_larger_difference_is_not(self, tree):
        self._video(tree, 9, 20)
        with pytest.raises(InputError, match=r"ball.txt: 3 lines, shorter than the 9 images"):
            load_dataset("nfs", tree.root)[0]

    def test_a_line_of_another_kind(self, tree):
        tree.text("ball/240/ball.txt", "1,2,3,4\n")
        with pytest.raises(InputError, match=r"ball.txt: line 1 is '1,2,3,4', expected track left top right bottom"):
            load_dataset("nfs240", tree.root)[0]


class TestTColor128:
    def test_the_range_says_which_images(self, tree):
        tree.images("Ball_ce/img", [f"{number:04}.jpg" for number in range(1, 9)])
        tree.boxes("Ball_ce/Ball_ce_gt.txt", 3)
        tree.text("Ball_ce/Ball_ce_frames.txt", "4,6\n")
        tree.text("Ball_ce/._Ball_ce_gt.txt", "Mac OS X")
        (ball,) = load_dataset("tcolor128", tree.root).sequences
        assert ball.frames[0][0, 0, 0] == 3
        assert ball.boxes[0].tolist() == [0, 1, 3, 4]

    def test_a_range_that_is_none(self, tree):
        tree.images("a/img", ["0001.jpg"])
        tree.boxes("a/a_gt.txt", 1)
        tree.text("a/a_frames.txt", "1\n")
        with pytest.raises(InputError, match=r"a_frames.txt: expected the numbers of the first and the last image"):
            load_dataset(tree.root)[0]


class TestIlsvrcVid:
    VIDEO = "VID/train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000001"

    def _frame(self, tree, number, objects):
        found = "".join(
            f"<object><trackid>{track}</trackid><name>n0{track}</name><bndbox><xmax>{x + 3}</xmax><xmin>{x}</xmin>"
            "<ymax>6</ymax><ymin>2</ymin></bndbox></object>"
            for track, x in objects
        )
        tree.text(f"Annotations/{self.VIDEO}/{number:06}.xml", f"<annotation>{found}</annotation>")

    def test_each_track_is_a_sequence(self, tree):
        tree.images(f"Data/{self.VIDEO}", [f"{number:06}.JPEG" for number in range(4)])
        for number, objects in enumerate([[(0, 1)], [(0, 2), (1, 5)], [(1, 6), (2, 9)], [(0, 4)]]):
            self._frame(tree, number, objects)
        dataset = load_dataset("ilsvrc-vid-train", tree.root)
        assert dataset.names == ("ILSVRC2015_train_00000001-0", "ILSVRC2015_train_00000001-1")
        first, second = dataset.sequences
        np.testing.assert_array_equal(first.boxes[[0, 1, 3]], [[1, 2, 3, 4], [2, 2, 3, 4], [4, 2, 3, 4]])
        assert first.visible.tolist() == [True, True, False, True]
        assert [int(image[0, 0, 0]) for image in second.frames] == [1, 2]
        assert (first.attributes, second.attributes) == ({"n00"}, {"n01"})

    def test_a_file_that_is_no_frames(self, tree):
        self._frame(tree, 0, [(0, 1)])
        tree.text(f"Annotations/{self.VIDEO}/000001 (copy).xml", "<annotation></annotation>")
        with pytest.raises(InputError, match=r"000001 \(copy\)\.xml: no frame's number"):
            load_dataset(tree.root)

    def test_a_broken_file_is_named(self, tree):
        tree.text(f"Annotations/{self.VIDEO}/000000.xml", "<annotation><object></object></annotation>")
        with pytest.raises(InputError, match=r"000000.xml: no <trackid>"):
            load_dataset(tree.root)
