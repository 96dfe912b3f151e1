"""The command that shows what the network looks at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rartrack.cli import main
from rartrack.cli.inspect import parse_frames
from rartrack.errors import InputError


def test_frames_are_numbers_from_one() -> None:
    assert parse_frames("1,5,20") == {1, 5, 20}
    for wrong in ("", "0", "1,x", "-3"):
        with pytest.raises(InputError, match="expected numbers from 1"):
            parse_frames(wrong)


def test_a_source_that_is_not_there_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "nowhere.mp4", "--box", "1,2,3,4", "--output", "out"]) == 2
    assert "nowhere.mp4" in capsys.readouterr().err


def test_an_exported_network_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "a.mp4", "--box", "1,2,3,4", "--output", "out", "--model", "a.onnx"]) == 2
    assert "a.onnx: an exported network shows no maps" in capsys.readouterr().err


def test_two_targets_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "a.mp4", "--box", "1,2,3,4", "--box", "5,6,7,8", "--output", "out"]) == 2
    assert "--box: given 2 times, but one target is shown" in capsys.readouterr().err


def test_frames_past_the_end_are_named_and_a_page_is_replaced_only_if_asked_to(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    output = tmp_path / "out"
    command = ["inspect", str(tmp_path / "frames"), "--box", "10,10,20,20", "--model", str(model)]
    command += ["--output", str(output), "--start", "1"]
    assert main([*command, "--frames", "1,2,9"]) == 0
    assert "--frames 9: not shown" in capsys.readouterr().err
    assert main([*command, "--frames", "1"]) == 2
    assert "exists already; give another name, or --overwrite" in capsys.readouterr().err
    assert main([*command, "--frames", "1", "--overwrite"]) == 0
    assert {path.name.partition("-")[0] for path in output.glob("*.png")} == {"000002"}
    command[-3] = str(tmp_path / "frames" / ".." / "frames")
    assert main([*command, "--frames", "1"]) == 2
    assert "the source itself, whose frames pictures would be" in capsys.readouterr().err
    command[-3] = str(tmp_path / "new" / "out")
    assert main([*command, "--frames", "30"]) == 2
    assert not (tmp_path / "new").exists()


def test_what_was_shown_before_a_broken_frame_is_kept(tmp_path: Path, model: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    (tmp_path / "frames" / "2.png").write_bytes(b"broken")
    command = ["inspect", str(tmp_path / "frames"), "--box", "10,10,20,20", "--model", str(model), "--frames", "1,3"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 2
    assert (tmp_path / "out" / "index.html").exists()
