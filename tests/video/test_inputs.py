"""The files that a source is read from, however it is spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.video.inputs import files_read


@pytest.mark.parametrize(("source", "descriptor"), [("-", 0), ("pipe:", 0), ("pipe:3", 3)])
def test_a_pipe_is_a_descriptor(source: str, descriptor: int) -> None:
    assert files_read(source) == [descriptor]


@pytest.mark.parametrize("source", ["a.mp4|b.mp4", "concat:a.mp4|b.mp4", "concat:file:a.mp4|b.mp4", "cache:a:b|b.mp4"])
def test_protocols_may_hold_others(source: str) -> None:
    first = "a:b" if source.startswith("cache") else "a.mp4"
    assert {Path(first), Path("b.mp4")} <= set(files_read(source))


@pytest.mark.parametrize(
    "content", ["ffconcat version 1.0\nfile 'b.mp4'\n", "#EXTM3U\nb.mp4\n", "\ufeff#EXTM3U\nb.mp4\n"]
)
def test_a_playlist_names_files_beside_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "list").write_text(content, encoding="utf-8")
    assert {tmp_path / "list", tmp_path / "b.mp4"} <= set(files_read(str(tmp_path / "list")))
    (tmp_path / "other").write_text("b.mp4\n")
    assert files_read(str(tmp_path / "other")) == [tmp_path / "other"]


def test_of_a_folder_it_is_the_images(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "notes.txt"):
        (tmp_path / name).touch()
    assert files_read(str(tmp_path)) == [tmp_path / "9.png", tmp_path / "10.png"]
