"""Frames in order from files, folders, cameras and urls, and what broken sources are answered with."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from made_videos import MakeVideo, number_of, picture, read

from rartrack.errors import InputError
from rartrack.video import VideoWriter, frames, open_source


def save(folder: Path, *names: str, size: tuple[int, int] = (12, 8)) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), picture(number, size))
    return folder


def index_far_away(video: bytes) -> bytes:
    """An MP4, whose index comes last, with 8 MiB that are skipped before its pictures."""
    place = video.index(b"mdat") - 4
    size = 8 << 20
    return video[:place] + size.to_bytes(4, "big") + b"free" + bytes(size - 8) + video[place:]


class TestFile:
    def test_every_frame_once_with_index_and_time(self, make_video: MakeVideo) -> None:
        frames = read(make_video(count=20))
        assert [frame.index for frame in frames] == list(range(20))
        assert [number_of(frame.image) for frame in frames] == list(range(20))
        assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(20)])
        assert {(frame.image.shape, frame.image.dtype.name) for frame in frames} == {((64, 96, 3), "uint8")}

    def test_what_is_known_before_reading(self, make_video: MakeVideo) -> None:
        with open_source(make_video("a dog.mp4", count=7, rate=Fraction(30000, 1001))) as source:
            assert (source.name, source.size, source.count) == ("a dog", (96, 64), 7)
            assert source.rate == Fraction(30000, 1001)

    def test_a_colon_in_a_name_makes_no_url(self, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> None:
        video = make_video("at10:00:00.mp4", count=3)
        monkeypatch.chdir(video.parent)
        assert len(read(video.name)) == 3

    def test_channels_are_red_green_blue(self, tmp_path: Path) -> None:

        red = np.zeros((32, 32, 3), np.uint8)
        red[..., 0] = 255
        with VideoWriter(tmp_path / "red.mp4", 25, (32, 32)) as writer:
            writer.write(red)
        (frame,) = read(tmp_path / "red.mp4")
        assert frame.image[16, 16].tolist() == pytest.approx([255, 0, 0], abs=6)

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
    def test_a_variable_rate_keeps_its_true_times(self, make_video: MakeVideo, name: str) -> None:
        times = [0.0, 0.1, 0.13, 0.5, 1.0, 1.02]
        assert [frame.time for frame in read(make_video(name, 6, times=times))] == pytest.approx(times, abs=2e-3)

    def test_time_begins_at_the_first_frame(self, make_video: MakeVideo) -> None:
        frames = read(make_video("a.ts", 5, times=[3.0, 3.1, 3.2, 3.3, 3.4]))
        assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)

    @pytest.mark.parametrize(
        ("rotation", "size", "corner"),
        [
            ((0, False, False), (96, 64), "upper left"),
            ((90, False, False), (64, 96), "lower left"),
            ((180, False, False), (96, 64), "lower right"),
            ((-90, False, False), (64, 96), "upper right"),
            ((0, True, False), (96, 64), "upper right"),
            ((0, False, True), (96, 64), "lower left"),
            ((90, True, False), (64, 96), "lower right"),
        ],
    )
    def test_a_recording_is_turned_upright(
        self, make_video: MakeVideo, rotation: tuple[int, bool, bool], size: tuple[int, int], corner: str
    ) -> None:
        with open_source(make_video(count=2, rotation=rotation)) as source:
            image = next(source).image
            assert source.size == size
        height, width = image.shape[:2]
        assert (width, height) == size
        assert image.flags.c_contiguous
        row, column = 4 if "upper" in corner else height - 4, 4 if "left" in corner else width - 4
        white = image[row, column].mean()
        assert white > 240
        assert np.mean(image) < 60, "the block is in one corner only"

    def test_start_keeps_the_sources_own_numbers_and_times(self, make_video: MakeVideo) -> None:
        frames = read(make_video(count=20), start=15)
        assert [frame.index for frame in frames] == [15, 16, 17, 18, 19]
        assert [number_of(frame.image) for frame in frames] == [15, 16, 17, 18, 19]
        assert frames[0].time == pytest.approx(15 / 25)

    @pytest.mark.parametrize(("begin", "milliseconds", "shown"), [(0.0, 800, 20), (0.4, 400, 10), (0.2, 500, 13)])
    def test_frames_that_an_edit_list_hides_are_neither_counted_nor_missed(
        self, make_video: MakeVideo, begin: float, milliseconds: int, shown: int
    ) -> None:
        video = make_video(count=20, options={"bf": "2", "g": "20"})
        with av.open(str(video)) as container:
            later = round(begin / container.streams.video[0].time_base)
        data = bytearray(video.read_bytes())
        edit = data.index(b"elst") + 12
        _, first = struct.unpack(">Ii", data[edit : edit + 8])
        data[edit : edit + 8] = struct.pack(">Ii", milliseconds, first + later)
        video.write_bytes(data)
        with warnings.catch_warnings(), open_source(video) as source:
            warnings.simplefilter("error")
            assert source.count == shown
            numbers = [number_of(frame.image) for frame in source]
        assert numbers == list(range(round(begin * 25), round(begin * 25) + shown))

    def test_a_source_may_be_left_early(self, make_video: MakeVideo) -> None:
        before = set(threading.enumerate())
        with open_source(make_video(count=20)) as source:
            next(source)
        end = time.monotonic() + 5
        while set(threading.enumerate()) - before and time.monotonic() < end:
            time.sleep(0.01)  # the thread that opened the file may still be on its way out
        assert not set(threading.enumerate()) - before

    def test_a_source_that_is_dropped_unclosed_leaves_no_thread(self, make_video: MakeVideo) -> None:
        before = set(threading.enumerate())  # another test's may still be on its way out
        source = open_source(make_video(count=20))
        next(source)
        end = time.monotonic() + 5
        while len(new := set(threading.enumerate()) - before) > 1 and time.monotonic() < end:
            time.sleep(0.01)  # the thread that opened the file may still be on its way out, too
        (thread,) = new
        assert thread.name == "rartrack-read-ahead"
        del source
        thread.join(5)
        assert not thread.is_alive()

    def test_a_shipped_clip(self, shared: Path) -> None:
        frames = read(shared / "clips" / "dog.mp4", start=190)
        assert len(frames) == 10
        assert frames[-1].time == pytest.approx(199 * 1001 / 30000)


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", r"the file is empty \(0 bytes\)"),
            (b"not a video at all\n" * 50, "not a video"),
            (bytes(5000), "not a video"),
        ],
    )
    def test_a_file_that_is_no_video(self, tmp_path: Path, data: bytes, message: str) -> None:
        path = tmp_path / "a.mp4"
        path.write_bytes(data)
        with pytest.raises(InputError, match=rf"a\.mp4: {message}") as caught:
            open_source(path)
        assert "\n" not in str(caught.value)

    def test_a_file_with_sound_alone(self, tmp_path: Path) -> None:
        import wave

        with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(16000))
        with pytest.raises(InputError, match="holds no video"):
            open_source(tmp_path / "a.wav")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"nowhere\.mp4: No such file"):
            open_source(tmp_path / "nowhere.mp4")
        with pytest.raises(InputError, match=r"at10:00\.mp4: no such file"):
            open_source("at10:00.mp4")

    def test_a_start_past_the_end(self, make_video: MakeVideo, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"starts at frame 20, but has 20 \(0 to 19\)"):
            open_source(make_video(count=20), start=20)
        with pytest.raises(InputError, match=r"starts at frame 2, but has 2 \(0 to 1\)"):
            open_source(save(tmp_path / "images", "1.png", "2.png"), start=2)
        with pytest.raises(InputError, match="start -1: frames count from 0"):
            open_source(tmp_path, start=-1)

    def test_a_folder_without_images(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").touch()
        (tmp_path / ".hidden.png").touch()
        with pytest.raises(InputError, match="holds no images"):
            open_source(tmp_path)


class TestFolder:
    def test_images_come_in_natural_order(self, tmp_path: Path) -> None:
        names = ["img1.png", "img2.PNG", "img10.jpg", "img11.bmp", "img100.webp"]
        folder = save(tmp_path / "dog", *names)
        frames = read(folder)
        assert [number_of(frame.image) for frame in frames] == list(range(5))
        assert [frame.time for frame in frames] == pytest.approx([i / 30 for i in range(5)])
        with open_source(folder) as source:
            assert (source.name, source.size, source.count, source.rate) == ("dog", (12, 8), 5, 30)

    def test_a_folder_in_it_is_no_image(self, tmp_path: Path) -> None:
        folder = save(tmp_path / "dog", "1.png", "2.png")
        (folder / "masks.png").mkdir()
        assert len(read(folder)) == 2
        (folder / "1a.png").symlink_to("nowhere.png")  # a frame that is not there is one all the same
        with pytest.raises(InputError, match=r"1a\.png"):
            read(folder)

    def test_start(self, tmp_path: Path) -> None:
        frames = read(save(tmp_path / "dog", "1.png", "2.png", "3.png"), start=2)
        assert [(frame.index, number_of(frame.image)) for frame in frames] == [(2, 2)]

    def test_images_of_two_sizes_are_refused_naming_both(self, tmp_path: Path) -> None:
        folder = save(tmp_path / "dog", "1.png", "2.png")
        cv2.imwrite(str(folder / "3.png"), picture(2, (20, 10)))
        with open_source(folder) as source:
            next(source)
            next(source)
            with pytest.raises(InputError, match=r"3\.png: 20x10 pixels, but 1\.png is 12x8"):
                next(source)

    @pytest.mark.parametrize(("data", "message"), [(b"", "the file is empty"), (b"\x89PNG\r\n", "damaged")])
    def test_a_broken_image_is_named_after_those_before_it(self, tmp_path: Path, data: bytes, message: str) -> None:
        folder = save(tmp_path / "dog", "1.png", "2.png")
        (folder / "3.png").write_bytes(data)
        with open_source(folder) as source:
            assert [next(source).index, next(source).index] == [0, 1]
            with pytest.raises(InputError, match=rf"3\.png: .*{message}"):
                next(source)


class TestElsewhere:
    @pytest.mark.parametrize(
        ("index_last", "said"),
        [(False, "stdin 6"), (True, "standard input: holds no frame that can be decoded; save it as a file first")],
    )
    def test_standard_input(self, make_video: MakeVideo, index_last: bool, said: str) -> None:
        video = make_video(count=6)
        content = index_far_away(video.read_bytes()) if index_last else video.read_bytes()
        code = (
            "from rartrack.errors import InputError; from rartrack.video import open_source\n"
            "try:\n"
            "    with open_source('-') as source: print(source.name, len(list(source)))\n"
            "except InputError as error: print(error)"
        )
        found = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=True)
        assert found.stdout.decode().startswith(said)

    def test_a_file_that_is_standard_input_is_sought_in(self, make_video: MakeVideo) -> None:
        video = make_video(count=6)
        whole = video.read_bytes()
        index = whole.index(b"moov") - 4
        far = (8 << 20).to_bytes(4, "big") + b"free" + bytes((8 << 20) - 8)
        video.write_bytes(whole[:index] + far + whole[index:])
        code = "from rartrack.video import open_source\nwith open_source('-') as source: print(len(list(source)))"
        with video.open("rb") as stream:
            found = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True, check=True)
        assert found.stdout == b"6\n"

    def test_a_named_pipe_cannot_be_sought_in(self, make_video: MakeVideo, tmp_path: Path) -> None:
        content, pipe = index_far_away(make_video(count=6).read_bytes()), tmp_path / "pipe"
        os.mkfifo(pipe)

        def fill() -> None:
            with suppress(BrokenPipeError):
                pipe.write_bytes(content)

        filling = threading.Thread(target=fill, daemon=True)
        filling.start()
        with pytest.raises(InputError, match="pipe: holds no frame that can be decoded; save it as a file first"):
            open_source(pipe)
        filling.join()

    @pytest.mark.parametrize("fifo", [False, True])
    @pytest.mark.parametrize("written", [0, 100])
    def test_ctrl_c_ends_the_wait_for_a_pipe_that_is_silent(
        self, make_video: MakeVideo, tmp_path: Path, fifo: bool, written: int
    ) -> None:
        begin, pipe = make_video(count=6).read_bytes()[:written], tmp_path / "pipe"
        os.mkfifo(pipe)
        code = (
            "import sys; from rartrack.video import open_source\n"
            "print(flush=True)\n"
            "try: open_source(sys.argv[1])\n"
            "except KeyboardInterrupt: print('interrupted')"
        )
        command = [sys.executable, "-c", code, str(pipe) if fifo else "-"]
        with (
            pipe.open("r+b", buffering=0) as end,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            (end if fifo else process.stdin).write(begin)
            process.stdout.readline()
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            finally:
                process.kill()
            assert process.stdout.read() == b"interrupted\n"

    def test_a_url(self, make_video: MakeVideo) -> None:
        video = make_video(count=6)
        serve = functools.partial(_Quiet, directory=str(video.parent))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/{video.name}"
            try:
                assert [number_of(frame.image) for frame in read(url)] == list(range(6))
                with pytest.raises(InputError, match=r"http://.*nowhere\.mp4: .*404"):
                    open_source(url.replace(video.name, "nowhere.mp4"))
            finally:
                server.shutdown()

    def test_a_large_file_whose_index_comes_last_from_a_server_that_cannot_seek(self, make_video: MakeVideo) -> None:
        video = make_video(count=6)
        video.write_bytes(index_far_away(video.read_bytes()))
        serve = functools.partial(_Quiet, directory=str(video.parent))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                with pytest.raises(InputError, match="download it first"):
                    open_source(f"http://127.0.0.1:{server.server_port}/{video.name}")
            finally:
                server.shutdown()

    def test_of_a_live_stream_what_passes_while_nobody_asks_is_not_given(
        self, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(frames, "LIVE", {"file"})
        video = make_video(count=6)
        with open_source(f"file://{video}") as source:
            first = next(source)
            assert source._ahead is not None
            source._ahead._thread.join(1)  # all have passed but the last, which nobody has taken
            rest = list(source)
        assert (first.index, number_of(first.image)) == (0, 0)
        assert [(frame.index, number_of(frame.image)) for frame in rest] == [(1, 5)]
        assert rest[0].time == read(video)[5].time

    def test_a_url_that_cannot_be_read_is_named_without_its_password(self) -> None:
        with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:9/a\.mp4: "):
            open_source("http://user:sec@ret@127.0.0.1:9/a.mp4")

    @pytest.mark.parametrize("source", [None, 3.5, ["a.mp4"], b"a.mp4", "a.mp4\0", "a" * 300 + ".mp4"])
    def test_what_can_be_no_source_is_an_input_error(self, source: object) -> None:
        with pytest.raises(InputError, match=r"^source "):
            open_source(source)  # type: ignore[arg-type]

    def test_nothing_listens_at_a_url(self) -> None:
        with pytest.raises(InputError, match=r"rtsp://127\.0\.0\.1:1/x: Connection refused"):
            open_source("rtsp://127.0.0.1:1/x")

    @pytest.mark.parametrize("source", [0, "0", "camera:0"])
    def test_a_camera(self, monkeypatch: pytest.MonkeyPatch, source: str | int) -> None:
        monkeypatch.setattr(cv2, "VideoCapture", _Camera)
        with open_source(source, start=1) as frames:
            assert (frames.name, frames.size, frames.count, frames.rate) == ("camera 0", (6, 4), None, 15)
            found = list(frames)
        assert [frame.index for frame in found] == [1, 2]
        assert found[0].image[0, 0].tolist() == [3, 2, 1], "the camera's blue, green, red became red, green, blue"
        assert 0 <= found[0].time <= found[1].time

    def test_a_camera_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_Camera, "isOpened", lambda _: False)
        monkeypatch.setattr(cv2, "VideoCapture", _Camera)
        with pytest.raises(InputError, match="camera 7: not found"):
            open_source("camera:7")

    def test_a_folder_named_like_a_camera_is_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save(tmp_path / "0", "1.png")
        monkeypatch.chdir(tmp_path)
        assert len(read("0")) == 1


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class _Camera:
    """Three pictures of blue 1, green 2, red 3, then the plug is pulled."""

    def __init__(self, _: int) -> None:
        self._left: Iterator[int] = iter(range(3))

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, _: int) -> float:
        return 15.0

    def set(self, *_: Any) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        more = next(self._left, None) is not None
        return more, np.tile(np.array([1, 2, 3], np.uint8), (4, 6, 1)) if more else None

    def release(self) -> None:
        pass


def test_a_video_whose_frames_change_size_is_refused(tmp_path: Path, make_video: MakeVideo) -> None:
    # Two raw streams one after the other are one raw stream.
    parts = [make_video("a.h264", 3), make_video("b.h264", 3, size=(64, 48))]
    with (tmp_path / "both.h264").open("wb") as both:
        for part in parts:
            with part.open("rb") as one:
                shutil.copyfileobj(one, both)
    with open_source(tmp_path / "both.h264") as source, pytest.raises(InputError, match=r"64x48 pixels.*96x64"):
        list(source)
