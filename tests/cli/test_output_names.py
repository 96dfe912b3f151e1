"""What outputs are called after a source, where none are asked for; and what they never overwrite."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rartrack.cli import main, track

BOX = "5,5,20,20"


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("rtsp://user:secret@camera.example:554/", "camera.example"),
        ("rtsp://user:secret@10.0.0.7", "10.0.0.7"),
        ("rtsp://user:sec/ret@host/yard/live", "live"),
        ("https://host/clips/a%20day.mp4?token=secret@x", "a-20day"),
        ("udp://@:1234", "video"),
        (f"http://host/{'a' * 999}.mp4", "a" * 100),
        ("é" * 120, "é" * 50),
        ("camera 0", "camera-0"),
        ("a://", "video"),
    ],
)
def test_outputs_named_after_a_source_are_short_and_tell_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, stem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = argparse.Namespace(source=source, video=None, results=None, format=None, overwrite=False, box=None)
    assert track._outputs(options, SimpleNamespace(name=source)) == (
        Path(f"{stem}-tracked.mp4"),
        Path(f"{stem}-tracked.csv"),
    )


@pytest.mark.parametrize(
    ("source", "words", "expected"),
    [
        ("own.mp4", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("own.mp4", ["--results", "./own.mp4", "--format", "csv"], "own.mp4: is the source itself"),
        ("file:own.mp4", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("file://{}/own.mp4", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("concat:file:own.mp4|more.mp4", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("async:own.mp4", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("subfile,,start,0,end,0,,:file:own.mp4", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("list.ffconcat", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("file:list.txt", ["--video", "own.mp4"], "own.mp4: is the source itself"),
        ("frames", ["--results", "frames/0.png", "--format", "csv"], "frames/0.png: is the source itself, or a part"),
        ("own.mp4", ["--video", "o.mp4", "--results", "../{}/o.mp4", "--format", "otb"], "are one file"),
    ],
)
def test_neither_the_source_nor_each_other_is_overwritten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    words: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.mp4").write_bytes(b"a video")
    for name in ("list.ffconcat", "list.txt"):
        (tmp_path / name).write_text("ffconcat version 1.0\nfile 'other.mp4'\nfile 'own.mp4'\n")
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").write_bytes(b"a frame")
    words = [word.format(tmp_path.name) for word in words]
    assert main(["track", source.format(tmp_path), "--box", BOX, "--overwrite", *words]) == 2
    assert expected in capsys.readouterr().err
    assert (tmp_path / "own.mp4").read_bytes() == b"a video"
    assert (tmp_path / "frames" / "0.png").read_bytes() == b"a frame"


@pytest.mark.parametrize("name", ["-", "pipe:", "pipe:0"])
def test_what_standard_input_reads_is_not_overwritten(tmp_path: Path, name: str) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes(b"a video")
    command = [sys.executable, "-m", "rartrack", "track", name, "--box", BOX, "--video", str(own), "--overwrite"]
    with own.open("rb") as stdin:
        ended = subprocess.run(command, stdin=stdin, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == f"rartrack: {own}: is the source itself, or a part of it; give the output another name\n"
    assert own.read_bytes() == b"a video"
