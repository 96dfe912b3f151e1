"""Still images as RGB uint8, whatever they are on disk, and folders in natural order."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_videos import number_of, picture, with_orientation

from rartrack.errors import InputError
from rartrack.video.images import ImageFrames, image_paths, natural_key, read_image


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif"])
def test_channels_are_red_green_blue(tmp_path: Path, name: str) -> None:
    blue_green_red = np.tile(np.array([10, 100, 200], np.uint8), (16, 24, 1))
    cv2.imwrite(str(tmp_path / name), blue_green_red)
    image = read_image(tmp_path / name)
    assert (image.shape, image.dtype, image.flags.c_contiguous) == ((16, 24, 3), np.uint8, True)
    assert image[8, 8].tolist() == pytest.approx([200, 100, 10], abs=4)


@pytest.mark.parametrize(
    ("stored", "expected", "why"),
    [
        (np.full((4, 5), 7, np.uint8), (7, 7, 7), "grey is repeated"),
        (np.full((4, 5), 0x1234, np.uint16), (0x12, 0x12, 0x12), "of 16 bits the upper 8"),
        (np.full((4, 5, 4), (3, 2, 1, 0), np.uint8), (1, 2, 3), "alpha is dropped"),
        (np.full((4, 5, 3), (0x300, 0x200, 0x100), np.uint16), (1, 2, 3), "16 bits in colour"),
        (np.full((1, 1, 3), (3, 2, 1), np.uint8), (1, 2, 3), "a single pixel"),
    ],
)
def test_whatever_the_file_holds(tmp_path: Path, stored: np.ndarray, expected: tuple[int, ...], why: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), stored)
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((*stored.shape[:2], 3), np.uint8)
    assert tuple(image[0, 0]) == expected, why


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_a_photograph_is_turned_upright(tmp_path: Path, orientation: int, corner: tuple[int, int]) -> None:
    jpeg = cv2.imencode(".jpg", picture(0, (48, 24)))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(with_orientation(jpeg, orientation))
    image = read_image(tmp_path / "a.jpg")
    assert image.shape[:2] == ((24, 48) if orientation in (1, 3) else (48, 24))
    assert image[3 if corner[0] == 0 else -3, 3 if corner[1] == 0 else -3].mean() > 240


@pytest.mark.parametrize(
    ("data", "message"), [(b"", r"empty \(0 bytes\)"), (b"text", "not an image"), (b"\xff\xd8\xff", "not an image")]
)
def test_a_file_that_is_no_image(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.jpg: .*{message}"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif"])
def test_an_image_that_is_cut_short(tmp_path: Path, name: str) -> None:
    data = cv2.imencode(Path(name).suffix, picture(3, (96, 64)))[1].tobytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=rf"{name}: (damaged, cut short|not an image that can be read, or damaged)"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("missing", [1, 4, 8, 100])
def test_of_a_png_that_is_cut_short_libpng_says_nothing(
    tmp_path: Path, missing: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = cv2.imencode(".png", picture(3, (96, 64)))[1].tobytes()
    (tmp_path / "a.png").write_bytes(data[:-missing])
    with pytest.raises(InputError, match="damaged, cut short"):
        read_image(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


def test_a_missing_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jpg: No such file"):
        read_image(tmp_path / "a.jpg")


def test_a_folders_images_in_natural_order(tmp_path: Path) -> None:
    names = ["a1b2.png", "a1b10.png", "a2.png", "a10.png", "B2.JPG", "b.jpg"]
    for name in [*reversed(names), "notes.txt", ".hidden.png", "clip.mp4"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in image_paths(tmp_path)] == [
        "a1b2.png",
        "a1b10.png",
        "a2.png",
        "a10.png",
        "B2.JPG",
        "b.jpg",
    ]


@settings(max_examples=30)
@given(st.permutations(["", "a", "1", "²", "٣", "a1", "a1b", "01", "1.5", "A1"]))
def test_any_names_can_be_put_in_one_order(names: list[str]) -> None:
    assert sorted(names, key=natural_key) == ["", "01", "1", "1.5", "٣", "a", "A1", "a1", "a1b", "²"]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_count(a: int, b: int) -> None:
    assert (natural_key(f"img{a}.png") < natural_key(f"img{b}.png")) == (a < b)


class TestImageFrames:
    @pytest.fixture
    def frames(self, tmp_path: Path) -> ImageFrames:
        paths = [tmp_path / f"{number}.png" for number in range(5)]
        for number, path in enumerate(paths):
            cv2.imwrite(str(path), picture(number, (12, 8)))
        return ImageFrames(paths)

    def test_length_any_place_and_in_order(self, frames: ImageFrames) -> None:
        assert len(frames) == 5
        assert [number_of(frames[place]) for place in (3, 0, -1)] == [3, 0, 4]
        assert [number_of(image) for image in frames] == list(range(5))
        with pytest.raises(IndexError):
            frames[5]

    def test_a_copy_by_pickle(self, frames: ImageFrames) -> None:
        assert number_of(pickle.loads(pickle.dumps(frames))[2]) == 2

    def test_another_size_than_the_first_is_refused_wherever_reading_began(self, frames: ImageFrames) -> None:
        cv2.imwrite(str(frames.paths[3]), picture(3, (20, 10)))
        with pytest.raises(InputError, match=r"3\.png: 20x10 pixels, but 0\.png is 12x8"):
            frames[3]
        assert number_of(frames[4]) == 4
