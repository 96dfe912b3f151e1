"""``rartrack track`` from the shell's side: outputs, exit statuses, one line for every mistake."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import av
import cv2
import numpy as np
import pytest

from rartrack.cli import main
from rartrack.trajectories import read_trajectories
from rartrack.trajectory_formats import FormatName
from rartrack.video import VideoWriter, open_source

Run = Callable[..., int]
BOX = "40,30,24,20"


def picture(index: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    image = cv2.GaussianBlur(draw.integers(0, 255, (90, 120, 3), dtype=np.uint8), (0, 0), 3)
    image[30 + index : 50 + index, 40 + index : 64 + index] = draw.integers(0, 255, (20, 24, 3), dtype=np.uint8)
    return image


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames at 24 frames a second."""
    path = tmp_path_factory.mktemp("video") / "slide.mp4"
    with VideoWriter(path, 24, (120, 90)) as writer:
        for index in range(8):
            writer.write(picture(index))
    return path


@pytest.fixture
def run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder; returns its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    return lambda *words: main(["track", *map(str, words), "--model", str(model)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_table_row_per_frame_and_target(run: Run, video: Path, tmp_path: Path) -> None:
    assert run(video, "--box", f"a={BOX}", "--box", "10,10,20,20", "--results", "out.csv") == 0
    rows = list(csv.reader((tmp_path / "out.csv").open()))
    assert rows[0] == ["frame", "time", "target", "x", "y", "w", "h", "score", "status"]
    assert [row[0] for row in rows[1:]] == [str(frame) for frame in range(8) for _ in range(2)]
    assert [row[2] for row in rows[1:3]] == ["a", "2"]
    assert [float(value) for value in rows[1][3:8]] == [40, 30, 24, 20, 1]
    assert rows[1][8] == "tracked"
    assert float(rows[3][1]) == pytest.approx(1 / 24, abs=1e-3)


def test_the_overlay_has_the_videos_frames_rate_and_size(run: Run, video: Path, tmp_path: Path) -> None:
    assert run(video, "--box", BOX, "--video", "out.mp4") == 0
    with open_source(tmp_path / "out.mp4") as written:
        assert (written.size, written.rate) == ((120, 90), 24)
        frames = [frame.image.astype(int) for frame in written]
    assert len(frames) == 8
    assert np.abs(frames[0] - picture(0)).max() > 100  # something is drawn on it


def test_without_outputs_asked_for_they_are_named_after_the_source(
    run: Run, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(video, "--box", BOX) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"slide-tracked.mp4", "slide-tracked.csv"}
    assert capsys.readouterr().out.split() == ["slide-tracked.mp4", "slide-tracked.csv"]


def test_a_box_may_begin_outside_the_frame(run: Run, video: Path, tmp_path: Path) -> None:
    assert run(video, "--box", "-4,-6,30,30", "--results", "out.csv") == 0
    assert (tmp_path / "out.csv").read_text().split()[1].split(",")[3:7] == ["-4", "-6", "30", "30"]


def test_without_a_terminal_there_are_plain_lines(run: Run, video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(video, "--box", BOX, "--results", "out.csv") == 0
    shown = capsys.readouterr()
    assert re.fullmatch(r"frame 8 of 8, \d+\.\d frames/s\n", shown.err)
    assert shown.out == "out.csv\n"


def unwritable(how: str) -> TextIO | None:
    """A stream that takes nothing: closed, full, or a pipe nobody reads."""
    if how == "closed":
        return None
    if how == "full":
        return Path("/dev/full").open("w", encoding="utf-8")
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a device that is full")
@pytest.mark.parametrize(
    ("stream", "how", "status"),
    [
        ("stderr", "closed", 0),
        ("stderr", "full", 0),
        ("stderr", "unread", 0),
        ("stdout", "closed", 0),
        ("stdout", "full", 2),
        ("stdout", "unread", 141),
    ],
)
def test_what_cannot_be_said_stops_no_tracking(
    run: Run, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str, how: str, status: int
) -> None:
    monkeypatch.setattr("rartrack.cli.pace._LINE_EVERY", 0.0)
    monkeypatch.setattr(sys, stream, unwritable(how))
    assert run(video, "--box", BOX, "--video", "out.mp4", "--results", "out.csv") == status
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 9
    with open_source(tmp_path / "out.mp4") as written:
        assert len(list(written)) == 8


@pytest.mark.parametrize(
    ("words", "tracked"),
    [
        (["--start", "5"], [5, 6, 7]),
        (["--first", "3"], [0, 1, 2]),
        (["--start", "2", "--first", "1"], [2]),
        (["--start", "6", "--first", "9"], [6, 7]),
    ],
)
def test_start_and_first_say_which_frames_are_tracked(
    run: Run, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], tracked: list[int]
) -> None:
    assert run(video, "--box", BOX, "--results", "out.csv", *words) == 0
    assert [int(line.split(",")[0]) for line in (tmp_path / "out.csv").read_text().split()[1:]] == tracked
    assert f"frame {len(tracked)} of {len(tracked)}," in said(capsys)


def test_set_changes_settings_of_the_model(run: Run, video: Path, tmp_path: Path) -> None:
    sets = ["--set", "tracking.uncertain_below=1.0", "--set", "tracking.lost_below=0"]
    assert run(video, "--box", BOX, "--results", "out.csv", *sets) == 0
    statuses = [row[8] for row in csv.reader((tmp_path / "out.csv").open())][1:]
    assert statuses == ["tracked", *["uncertain"] * 7]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["out.json"], "["),
        (["out.txt"], "41,31,24,20"),
        (["out.log", "--format", "vot"], "1"),
        (["out.txt", "--format", "csv"], "frame,time,target,x,y,w,h,score,status"),
        (["out.log", "--format", "mot"], "1,1,41,31,24,20,1,-1,-1,-1"),
    ],
)
def test_other_tables(run: Run, video: Path, tmp_path: Path, words: list[str], first: str) -> None:
    assert run(video, "--box", BOX, "--results", *words) == 0
    assert (tmp_path / words[0]).read_text().splitlines()[0] == first


