"""``rartrack data check``: what it prints and how it exits."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from rartrack.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ball").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "ball" / f"{number}.png"), np.zeros((6, 8, 3), dtype=np.uint8))
    (tmp_path / "ball.txt").write_text("1,2,3,4\n" * 3)
    return tmp_path


def test_a_good_folder(folder, capsys):
    assert main(["data", "check", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert ": 1 sequence, layout folder" in printed
    assert "3 annotated frames; no problems" in printed


def test_each_problem_is_a_line_and_the_status_is_two(folder, capsys):
    (folder / "ball.txt").write_text("1,2,3,4\n" * 2)
    (folder / "cup.mp4").write_bytes(b"")
    assert main(["data", "check", str(folder)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert "2 lines, shorter than the 3 images" in lines[1]
    assert lines[2].startswith("cup: ")
    assert lines[-1].endswith("2 problems")


def test_what_cannot_be_read_is_not_called_enough(folder, capsys):
    (folder / "ball.txt").write_text("1,2,3,4\n" * 2)
    assert main(["data", "check", str(folder)]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "no annotated frames; 1 problem"


def test_names_that_stdout_has_no_letters_for(folder, monkeypatch):
    (folder / "ball.txt").rename(folder / "bäll.txt")
    (folder / "ball").rename(folder / "bäll")
    (folder / "bäll.txt").write_text("1,2,3,4\n" * 2)
    ascii = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", ascii)
    assert main(["data", "check", str(folder)]) == 2
    assert b"b\\xe4ll: " in ascii.buffer.getvalue()


def test_sequences_of_no_name_are_not_all(folder, capsys):
    assert main(["data", "check", str(folder), "--sequences", ""]) == 2
    assert "--sequences '' names nothing" in capsys.readouterr().err


def test_deep_looks_at_every_frame(folder, capsys):
    (folder / "ball" / "1.png").write_bytes(b"\x89PNG")
    assert main(["data", "check", str(folder)]) == 0
    assert main(["data", "check", str(folder), "--deep"]) == 2
    assert "1.png" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path / "no")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("rartrack: ")
    assert captured.err.count("\n") == 1


def test_annotations_alone(shared, capsys):
    assert main(["data", "check", "otb2015", "--data", str(shared / "annotations"), "--sequences", "Deer,Tiger1"]) == 0
    assert "420 annotated frames; no frames, which is enough to score results" in capsys.readouterr().out


def test_real_sequences(shared, capsys):
    assert main(["data", "check", str(shared / "vot-layout")]) == 0
    assert main(["data", "check", str(shared / "otb-layout")]) == 0
    assert "no problems" in capsys.readouterr().out
