"""Absences and what came after them: which count, what is found again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

STILL = """
class Still:
    def init(self, frame, box):
        self.box = box

    def update(self, frame):
        return self.box
"""
HERE, AWAY, HIDDEN = "20,15,24,20", "50,15,24,20", "nan,nan,nan,nan"


def test_a_target_is_found_again_where_it_was_held_before(tmp_path: Path, script, monkeypatch, capsys) -> None:
    boxes = [HIDDEN, *[HERE] * 3, *[HIDDEN] * 4, *[AWAY] * 2, *[HERE] * 2, HIDDEN, *[AWAY] * 5, *[HIDDEN] * 3, HERE]
    (tmp_path / "videos" / "dog").mkdir(parents=True)
    for frame in range(len(boxes)):
        cv2.imwrite(str(tmp_path / "videos" / "dog" / f"{frame:02d}.png"), np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "videos" / "dog.txt").write_text("\n".join(boxes) + "\n")
    (tmp_path / "still.py").write_text(STILL)
    words = ["refinding.py", str(tmp_path / "videos"), "--tracker", f"still={tmp_path / 'still.py'}:Still"]
    monkeypatch.setattr("sys.argv", [*words, "--threads", "1"])
    script("refinding").main()
    _, *lines = capsys.readouterr().out.split("\n")
    # One frame is no absence. The second is after five frames without the target: what was lost before is not counted.
    assert [" ".join(line.split()) for line in lines if line] == [
        "still dog 4 to 7 100% after 2 frames",
        "still dog 18 to 20 100% lost before",
        "still: 1 of 1 found again",
    ]


def test_a_folder_in_which_no_target_is_away_is_refused(tmp_path: Path, script, monkeypatch) -> None:
    (tmp_path / "dog").mkdir()
    cv2.imwrite(str(tmp_path / "dog" / "0.png"), np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "dog.txt").write_text(f"{HERE}\n")
    monkeypatch.setattr("sys.argv", ["refinding.py", str(tmp_path), "--threads", "1"])
    with pytest.raises(SystemExit, match="no target is absent for 3 frames and returns"):
        script("refinding").main()