def test_an_anamorphic_video_stays_as_wide(run: Run, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "wide.mp4", 24, (120, 90), pixel_aspect=Fraction(16, 11)) as writer:
        for index in range(2):
            writer.write(picture(index))
    assert run("wide.mp4", "--box", BOX, "--video", "out.mp4") == 0
    with av.open("out.mp4") as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)


@pytest.mark.parametrize(("format", "name"), [("json", "slide-tracked.json"), ("mot", "slide-tracked.txt")])
def test_the_ending_of_a_table_that_was_not_named_follows_its_format(
    run: Run, video: Path, tmp_path: Path, format: FormatName, name: str
) -> None:
    assert run(video, "--box", BOX, "--first", "2", "--format", format) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"slide-tracked.mp4", name}
    assert len(read_trajectories(tmp_path / name, format)["1"]) == 2


@pytest.mark.parametrize(("format", "ending"), [(None, "csv"), ("csv", "csv"), ("json", "json"), ("vot", "txt")])
def test_a_dash_writes_the_table_and_nothing_else_to_stdout(
    run: Run, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str | None, ending: str
) -> None:
    chosen = ["--format", format] if format else []
    assert run(video, "--box", BOX, "--results", f"out.{ending}", *chosen) == 0
    capsys.readouterr()
    assert run(video, "--box", BOX, "--results", "-", "--video", "out.mp4", *chosen) == 0
    assert capsys.readouterr().out == (tmp_path / f"out.{ending}").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {f"out.{ending}", "out.mp4"}


