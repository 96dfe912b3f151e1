"""What outputs are called after a source, where none are asked for."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest

from rartrack.cli import track


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
