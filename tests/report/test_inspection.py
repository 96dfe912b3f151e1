"""Pictures of what the network looks at."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rartrack.boxes import Box
from rartrack.errors import InputError
from rartrack.report.inspection import bars, heat, write_inspection
from rartrack.results import Result, Status


def maps(frame: int = 3) -> SimpleNamespace:
    values = np.random.default_rng(0).random((15, 15), dtype=np.float32)
    level = SimpleNamespace(
        features=values, memory=values, spatial=None, attended=values, channel=np.linspace(0, 1, 40, dtype=np.float32)
    )
    crop = np.full((127, 127, 3), 90, np.uint8)
    return SimpleNamespace(
        frame=frame,
        image=np.full((90, 160, 3), 50, np.uint8),
        result=Result(Box(10, 10, 30, 20), 0.5, Status.TRACKED),
        crop=crop,
        levels={3: level},
        response=values,
        template=crop,
        contexts=np.stack([crop] * 4),
    )


@pytest.mark.parametrize("cell", [(0, 0), (7, 3), (14, 14)])
@pytest.mark.parametrize("count", [15, 31])
def test_a_cells_heat_lies_over_the_pixels_it_looks_at(cell: tuple[int, int], count: int) -> None:
    row, column = cell
    values = np.zeros((count, count), np.float32)
    values[row, column] = 1
    side = 8 * count + 7
    light = heat(values, np.zeros((side, side, 3), np.uint8)).sum(axis=-1, dtype=int)
    place = (7 + 8 * row, 7 + 8 * column)
    assert light[place] == light.max()
    far = (7 + 8 * ((row + 5) % count), 7 + 8 * ((column + 5) % count))
    assert light[far] < light.max() / 2


def test_an_even_map_has_even_heat() -> None:
    assert np.ptp(heat(np.full((15, 15), 0.3, np.float32), np.zeros((127, 127, 3), np.uint8)), axis=(0, 1)).max() == 0


def test_bars_are_sorted_and_as_high_as_their_weights() -> None:
    picture = bars(np.array([0.2, 1.0, 0.6], np.float32))
    heights = (picture[..., 0] < 200).sum(0) / 255
    np.testing.assert_allclose(heights[[10, 127, 250]], [1.0, 0.6, 0.2], atol=0.01)


def test_the_page_shows_every_picture_and_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    page = write_inspection([maps(3), maps(8)], tmp_path / "out", "<cup>.mp4")  # type: ignore[list-item]
    text = page.read_text()
    assert "&lt;cup&gt;.mp4" in text
    pictures = sorted(path.name for path in page.parent.glob("*.png"))
    assert all(f'src="{name}"' in text for name in pictures)
    assert "000003-level3-memory.png" in pictures
    assert "000008-context-left.png" in pictures
    assert not any("spatial" in name for name in pictures)
    assert "network has no spatial attention (Eq. 3)." in text


def test_pictures_of_an_earlier_page_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.png").touch()
    (tmp_path / "index.html").write_bytes(b"\xff, somebody's own")
    for frame in (3, 8):
        write_inspection([maps(frame)], tmp_path, "x")  # type: ignore[list-item]
    names = {path.name.partition("-")[0] for path in tmp_path.glob("*.png")}
    assert names == {"000008", "mine.png"}


@pytest.mark.parametrize("full_at", ["000008-level3-memory.png", "index.html"])
def test_a_full_disk_keeps_the_earlier_page_and_its_pictures(tmp_path: Path, monkeypatch, full_at: str) -> None:
    write_inspection([maps(3)], tmp_path, "x")  # type: ignore[list-item]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    open_file = Path.open

    def full(path: Path, mode: str = "r", *args, **options):
        if path.name.startswith(full_at) and "w" in mode:
            open_file(path, mode, *args, **options).close()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open_file(path, mode, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=f"{full_at}: cannot write: No space left on device"):
        write_inspection([maps(8)], tmp_path, "x")  # type: ignore[list-item]
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: after.get(name) for name in before} == before
    assert full_at not in after or full_at in before
    assert not list(tmp_path.glob("*.partial"))


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_inspection([maps()], tmp_path / "file" / "out", "x")  # type: ignore[list-item]
