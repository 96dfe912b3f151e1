"""Sources that are not what they seem: joined files, text, numbers that are no camera's."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from made_videos import MakeVideo

from rartrack.errors import InputError
from rartrack.video import VideoWarning, VideoWriter, open_source


def test_times_go_on_where_joined_files_start_anew(make_video: MakeVideo, tmp_path: Path) -> None:
    part = make_video("part.ts", 20, rate=10).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    said = "its time stamps start anew at frame 20; times go on from there"
    with pytest.warns(VideoWarning, match=said), open_source(tmp_path / "joined.ts") as source:
        frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx([index / 10 for index in range(40)], abs=1e-3)
    with VideoWriter(tmp_path / "o.mp4", 10, (96, 64)) as film:
        for frame in frames:
            film.write(frame.image, frame.time)
    with open_source(tmp_path / "o.mp4") as written:
        assert [frame.time for frame in written] == pytest.approx([index / 10 for index in range(40)], abs=1e-3)


def test_times_that_a_container_mixes_up_stay_where_they_are(make_video: MakeVideo) -> None:
    """AVI has none for H.264's frames that are decoded before they are shown."""
    with warnings.catch_warnings(), open_source(make_video("a.avi", 25, options={"bf": "2"})) as source:
        warnings.simplefilter("error")
        times = [frame.time for frame in source]
    assert max(times) == pytest.approx(24 / 25, abs=0.1)


def test_text_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "boxes.txt").write_text("1,2,3,4\n" * 500)
    with pytest.raises(InputError, match=r"boxes\.txt: a text file, not a video"):
        open_source(tmp_path / "boxes.txt")


@pytest.mark.parametrize("source", ["20240115", "20240115093000", 20240115093000])
def test_a_long_number_is_a_file_that_is_missing(
    source: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{source}: No such file"):
        open_source(source)


def test_a_camera_that_is_not_there_may_be_a_file_that_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"camera 987: not found.*nor is there a file or folder called 987"):
        open_source("987")
