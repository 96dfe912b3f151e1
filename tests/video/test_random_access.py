"""Any frame of a video by its number is the frame that reading in order gives."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import MakeVideo, number_of

from rartrack.errors import InputError
from rartrack.video import VideoFrames, open_source


def numbers(frames: VideoFrames, places: Iterable[int]) -> list[int]:
    return [number_of(frames[place]) for place in places]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": "6"}),
        ("a.mkv", "libx264", {"g": "6", "bf": "3"}),
        ("a.mp4", "libx264", {"g": "6", "x264-params": "open-gop=1:bframes=3"}),
        ("a.ts", "libx264", {"g": "6"}),
        ("a.mp4", "libx264", {"g": "100"}),
        ("a.avi", "mpeg4", {"g": "6"}),
        ("a.avi", "libx264", {"g": "6", "bf": "2"}),
        ("a.avi", "mjpeg", {}),
        ("a.webm", "libvpx", {"g": "6", "auto-alt-ref": "1", "lag-in-frames": "8"}),
        ("a.h264", "libx264", {"g": "6"}),
        ("a.mpg", "mpeg2video", {"g": "12"}),
    ],
)
def test_any_place_in_any_order(make_video: MakeVideo, name: str, codec: str, options: dict[str, str]) -> None:
    frames = VideoFrames(make_video(name, 24, codec=codec, options=options))
    assert len(frames) == 24
    assert numbers(frames, range(24)) == list(range(24))
    places = random.Random(0).sample(range(24), 24)
    assert numbers(frames, places) == places
    assert [number_of(image) for image in frames] == list(range(24))


@pytest.mark.parametrize(
    ("name", "cut"),
    [("open.mkv", 12), ("open.ts", 8), ("closed.ts", 3)],
    ids=["at a key frame that frames before it lean on", "before it", "in the middle of a group"],
)
def test_a_video_cut_out_of_another_begins_with_what_can_be_shown(
    make_video: MakeVideo, tmp_path: Path, name: str, cut: int
) -> None:
    form = "open-gop=1:" if "open" in name else ""
    whole = make_video(name, 24, options={"x264-params": f"{form}keyint=6:min-keyint=6:bframes=3:scenecut=0:b-adapt=0"})
    path = tmp_path / f"cut-{name}"
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for packet in packets[cut:]:
            packet.stream = stream
            out.mux(packet)
    with open_source(path) as opened:
        in_order = [number_of(frame.image) for frame in opened]
    assert in_order == list(range(in_order[0], 24))
    assert in_order[0] > 0
    frames = VideoFrames(path)
    assert [number_of(image) for image in frames] == in_order
    places = random.Random(0).sample(range(len(frames)), len(frames))
    assert numbers(frames, places) == [in_order[place] for place in places]


def test_a_variable_rate(make_video: MakeVideo) -> None:
    times = [0.0, 0.1, 0.13, 0.5, 1.0, 1.02, 3.0]
    frames = VideoFrames(make_video(count=7, times=times, options={"g": "3"}))
    assert numbers(frames, [6, 2, 3, 0]) == [6, 2, 3, 0]


def test_places_from_the_end_and_beyond(make_video: MakeVideo) -> None:
    frames = VideoFrames(make_video(count=5))
    assert numbers(frames, [-1, -5]) == [4, 0]
    for place in (5, -6):
        with pytest.raises(IndexError):
            frames[place]
    assert number_of(frames[np.int64(3)]) == 3  # type: ignore[call-overload]
    for several in (slice(1, 3), [1, 2], 1.0, np.arange(99)):
        with pytest.raises(InputError, match=r"frame .{1,80}: frames are taken one at a time, each by a whole number$"):
            frames[several]  # type: ignore[index]


def test_frames_equal_those_of_reading_in_order(shared: Path) -> None:
    path = shared / "otb-dev" / "Deer.mp4"
    with open_source(path) as source:
        in_order = {frame.index: frame.image for frame in source}
    frames = VideoFrames(path)
    assert len(frames) == len(in_order)
    for place in (70, 3, 4, 40):
        np.testing.assert_array_equal(frames[place], in_order[place])


def test_a_recording_is_turned_upright(make_video: MakeVideo) -> None:
    assert VideoFrames(make_video(count=2, rotation=(90, False, False)))[1].shape == (96, 64, 3)


def test_a_copy_by_pickle_reads_on_its_own(make_video: MakeVideo) -> None:
    frames = VideoFrames(make_video(count=12))
    assert numbers(frames, [3]) == [3]
    copy = pickle.loads(pickle.dumps(frames))
    assert numbers(copy, [7, 2]) == [7, 2]
    assert numbers(frames, [4]) == [4]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_and_its_parent_do_not_disturb_each_other(make_video: MakeVideo) -> None:
    """In a process of its own: one with other libraries' threads must not be forked."""
    code = """
import multiprocessing, sys
from made_videos import number_of
from rartrack.video import VideoFrames

frames = VideoFrames(sys.argv[1])
number_of(frames[0])
ours, theirs = multiprocessing.Pipe()
read = lambda: [number_of(frames[place]) for place in range(1, 20)]
child = multiprocessing.get_context("fork").Process(target=lambda: theirs.send(read()))
child.start()
assert read() == list(range(1, 20))
assert ours.poll(60)
assert ours.recv() == list(range(1, 20))
child.join()
"""
    video = make_video(count=20, options={"g": "5"})
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(video)], check=True, env=environment, timeout=120)


def test_a_finished_sequence_holds_no_file(make_video: MakeVideo) -> None:
    frames = VideoFrames(make_video(count=3))
    list(frames)
    assert frames._opened is None


def test_the_file_is_opened_when_it_is_needed(tmp_path: Path) -> None:
    frames = VideoFrames(tmp_path / "nowhere.mp4")
    with pytest.raises(InputError, match=r"nowhere\.mp4: No such file"):
        len(frames)


def test_a_truncated_file_is_as_long_as_what_is_left(make_video: MakeVideo) -> None:
    path = make_video(count=20, size=(320, 240), container={"movflags": "+faststart"}, options={"bf": "0"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    frames = VideoFrames(path)
    assert 3 <= len(frames) < 20
    assert numbers(frames, [len(frames) - 2, 1]) == [len(frames) - 2, 1]
