"""Results drawn on a frame: where, in which colours, and that any frame and any box can be drawn."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rartrack.boxes import Box
from rartrack.errors import InputError
from rartrack.results import Result, Status
from rartrack.video.overlay import PALETTE, draw


def result(box: tuple[float, ...], status: str = "tracked", score: float = 0.9) -> Result:
    return Result(Box(*box), score, Status(status))


def frame(width: int = 640, height: int = 360, value: int = 128) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def pixels_of(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((image == colour).all(axis=-1))


BOX = (200, 150, 80, 60)


def test_the_frame_itself_is_left_alone() -> None:
    image = frame()
    drawn = draw(image, {"dog": result(BOX)})
    assert (image == 128).all()
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    assert (drawn != image).any()


def test_nothing_to_draw_changes_nothing() -> None:
    np.testing.assert_array_equal(draw(frame(), {}), frame())


def test_a_box_is_drawn_around_its_pixels_and_not_over_them() -> None:
    drawn = draw(frame(), {"": result(BOX, score=math.nan)})
    assert (drawn[150:210, 200:280] == 128).all(), "the inside shows the picture"
    rows, columns = np.nonzero(pixels_of(drawn, PALETTE[0]))
    assert (columns.min(), rows.min()) == pytest.approx((197, 147), abs=1)
    assert (columns.max(), rows.max()) == pytest.approx((282, 212), abs=1)
    assert (drawn[:140] == 128).all(), "without name and score there is no plate"


def test_each_target_has_its_own_colour_by_its_place() -> None:
    both = {"a": result(BOX), "b": result((400, 150, 80, 60))}
    drawn = draw(frame(), both)
    assert pixels_of(drawn, PALETTE[0])[:, :350].any()
    assert pixels_of(drawn, PALETTE[1])[:, 390:].any()
    assert not pixels_of(drawn, PALETTE[1])[:, :350].any()


def test_more_targets_than_colours() -> None:
    many = {str(number): result((20 * number, 100, 12, 12), score=math.nan) for number in range(3 * len(PALETTE))}
    drawn = draw(frame(), many)
    for number in range(len(many)):
        own = pixels_of(drawn, PALETTE[number % len(PALETTE)])
        assert own[96:118, max(0, 20 * number - 3) : 20 * number + 15].any(), number


def test_colours_lie_apart_and_dark_text_can_be_read_on_them() -> None:
    for a, b in combinations(PALETTE, 2):
        assert np.abs(np.subtract(a, b)).sum() > 90
    assert all(0.3 * red + 0.59 * green + 0.11 * blue > 130 for red, green, blue in PALETTE)


def test_status_is_seen_without_reading() -> None:
    """Solid, then dashed, then grey."""
    line = {}
    for status in Status:
        drawn = draw(frame(), {"": Result(Box(*BOX), math.nan, status)})
        colour = (205, 205, 205) if status is Status.LOST else PALETTE[0]
        line[status] = pixels_of(drawn, colour)[:, 193:200].any(axis=1)[152:208]
    assert line[Status.TRACKED].all()
    for status in (Status.UNCERTAIN, Status.LOST):
        gaps = np.count_nonzero(np.diff(line[status].astype(int)))
        assert line[status].any()
        assert gaps >= 4


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_box_stands_out_from_any_background(value: int) -> None:
    drawn = draw(frame(value=value), {"": result(BOX)})
    line = drawn[180, 190:206].astype(int).sum(axis=1)
    assert line.max() - line.min() > 250, "a bright line in a dark rim"


def test_name_score_and_status_stand_on_a_plate_above_the_box() -> None:
    plate = pixels_of(draw(frame(), {"dog": result(BOX)}), PALETTE[0])[120:147, 195:300]
    longer = pixels_of(draw(frame(), {"dog": result(BOX, "uncertain")}), PALETTE[0])[120:147, 195:400]
    assert plate.sum() > 500
    assert longer.any(axis=0).sum() > plate.any(axis=0).sum() + 30


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\rb", "a\x00b", "a\x7fb", "a\u2028b"])
def test_control_characters_in_a_name_are_written_as_spaces(name: str) -> None:
    np.testing.assert_array_equal(draw(frame(), {name: result(BOX)}), draw(frame(), {"a b": result(BOX)}))


@pytest.mark.parametrize("box", [(200, 0, 80, 60), (600, 150, 80, 60), (-60, 150, 80, 60), (0, 0, 640, 360)])
def test_the_plate_stays_inside_the_frame(box: tuple[float, ...]) -> None:
    named, bare = (draw(frame(), {name: result(box, score=math.nan)}) for name in ("a long name", ""))
    rows, columns = np.nonzero((named != bare).any(axis=-1))  # the plate alone
    in_the_open = draw(frame(), {"a long name": result(BOX, score=math.nan)}) != draw(
        frame(), {"": result(BOX, score=math.nan)}
    )
    expected = np.nonzero(in_the_open.any(axis=-1))
    assert np.ptp(columns) == pytest.approx(np.ptp(expected[1]), abs=4)
    assert np.ptp(rows) == pytest.approx(np.ptp(expected[0]), abs=4)


def test_plates_of_neighbours_do_not_cover_each_other() -> None:
    both = {"first target": result((200, 150, 80, 60)), "second": result((210, 152, 80, 60))}
    alone = pixels_of(draw(frame(), {"first target": both["first target"]}), PALETTE[0])[:147]
    together = pixels_of(draw(frame(), both), PALETTE[0])[:147]
    assert together.sum() > 0.8 * alone.sum()


def test_lines_and_text_grow_with_the_frame() -> None:
    def plate_rows(scale: int) -> int:
        image = frame(640 * scale, 360 * scale)
        drawn = draw(image, {"dog": result(tuple(scale * side for side in BOX))})
        return int(pixels_of(drawn, PALETTE[0])[: 148 * scale].any(axis=1).sum())

    assert plate_rows(6) == pytest.approx(6 * plate_rows(1), rel=0.15)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 10), (40, 20), (3840, 2160)])
@pytest.mark.parametrize("status", list(Status))
def test_any_size_of_frame(size: tuple[int, int], status: Status) -> None:
    image = frame(*size)
    assert draw(image, {"dog": Result(Box(0, 0, *size), 0.5, status)}).shape == image.shape


@pytest.mark.parametrize(
    "box",
    [
        (-1e12, 5, 1e15, 3),
        (700, 500, 20, 20),
        (-50, -50, 20, 20),
        (5.3, 7.8, 0.2, 0.1),
        (10, 10, 0, 0),
        (math.nan,) * 4,
        (math.inf, 0, 1, 1),
    ],
)
@pytest.mark.parametrize("status", list(Status))
def test_any_box(box: tuple[float, ...], status: Status) -> None:
    assert draw(frame(), {"собака 狗": Result(Box(*box), math.nan, status)}).shape == (360, 640, 3)


def test_what_update_gives_can_be_drawn_in_every_form() -> None:
    frame = np.zeros((60, 80, 3), np.uint8)
    one, two = (Result(Box(x, 20, 20, 20), 0.5, Status.TRACKED) for x in (10, 40))
    assert np.array_equal(draw(frame, one), draw(frame, {"": one}))
    assert np.array_equal(draw(frame, [one, two]), draw(frame, {"1": one, "2": two}))


@pytest.mark.parametrize(
    ("image", "results", "message"),
    [
        (np.zeros((60, 80, 4), np.uint8), {}, r"image: expected an RGB uint8 array .* got uint8 \(60, 80, 4\)"),
        (np.zeros((60, 80, 3)), {}, "got float64"),
        ([[0]], {}, "got list"),
        (np.zeros((60, 80, 3), np.uint8), {"a": (1, 2, 3, 4)}, "update gives, got tuple in it"),
        (np.zeros((60, 80, 3), np.uint8), None, "got NoneType"),
    ],
)
def test_what_cannot_be_drawn_is_named(image: Any, results: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(image, results)
