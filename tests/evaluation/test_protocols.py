"""How OTB's protocols start a tracker: whole sequences, twenty segments, twelve disturbed boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rartrack.boxes import Box
from rartrack.datasets import Sequence, load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.protocols import DISTURBANCES, OPE, SRE, TRE, disturbed, first_box, starts


def sequence(frames: int, name: str = "one") -> Sequence:
    return Sequence(name, np.tile([10.0, 20, 30, 40], (frames, 1)))


class TestOnePass:
    def test_starts_in_the_first_frame_with_the_true_box(self):
        only = starts(OPE, sequence(9))
        assert [(start.number, start.frame) for start in only] == [(0, 0)]
        assert first_box(only[0], sequence(9), (100, 100)) == (10, 20, 30, 40)

    def test_starts_where_the_target_is_first_seen(self):
        late = sequence(9)
        late.boxes[:3] = np.nan
        assert starts(OPE, late)[0].frame == 3

    def test_no_box_at_all_is_an_error(self):
        never = sequence(2)
        never.boxes[:] = np.nan
        with pytest.raises(InputError, match="no annotated box"):
            starts(OPE, never)


class TestTemporal:
    @pytest.mark.parametrize("frames", [38, 71, 100, 400, 3872])
    def test_twenty_starts_from_the_first_to_the_last_that_leaves_twenty_frames(self, frames):
        begun = [start.frame for start in starts(TRE, sequence(frames))]
        assert len(begun) == 20
        assert (begun[0], begun[-1]) == (0, frames - 20)
        fits = frames - 19
        assert begun[:-1] == [math.floor(1 + part * fits / 19 + 1e-9) - 1 for part in range(19)]

    def test_they_are_numbered_from_one(self):
        assert [start.number for start in starts(TRE, sequence(100))] == list(range(1, 21))

    def test_none_starts_where_the_box_is_invalid_or_leaves_the_image_at_the_left_or_top(self):
        spoilt = sequence(100)
        spoilt.boxes[20:40, 2] = 0
        spoilt.boxes[50:60, 0] = -1  # 1-based 0: the toolkit asks for more than 0
        spoilt.boxes[60:70, 0] = -0.5
        begun = {start.frame for start in starts(TRE, spoilt)}
        assert not begun & {*range(20, 40), *range(50, 60)}
        assert begun & set(range(60, 70))

    def test_a_sequence_too_short_for_a_segment_has_one_start(self):
        assert [start.frame for start in starts(TRE, sequence(19))] == [0]

    def test_none_starts_where_the_benchmark_left_frames_out(self):
        # Matrix has 100 images, of which the toolkit leaves out 36 to 40.
        plain = {start.frame for start in starts(TRE, sequence(100, "other"))}
        benchmark = {start.frame for start in starts(TRE, sequence(100, "Matrix"))}
        assert plain & set(range(35, 40))
        assert not benchmark & set(range(35, 40))

    def test_a_sequence_of_the_same_name_but_another_length_is_not_the_benchmarks(self):
        assert starts(TRE, sequence(99, "Matrix")) == starts(TRE, sequence(99, "other"))

    def test_image_numbers_count_from_the_first_evaluated_image(self, shared):
        # Tiger1 is read from image 6 on; images 9 to 15 and 18 to 29 are left out.
        tiger = load_dataset("otb2015", shared / "annotations", ["Tiger1"])[0]
        begun = [start.frame + 6 for start in starts(TRE, tiger)]
        assert begun[0] == 6
        assert not set(begun) & {*range(9, 16), *range(18, 30), *range(332, 355)}

    def test_every_sequence_of_the_benchmark_has_twenty(self, shared):
        for each in load_dataset("otb2015", shared / "annotations"):
            begun = [start.frame for start in starts(TRE, each)]
            assert len(begun) == 20, each.name
            assert begun == sorted(begun)
            assert (each.boxes[begun, 2:] > 0).all()


def one_based(box: tuple[float, ...], name: str, size: tuple[int, int] = (320, 240)) -> tuple[float, ...]:
    """Disturb a 1-based box as the toolkit's own text has it."""
    by_name = {each.name: each for each in DISTURBANCES}
    x, y, w, h = disturbed(Box(box[0] - 1, box[1] - 1, box[2], box[3]), by_name[name], size)
    return x + 1, y + 1, w, h


class TestSpatial:
    def test_twelve_starts_in_the_first_frame(self):
        begun = starts(SRE, sequence(30))
        assert [start.number for start in begun] == list(range(1, 13))
        assert {start.frame for start in begun} == {0}
        assert [start.disturbance.name for start in begun[:2]] == ["left", "right"]

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("left", (96, 50, 40, 20)),
            ("right", (104, 50, 40, 20)),
            ("up", (100, 48, 40, 20)),
            ("down", (100, 52, 40, 20)),
            ("topLeft", (96, 48, 44, 22)),
            ("topRight", (100, 48, 44, 22)),
            ("bottomLeft", (96, 50, 44, 22)),
            ("bottomRight", (100, 50, 44, 22)),
            ("scale_8", (104, 52, 32, 16)),
            ("scale_9", (102, 51, 36, 18)),
            ("scale_11", (98, 49, 44, 22)),
            ("scale_12", (96, 48, 48, 24)),
        ],
    )
    def test_a_tenth_of_the_size_outward_or_eight_to_twelve_tenths_of_it(self, name, expected):
        assert one_based((100, 50, 40, 20), name) == expected

    def test_shifts_are_rounded_up_and_halves_away_from_zero(self):
        assert one_based((100, 50, 41, 21), "left")[0] == 95  # 4.1 -> 5
        assert one_based((11, 50, 25, 20), "topLeft")[0] == 9  # 8.5 -> 9

    def test_a_box_over_the_edge_of_the_frame_is_cut_or_moved_in(self):
        assert one_based((2, 50, 40, 20), "left") == (1, 50, 40, 20)
        assert one_based((290, 50, 31, 20), "right") == (294, 50, 27, 20)
        assert one_based((100, 221, 40, 20), "down") == (100, 223, 40, 18)

    def test_the_run_gets_the_disturbed_box(self):
        start = starts(SRE, sequence(30))[3]
        assert first_box(start, sequence(30), (100, 100)) == (10, 24, 30, 40)
