"""Clips as pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rartrack.cli import main
from rartrack.errors import InputError
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import ClipDataset
from rartrack.training.preview import with_box, with_label, write_preview


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -1.0)])
def test_label_and_box_are_drawn_where_the_target_is(config: TrainingConfig, shift: tuple[float, float]) -> None:
    side = 63
    place = (31 + 8 * np.array(shift)).astype(int)
    marked = with_label(np.zeros((side, side, 3), np.uint8), np.array([*shift, 1.0]), config)
    row, column = np.unravel_index(marked[..., 0].argmax(), (side, side))
    assert abs(np.array([column, row]) - place).max() <= 1
    boxed = with_box(np.zeros((side, side, 3), np.uint8), np.array(shift), np.array([21, 15]))
    rows, columns = np.nonzero(boxed[..., 1])
    np.testing.assert_allclose([columns.mean(), rows.mean()], place, atol=1.0)
    assert abs(np.ptp(columns) - 21) <= 1
    assert abs(np.ptp(rows) - 15) <= 1


def test_a_preview_is_a_picture_or_a_page(config: TrainingConfig, tmp_path: Path) -> None:
    clips = [ClipDataset(config)[index] for index in range(3)]
    write_preview(tmp_path / "a.png", clips, config)
    assert cv2.imread(str(tmp_path / "a.png")).shape == (3 * 256, 256 + 256 + 256, 3)
    write_preview(tmp_path / "a.html", clips, config)
    page = (tmp_path / "a.html").read_text()
    assert all(clip.name in page for clip in clips)
    assert page.count("<img") == 3
    with pytest.raises(InputError, match=r"\.png or an \.html"):
        write_preview(tmp_path / "a.gif", clips, config)


def test_the_command_draws_and_says_what_was_left_out(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.yaml"
    data = f"data: {{sources: {{made: {{path: {videos}}}}}, held_out: []}}"
    path.write_text(f"{data}\nmodel: {{network: {{input_size: 63}}}}\n")
    out = tmp_path / "clips.png"
    assert main(["data", "preview", str(path), "data.exemplars=2", "--clips", "2", "--output", str(out)]) == 0
    assert out.exists()
    assert "2 clips" in capsys.readouterr().out
