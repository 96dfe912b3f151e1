"""Stills with boxes and masks in COCO's format."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rartrack.datasets.coco import load_stills
from rartrack.errors import InputError

IMAGE = {"id": 1, "file_name": "a.png", "width": 4, "height": 3, "source": "ours"}
BOX = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 2, 2], "iscrowd": 0}


def _write(tree, *annotations, **changes):
    tree.images("images", ["a.png"])
    content = {"images": [IMAGE], "annotations": list(annotations), "categories": [{"id": 7, "name": "cup"}], **changes}
    return tree.text("instances.json", json.dumps(content))


def test_a_box_alone(tree):
    (still,) = load_stills(_write(tree, BOX))
    assert still.path == tree.root / "images" / "a.png"
    assert (still.boxes.tolist(), still.labels, still.size, still.source) == ([[1, 1, 2, 2]], ("cup",), (4, 3), "ours")
    assert still.mask(0) is None


def test_run_lengths_go_down_the_columns(tree):
    (still,) = load_stills(_write(tree, {**BOX, "segmentation": {"size": [3, 4], "counts": [4, 2, 1, 2, 3]}}))
    expected = np.zeros((3, 4), dtype=bool)
    expected[1:3, 1] = True
    expected[1:3, 2] = True
    np.testing.assert_array_equal(still.mask(0), expected)


def test_polygons_are_drawn_along_the_edges_of_pixels(tree):
    (still,) = load_stills(_write(tree, {**BOX, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}))
    rows, columns = np.nonzero(still.mask(0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 2, 1, 2)


def test_crowds_and_images_without_objects_are_left_out(tree):
    assert load_stills(_write(tree, {**BOX, "iscrowd": 1})) == []


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        ({"size": [3, 4], "counts": [4, 2]}, "6 pixels"),
        ({"size": [4, 3], "counts": [12]}, "12 pixels"),
        ({"size": [3, 4], "counts": "52203"}, "compressed"),
        ([[1, 1, 3]], "mask 0"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(tree, segmentation, problem):
    (still,) = load_stills(_write(tree, {**BOX, "segmentation": segmentation}))
    with pytest.raises(InputError, match=problem):
        still.mask(0)


def test_bad_files(tree):
    with pytest.raises(InputError, match="images: no such folder"):
        load_stills(tree.text("instances.json", "{}"))
    with pytest.raises(InputError, match="not in COCO's format"):
        load_stills(_write(tree, {**BOX, "category_id": 8}))
    tree.text("instances.json", "{")
    with pytest.raises(InputError, match="not JSON"):
        load_stills(tree.root)


@pytest.mark.parametrize(
    "box", [[1, 1, 2], [1, 1, 2, 2, 5], ["a", 1, 2, 2], "1122", None, [1, 1, float("nan"), 2], [[1], 1, 2, 2]]
)
def test_a_box_that_is_not_four_numbers_is_named_with_its_image(tree, box):
    path = _write(tree, BOX, {**BOX, "id": 9, "bbox": box})
    with pytest.raises(InputError) as error:
        load_stills(path)
    given = str(box)[:60]
    assert str(error.value) == (
        f"{path}: image a.png: annotation 9 has the bbox {given}, 4 finite numbers expected (x,y,w,h)"
    )


def test_an_image_without_a_size_in_numbers_is_named(tree):
    path = _write(tree, BOX, images=[{**IMAGE, "width": "wide"}])
    with pytest.raises(InputError, match=r"image a.png, width or height holds 'wide', numbers expected"):
        load_stills(path)
    with pytest.raises(InputError, match="not in COCO's format"):
        load_stills(_write(tree, 5))


def test_real_stills(shared):
    stills = load_stills(shared / "stills")
    assert len(stills) == 3578
    assert sum(len(still.boxes) for still in stills) == 8373
    masked = [(still, index) for still in stills for index, coded in enumerate(still.segmentations) if coded]
    assert len(masked) == 4110
    for still, index in masked[::400]:
        mask = still.mask(index)
        rows, columns = np.nonzero(mask)
        x, y, w, h = still.boxes[index]
        np.testing.assert_allclose(
            [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], [x, y, x + w, y + h], atol=3
        )
