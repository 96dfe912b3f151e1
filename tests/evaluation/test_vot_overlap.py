"""The benchmark's overlap: whole pixels, row by row."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from numpy.typing import NDArray

from rartrack.evaluation.vot_overlap import Cut, Grid, overlap, rasterise

PYTHON_TOOLKIT = Grid(rectangle_end=-1, halves="even", whole_size=True, lone_corners=True)
APRIL_2019 = Grid(rectangle_end=-1)


def area(region: list[float], grid: Grid | None = None, cut: Cut | None = None) -> int:
    return int(rasterise([region], grid or Grid()).area(cut)[0])


class TestPixels:
    @pytest.mark.parametrize(
        ("region", "pixels"),
        [
            pytest.param([0, 0, 4, 2], 5 * 3, id="a rectangle ends with the pixel of x + w"),
            pytest.param([0.4, 0.4, 4, 2], 5 * 3, id="corners are rounded"),
            pytest.param([0.5, 0, 4, 2], 5 * 3, id="halves go up"),
            pytest.param([-2.5, 0, 2.5, 2], 3 * 3, id="halves go up below zero too"),
            pytest.param([0, 0, 4, 0], 0, id="no height, no pixel"),
            pytest.param([0, 0, 0, 4], 0, id="no width, no pixel"),
            pytest.param([0, 0, 0, 2, 4, 2, 4, 0], 5 * 3, id="an upright polygon is a rectangle"),
            pytest.param([2, 0, 4, 2, 2, 4, 0, 2], 3 + 5 + 3, id="the two lone corners of a diamond hold nothing"),
            pytest.param([0, 0, 4, 4, 0, 4], 2 + 3 + 4 + 5, id="a triangle, its lone corner missing"),
            pytest.param([0, 0, 3, 2, 0, 2], 2 + 4, id="an edge between two pixels takes the left one"),
            pytest.param([0, 0, 4, 4, 4, 0, 0, 4], 5 + (2 + 2) + 5 + (2 + 2) + 5, id="a bow tie has two runs a row"),
        ],
    )
    def test_area(self, region: list[float], pixels: int) -> None:
        assert area(region) == pixels

    def test_a_rectangle_among_polygons_is_the_same_rectangle(self) -> None:
        alone = rasterise([[1.2, 3.4, 5.6, 7.8]])
        polygon = [0, 0, 9, 1, 8, 9, 1, 8]
        mixed = rasterise([[1.2, 3.4, 5.6, 7.8, *[np.nan] * 4], polygon])
        assert mixed.area(None)[0] == alone.area(None)[0]
        assert overlap(mixed, rasterise([[1.2, 3.4, 5.6, 7.8], [0, 0, 1, 1]]))[0] == 1

    def test_from_april_2019_a_rectangle_ends_a_pixel_earlier(self) -> None:
        assert area([0, 0, 4, 2], APRIL_2019) == 4 * 2
        assert area([0.3, 0, 4.4, 2], APRIL_2019) == 5 * 2

    def test_python_toolkit_rounds_the_size_and_keeps_lone_corners(self) -> None:
        assert area([0.4, 0, 4.4, 2], PYTHON_TOOLKIT) == 4 * 2
        assert area([0, 0, 2.5, 2], PYTHON_TOOLKIT) == 2 * 2
        assert area([2, 0, 4, 2, 2, 4, 0, 2], PYTHON_TOOLKIT) == 1 + 3 + 5 + 3 + 1

    def test_only_pixels_inside_the_cut_count(self) -> None:
        assert area([-2, -2, 4, 4], cut=Cut(9, 9)) == 3 * 3
        assert area([8, 8, 8, 8, 20, 8, 20, 20], cut=Cut(9, 9)) <= 2 * 2
        assert area([-9, 2, 4, 4], cut=Cut(9, 9)) == 0


class TestOverlap:
    def test_is_intersection_over_union_in_pixels(self) -> None:
        first, second = rasterise([[0, 0, 9, 9]]), rasterise([[5, 0, 9, 9]])
        assert overlap(first, second)[0] == pytest.approx(50 / 150)

    def test_a_cut_leaves_out_pixels_of_both(self) -> None:
        first, second = rasterise([[0, 0, 9, 9]]), rasterise([[5, 0, 9, 9]])
        assert overlap(first, second, Cut(9, 9))[0] == pytest.approx(50 / 100)

    @pytest.mark.parametrize("other", [[20.0, 20, 5, 5], [np.nan] * 4, [0.0, 0, 5, 0]])
    def test_apart_absent_or_empty_regions_overlap_nothing(self, other: list[float]) -> None:
        assert overlap(rasterise([[0, 0, 5, 5]]), rasterise([other]))[0] == 0

    def test_two_empty_regions_overlap_nothing(self) -> None:
        absent = rasterise([[np.nan] * 4])
        assert overlap(absent, absent)[0] == 0

    def test_a_region_of_a_million_pixels_a_side_costs_nothing(self) -> None:
        wild = rasterise([[-1e9, -1e9, 2e9, 2e9]])
        assert overlap(rasterise([[0, 0, 99, 99]]), wild, Cut(99, 99))[0] == 1

    def test_frames_do_not_mix(self) -> None:
        rng = np.random.default_rng(0)
        polygons, boxes = rng.uniform(-10, 90, (20, 8)), rng.uniform(0, 60, (20, 4))
        together = overlap(rasterise(polygons), rasterise(boxes), Cut(79, 79))
        alone = [
            overlap(rasterise(polygons[i : i + 1]), rasterise(boxes[i : i + 1]), Cut(79, 79))[0] for i in range(20)
        ]
        np.testing.assert_array_equal(together, alone)

    def test_agrees_with_pixels_counted_one_by_one(self) -> None:
        rng = np.random.default_rng(1)
        polygons, boxes = rng.uniform(0, 40, (50, 8)).round(), rng.uniform(0, 25, (50, 4)).round()
        boxes[:, 3] += 1
        ours = overlap(rasterise(polygons), rasterise(boxes), Cut(39, 39))
        masks = [(_painted(polygon), _painted(_corners(box))) for polygon, box in zip(polygons, boxes, strict=True)]
        expected = [(a & b).sum() / (a | b).sum() for a, b in masks]
        np.testing.assert_allclose(ours, expected)


def test_python_toolkits_polygons_are_those_of_the_trax_library() -> None:
    """libtrax 4 fills lone corners as the Python toolkit does; its own rectangles end at x + w - 1."""
    trax = pytest.importorskip("trax")
    from trax._ctypes import trax_bounds, trax_region_overlap

    rng = np.random.default_rng(2)
    polygons = rng.uniform(0, 79, (2, 300, 8))
    bounds = trax_bounds(top=0, left=0, right=79, bottom=79)
    theirs = []
    for pair in zip(*polygons, strict=True):
        one, other = (trax.Polygon.create([tuple(map(float, point)) for point in p.reshape(4, 2)]) for p in pair)
        theirs.append(ctypes.c_float(trax_region_overlap(one.reference, other.reference, bounds)).value)
    ours = overlap(rasterise(polygons[0], PYTHON_TOOLKIT), rasterise(polygons[1], PYTHON_TOOLKIT), Cut(79, 79))
    known = np.isfinite(theirs)
    differ = np.abs(ours - theirs)[known]
    assert differ.max() < 0.01  # a crossing at 11.999... or 12, hence a pixel
    assert np.mean(differ > 1e-6) < 0.02


def _corners(box: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, w, h = box
    return np.array([x, y, x + w, y, x + w, y + h, x, y + h])


def _painted(polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Paint a polygon of whole corners on 40 x 40 pixels by the rule as it is written down."""
    mask = np.zeros((70, 70), dtype=bool)
    points = polygon.reshape(-1, 2).astype(int).tolist()
    for row in range(70):
        meetings = []
        for (x1, y1), (x2, y2) in zip(points, [points[-1], *points[:-1]], strict=True):
            if y1 != y2 and min(y1, y2) <= row <= max(y1, y2):
                meetings.append(x1 + (row - y1) * (x2 - x1) // (y2 - y1))
        meetings.sort()
        while len(meetings) > 1:
            if meetings[0] == meetings[1]:
                meetings.pop(0)
                continue
            mask[row, meetings.pop(0) : meetings.pop(0) + 1] = True
    return mask[:40, :40]
