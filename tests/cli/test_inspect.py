"""The command that shows what the network looks at."""

from __future__ import annotations

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
