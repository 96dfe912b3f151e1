"""What becomes of outputs where it is asked to stop in the middle of writing them, or one of them cannot be written."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rartrack.cli import main
from rartrack.trajectories import TrajectoryWriter, read_trajectories
from rartrack.video import open_source, writing
from rartrack.video.behind import WorkBehind


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of six images."""
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for index in range(6):
        cv2.imwrite(str(folder / f"{index}.png"), noise.integers(0, 255, (90, 120, 3), dtype=np.uint8))
    return folder


def interrupted(function: Callable[..., Any], at: int) -> Callable[..., Any]:
    """The function, with a signal in its call number ``at``, counted from 1."""
    calls = 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            signal.raise_signal(signal.SIGINT)
        return function(*arguments, **options)

    return call


@pytest.fixture
def track(source: Path, model: Path) -> Callable[..., int]:
    def run(*words: object) -> int:
        arguments = ["track", source, "--box", "40,30,24,20", "--model", model, "--threads", 1, *words]
        return main([str(word) for word in arguments])

    return run


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("owner", "name", "at", "frames"),
    [
        (WorkBehind, "close", 1, 6),  # all is tracked, the encoder is behind
        (writing, "join_fragments", 1, 6),
        (TrajectoryWriter, "_put", 5, 2),  # between a record and the end of the list
        (WorkBehind, "put", 3, 3),
    ],
)
def test_what_is_being_written_is_finished_first(
    track: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    at: int,
    frames: int,
) -> None:
    monkeypatch.setattr(owner, name, interrupted(getattr(owner, name), at))
    video, table = tmp_path / "o.mp4", tmp_path / "o.json"
    status = track("--video", video, "--results", table)
    assert status == (0 if frames == 6 else 130)
    assert len(json.loads(table.read_text())) == len(read_trajectories(table)["1"]) == frames
    with open_source(video) as written:
        assert len(list(written)) == frames
    assert not list(tmp_path.glob("*.part.*"))


@pytest.mark.usefixtures("handlers")
def test_a_pipe_that_may_be_full_is_left_at_once(
    track: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(TrajectoryWriter, "_put", interrupted(TrajectoryWriter._put, 3))
    assert track("--results", "-") == 130
    head, row = capsys.readouterr().out.splitlines()
    assert (head.split(",")[0], row.split(",")[0]) == ("frame", "0")


def test_a_table_stays_where_the_video_cannot_be_written(
    track: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "o.csv"
    assert track("--results", table) == 0
    before = table.read_text()
    monkeypatch.setitem(writing._QUALITY, "preset", "none of x264's")
    assert track("--video", tmp_path / "o.mp4", "--results", table, "--overwrite") == 2
    assert "cannot write 120x90 video" in capsys.readouterr().err
    assert table.read_text() == before
    assert [path.name for path in sorted(tmp_path.glob("o.*"))] == ["o.csv"]