def test_a_reader_that_leaves_ends_tracking_with_the_video_kept(
    run: Run, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", unwritable("unread"))
    assert run(video, "--box", BOX, "--results", "-", "--video", "out.mp4") == 141
    assert not list(tmp_path.glob("*.part.*"))


@pytest.mark.parametrize("format", ["otb", "vot"])
def test_text_without_frame_numbers_warns_of_a_later_start(
    run: Run, video: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    assert run(video, "--box", BOX, "--start", "6", "--results", "out.txt", "--format", format) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert said == [
        f"rartrack: warning: out.txt: {format} text has no frame numbers, its first line is frame 6; "
        "csv, json and mot have them"
    ]


@pytest.mark.parametrize("kind", ["grey", "rgba"])
def test_folders_of_grey_and_rgba_images(run: Run, tmp_path: Path, kind: str) -> None:
    (tmp_path / "frames").mkdir()
    for index in range(3):
        image = picture(index)
        image = image[..., 0] if kind == "grey" else np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        cv2.imwrite(str(tmp_path / "frames" / f"{index + 9}.png"), image)
    assert run("frames", "--box", BOX, "--results", "out.csv") == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing.mp4", "--box", BOX], "missing.mp4: No such file"),
        (["text.mp4", "--box", BOX], "text.mp4"),
        (["empty", "--box", BOX], "empty"),
        (["VIDEO", "--box", "500,10,20,20"], "box 500,10,20,20: outside the frame, which is 120x90"),
        (["VIDEO", "--box", "-50,10,20,20"], "box -50,10,20,20: outside the frame"),
        (["VIDEO", "--box", "10,10,0,20"], "above 0"),
        (["VIDEO", "--box", "nan,10,20,20"], "finite"),
        (["VIDEO", "--box", "left,10,20,20"], "four numbers"),
        (["VIDEO", "--box", "0.3,0.3,0.2,0.2"], "less than a pixel; numbers are pixels of the frame, which is 120x90"),
        (
            ["VIDEO", "--box", "40", "30", "24", "20"],
            "unrecognized arguments: 30 24 20; a box is one word, --box X,Y,W,H",
        ),
        (["VIDEO", "--box", BOX, "text.mp4", "there.mp4"], "text.mp4 there.mp4; of images, give the folder"),
        (["VIDEO", "--box", "a=1,1,9,9", "--box", "a=2,2,9,9"], "names must differ"),
        (["VIDEO", "--box", f"\udcff={BOX}"], r"--box '\udcff=40,30,24,20': the name is not UTF-8"),
        (["VIDEO", "--box", BOX, "--box", "a=1,1,9"], "target 'a': box '1,1,9': 3 numbers"),
        (["VIDEO", "--box", BOX, "--box", "500,10,20,20"], "target '2': box 500,10,20,20: outside"),
        (["VIDEO"], "no screen to draw one on; pass --box"),
        (["VIDEO", "--box", BOX, "--video", "nowhere/out.mp4"], "make the folder first"),
        (["VIDEO", "--box", BOX, "--video", "there.mp4"], "exists already; give another name, or --overwrite"),
        (
            [f"http://{'a' * 999}", "--box", BOX, "--video", "there.mp4"],
            "exists already; give another name, or --overwrite",
        ),
        (["VIDEO", "--box", BOX, "--results", "out.xlsx"], "unknown ending"),
        (["VIDEO", "--box", BOX, "--results", "out.json", "--format", "csv"], "the ending says json"),
        (["VIDEO", "--box", BOX, "--video", "out.mp4", "--format", "json"], "add --results FILE"),
        (["VIDEO", "--box", BOX, "--box", BOX, "--results", "out.txt", "--format", "otb"], "holds one target, 2 were"),
        (["VIDEO", "--box", BOX, "--start", "99"], "has 8 (0 to 7)"),
        (["VIDEO", "--box", BOX, "--start", "-1"], "frames count from 0"),
        (["VIDEO", "--box", BOX, "--start", "x"], "--start: invalid int"),
        (["VIDEO", "--box", BOX, "--first", "0"], "--first: '0' is not a whole number from 1"),
        (["VIDEO", "--box", BOX, "--device", "cuda:7"], "not on this machine"),
        (["VIDEO", "--box", BOX, "--fast"], "unrecognized arguments"),
        (["-dash.mp4", "--box", BOX], "required: SOURCE (see rartrack track --help); if -dash.mp4 is a file, write ./"),
        (["VIDEO", "--box", BOX, "--set", "tracking.scale"], "expected KEY=VALUE"),
        (["VIDEO", "--box", BOX, "--set", "tracking.scalez=1"], "did you mean 'tracking.scales'?"),
        (["VIDEO", "--box", BOX, "--set", "tracking={scales: 1}"], "'tracking' is a section"),
        (["VIDEO", "--box", BOX, "tracking.scales=1"], "settings go after --set"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    run: Run, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    for name in ("text.mp4", "-dash.mp4"):
        (tmp_path / name).write_text("this is no video")
    (tmp_path / "there.mp4").write_bytes(b"kept")
    (tmp_path / "empty").mkdir()
    assert run(*[video if word == "VIDEO" else word for word in words]) == 2
    assert expected in said(capsys)
    assert (tmp_path / "there.mp4").read_bytes() == b"kept"


def test_corners_are_asked_about(run: Run, video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(video, "--box", "60,40,100,80", "--first", "1", "--results", "out.csv") == 0
    asked = "62% of it is outside the frame, which is 120x90 pixels; if these are corners, write 60,40,40,40 (x,y,w,h)"
    assert f"rartrack: warning: box 60,40,100,80: {asked}" in capsys.readouterr().err
    assert run(video, "--box", "40,30,100,80", "--first", "1", "--results", "inside.csv") == 0
    assert "corners" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_said(
    run: Run, video: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("rartrack.tracking.tracker.Tracker.update", fail)
    assert run(video, "--box", BOX, "--results", "out.csv") == 2
    told = capsys.readouterr().err
    assert "rartrack: not enough memory" in told
    assert "; end other programs, or give less at once" in told


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes cannot be multiplied"),
        ImportError(
            "libgomp.so.1: cannot allocate memory in static TLS block"
        ),  # of the order in which they are loaded
    ],
)
def test_other_errors_of_libraries_are_not_hidden(
    run: Run, video: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("rartrack.tracking.tracker.Tracker.update", fail)
    with pytest.raises(type(error)):
        run(video, "--box", BOX, "--results", "out.csv")


def test_models_that_are_unknown_or_damaged(
    video: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(model.read_bytes()[:5000])
    for name, expected in (("rar-resnet5", "neither a built-in model"), (damaged, "not a complete checkpoint")):
        assert main(["track", str(video), "--box", BOX, "--model", str(name)]) == 2
        assert expected in said(capsys)


def test_a_truncated_video_is_tracked_as_far_as_it_goes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.mkv"
    with VideoWriter(tmp_path / "whole.mkv", 24, (120, 90)) as writer:
        for index in range(60):
            writer.write(np.random.default_rng(index).integers(0, 255, (90, 120, 3), dtype=np.uint8))
    cut.write_bytes((tmp_path / "whole.mkv").read_bytes()[:-200_000])
    assert run(cut, "--box", BOX, "--results", "out.csv") == 0
    assert 2 < len((tmp_path / "out.csv").read_text().splitlines()) < 61
    assert "warning" in capsys.readouterr().err


def test_a_broken_image_in_a_folder_keeps_what_came_before(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "frames").mkdir()
    for index in range(4):
        cv2.imwrite(str(tmp_path / "frames" / f"{index}.png"), picture(index))
    (tmp_path / "frames" / "2.png").write_bytes(b"")
    assert run("frames", "--box", BOX, "--results", "out.csv", "--video", "out.mp4") == 2
    assert "2.png" in capsys.readouterr().err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    with av.open(str(tmp_path / "out.mp4")) as kept:
        assert len(list(kept.decode(video=0))) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stops", "out"),
    [
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], "out.mp4"),
        ([signal.SIGINT, signal.SIGTERM], "out.mkv"),
        ([signal.SIGTERM, signal.SIGINT], "out.mp4"),
        ([signal.SIGHUP], "out.mp4"),
    ],
)
def test_the_first_signal_to_stop_keeps_what_is_done_and_the_later_ones_change_nothing(
    model: Path, tmp_path: Path, stops: list[signal.Signals], out: str
) -> None:
    if signal.getsignal(stops[0]) is signal.SIG_IGN:
        pytest.skip(f"{stops[0].name} is ignored here, as under nohup, and so it is by what is started")
    with VideoWriter(tmp_path / "long.mp4", 24, (120, 90)) as writer:
        for index in range(2000):
            writer.write(picture(index % 30))
    words = ["track", "long.mp4", "--box", BOX, "--model", str(model), "--results", "out.csv", "--video", out]
    command = [sys.executable, "-m", "rartrack", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment)
    table = tmp_path / "out.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (table.exists() and len(table.read_text().splitlines()) > 10):
        time.sleep(0.1)
    for stop in stops:
        process.send_signal(stop)
        time.sleep(0.03)
    assert "interrupted" in process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 130
    rows = len(table.read_text().splitlines()) - 1
    with av.open(str(tmp_path / out)) as kept:
        assert abs(len(list(kept.decode(video=0))) - rows) <= 1
    assert rows >= 10
