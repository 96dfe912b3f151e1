"""Video that has its name when it is finished, with the frames' own times."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import number_of, picture

from rartrack.boxes import Box
from rartrack.errors import InputError
from rartrack.results import Result, Status
from rartrack.video import VideoWriter, draw, open_source

SIZE = (96, 64)


def write_and_stop(writer: VideoWriter, stop: BaseException) -> None:
    with writer:
        for number in range(3):
            writer.write(picture(number, writer.size))
        raise stop


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as video:
        assert video.duration is not None
        return video.duration / av.time_base


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_what_has_come_to_have_its_name_is_kept(
    tmp_path: Path, name: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr("os.link", lambda *_: (tmp_path / "nowhere").rename("nowhere"))
    writer = VideoWriter(tmp_path / name, 25, SIZE)
    writer.write(picture(0, SIZE))
    (tmp_path / name).write_text("precious")
    with pytest.raises(InputError, match=rf"{name}: .*; it stays, and what was written is ") as error:
        writer.close()
    assert (tmp_path / name).read_text() == "precious"
    (kept,) = (path for path in tmp_path.iterdir() if path.name != name)
    assert str(kept) in str(error.value)
    with open_source(kept) as source:
        assert len(list(source)) == 1
    with VideoWriter(tmp_path / name, 25, SIZE, overwrite=True) as writer:
        writer.write(picture(0, SIZE))
    with open_source(tmp_path / name) as source:
        assert len(list(source)) == 1


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_leads_to_the_video(tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.mp4").symlink_to("elsewhere/b")
    if there:
        (tmp_path / "a.mp4").write_text("mine")
    with VideoWriter(tmp_path / "a.mp4", 25, SIZE, overwrite=there) as writer:
        writer.write(picture(0, SIZE))
    assert (tmp_path / "a.mp4").is_symlink()
    assert names(tmp_path / "elsewhere") == ["b"]
    with open_source(tmp_path / "a.mp4") as source:
        assert len(list(source)) == 1


def test_a_name_as_long_as_file_systems_take(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / f"{'é' * 125}.mp4", 25, SIZE) as writer:
        writer.write(picture(0, SIZE))
    assert names(tmp_path) == [f"{'é' * 125}.mp4"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names that are not UTF-8")
def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / os.fsdecode(b"caf\xe9.mp4"), 25, SIZE) as writer:
        writer.write(picture(0, SIZE))
    assert [os.fsencode(name) for name in names(tmp_path)] == [b"caf\xe9.mp4"]


def test_a_picture_an_hour(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "slow.mp4", Fraction(1, 3600), SIZE) as writer:
        for number in range(3):
            writer.write(picture(number, SIZE), 3600.0 * number)
    with open_source(tmp_path / "slow.mp4") as source:
        assert [frame.time for frame in source] == pytest.approx([0, 3600, 7200])
    assert seconds_of(tmp_path / "slow.mp4") == pytest.approx(3 * 3600)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("rate", [25, 240, 960])
def test_the_last_frame_lasts_as_long_as_the_others(tmp_path: Path, name: str, rate: int) -> None:
    noise = np.random.default_rng(0)
    with VideoWriter(tmp_path / name, rate, SIZE) as writer:
        for number in range(20):
            image = picture(number, SIZE)
            image[8:24, 8 + number : 24 + number] = noise.integers(0, 255, (16, 16, 3))
            writer.write(image, number / rate)
    with av.open(str(tmp_path / name)) as video:
        assert any(packet.pts != packet.dts for packet in video.demux(video=0)), "frames are coded out of order"
    assert seconds_of(tmp_path / name) == pytest.approx(20 / rate, abs=1e-3 if name == "a.mkv" else 1e-6)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.M4V"])
def test_frames_come_back_in_order_at_the_rate(tmp_path: Path, name: str) -> None:
    with VideoWriter(tmp_path / name, Fraction(30000, 1001), SIZE) as writer:
        for number in range(12):
            writer.write(picture(number, SIZE))
    with open_source(tmp_path / name) as source:
        assert source.rate == Fraction(30000, 1001)
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([i * 1001 / 30000 for i in range(12)], abs=1e-3)


def test_results_are_drawn_as_the_frame_was_when_it_was_handed_over(tmp_path: Path) -> None:
    results = {"cup": Result(Box(30, 20, 24, 24), 0.9, Status.TRACKED)}
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    with VideoWriter(tmp_path / "by-writer.mkv", 25, SIZE) as writer:
        for number in range(4):
            image[:] = 60 + 20 * number
            given = dict(results)
            writer.write(image, results=given)
            image[:] = 0
            given.clear()
    with VideoWriter(tmp_path / "before.mkv", 25, SIZE) as writer:
        for number in range(4):
            writer.write(draw(np.full_like(image, 60 + 20 * number), results))
    assert not image.any(), "the caller's frame is not drawn on"
    with open_source(tmp_path / "by-writer.mkv") as one, open_source(tmp_path / "before.mkv") as other:
        pairs = list(zip(one, other, strict=True))
    assert len(pairs) == 4
    for found, wanted in pairs:  # x264 codes equal frames now and then otherwise, by some levels in a pixel at an edge
        off = np.abs(found.image.astype(int) - wanted.image)
        assert (off > 16).mean() < 0.001
        assert off.mean() < 1


def test_a_colon_in_a_name_makes_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter("at10:00.mp4", 25, SIZE) as writer:
        writer.write(picture(1, SIZE))
    assert names(tmp_path) == ["at10:00.mp4"]


def test_what_any_player_reads(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
        writer.write(picture(1, SIZE))
    with av.open(str(tmp_path / "a.mp4")) as video:
        (stream,) = video.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it plays while it loads"


def test_colours_survive(tmp_path: Path) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 60, 30), (255, 255, 255), (0, 0, 0)]
    with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
        for colour in colours:
            writer.write(np.full((SIZE[1], SIZE[0], 3), colour, np.uint8))
    with open_source(tmp_path / "a.mp4") as source:
        for frame, colour in zip(source, colours, strict=True):
            assert frame.image[32, 48].tolist() == pytest.approx(colour, abs=8)


def test_the_times_of_a_variable_rate_survive(tmp_path: Path) -> None:
    times = [5.0, 5.1, 5.13, 5.5, 6.0, 6.02]
    with VideoWriter(tmp_path / "a.mp4", Fraction(24000, 1001), SIZE) as writer:
        for number, time in enumerate(times):
            writer.write(picture(number, SIZE), time)
    with open_source(tmp_path / "a.mp4") as source:
        assert [frame.time for frame in source] == pytest.approx([time - 5 for time in times], abs=1e-3)


def test_a_clock_that_stands_still_loses_no_frame(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
        for number, time in enumerate([0.0, 0.0, 0.04, 0.02]):
            writer.write(picture(number, SIZE), time)
    with open_source(tmp_path / "a.mp4") as source:
        assert [number_of(frame.image) for frame in source] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("size", "even"), [((1, 1), (2, 2)), ((33, 17), (34, 18)), ((34, 17), (34, 18)), ((8, 6), (8, 6))]
)
def test_an_odd_side_gets_its_last_row_or_column_twice(
    tmp_path: Path, size: tuple[int, int], even: tuple[int, int]
) -> None:
    image = picture(0, size)
    image[-1], image[:, -1] = 200, 200
    with VideoWriter(tmp_path / "a.mp4", 25, size) as writer:
        writer.write(image)
    with open_source(tmp_path / "a.mp4") as source:
        assert source.size == even
        written = next(source).image
    assert written[-1, -1].mean() > 150
    assert written.shape[:2] == even[::-1]


def test_an_image_may_be_changed_after_it_was_written(tmp_path: Path) -> None:
    image = picture(0, SIZE)
    with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
        for number in range(6):
            image[:] = picture(number, SIZE)
            writer.write(image)
    with open_source(tmp_path / "a.mp4") as source:
        assert [number_of(frame.image) for frame in source] == list(range(6))


class TestWholeOrNotAtAll:
    def test_until_the_end_the_name_is_free(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
            writer.write(picture(0, SIZE))
            assert names(tmp_path) == [writer._part.name]
            assert writer._part.name.startswith("a.")
        assert names(tmp_path) == ["a.mp4"]

    @pytest.mark.parametrize("stop", [KeyboardInterrupt(), InputError("frame 3 is damaged"), OSError()])
    def test_what_was_written_before_an_interruption_is_kept(self, tmp_path: Path, stop: BaseException) -> None:
        with pytest.raises(type(stop)):
            write_and_stop(VideoWriter(tmp_path / "a.mp4", 25, SIZE), stop)
        with open_source(tmp_path / "a.mp4") as source:
            assert len(list(source)) == 3
        assert names(tmp_path) == ["a.mp4"]

    def test_an_error_leaves_nothing_and_an_old_file_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_text("mine", encoding="utf-8")
        with pytest.raises(ZeroDivisionError):
            write_and_stop(VideoWriter(tmp_path / "a.mp4", 25, SIZE, overwrite=True), ZeroDivisionError())
        assert names(tmp_path) == ["a.mp4"]
        assert (tmp_path / "a.mp4").read_text(encoding="utf-8") == "mine"

    def test_an_error_of_the_last_frame_is_told_when_the_video_is_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer = VideoWriter(tmp_path / "a.mp4", 25, SIZE)

        def full(_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(writer, "_mux", full)
        writer.write(picture(0, SIZE))
        with pytest.raises(InputError, match="No space left"), writer:
            pass
        assert names(tmp_path) == []

    def test_it_may_be_closed_inside_its_block(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
            writer.write(picture(0, SIZE))
            writer.close()
            with pytest.raises(InputError, match=r"a\.mp4: the video is closed"):
                writer.write(picture(1, SIZE))
            writer.discard()
        writer.close()
        with open_source(tmp_path / "a.mp4") as source:
            assert [number_of(frame.image) for frame in source] == [0]
        assert names(tmp_path) == ["a.mp4"]

    def test_it_may_be_discarded_inside_its_block(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
            writer.write(picture(0, SIZE))
            writer.discard()
        writer.close()
        assert names(tmp_path) == []

    def test_no_frame_leaves_nothing(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "a.mp4", 25, SIZE):
            pass
        with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", 25, SIZE):
            raise KeyboardInterrupt
        assert names(tmp_path) == []

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
    def test_a_process_that_dies_leaves_a_part_that_can_be_played_and_nothing_under_the_name(
        self, tmp_path: Path, suffix: str
    ) -> None:
        code = (
            "import os, sys, numpy as np; from rartrack.video import VideoWriter\n"
            "writer = VideoWriter(sys.argv[1], 25, (64, 64))\n"
            "for number in range(400): writer.write(np.full((64, 64, 3), number % 200, np.uint8))\n"
            "writer._behind.close()\n"
            "os._exit(1)"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / f"a{suffix}")], check=False)
        (part,) = names(tmp_path)
        assert ".part." in part
        with av.open(str(tmp_path / part)) as video:
            assert 100 < len(list(video.decode(video=0))) < 400

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
    @pytest.mark.filterwarnings("ignore::rartrack.video.VideoWarning")
    @pytest.mark.parametrize(
        ("name", "limit", "kept"),
        [("a.mp4", 20_000, 0), ("a.mp4", 100_000, 20), ("a.mkv", 100_000, 25), ("a.mov", 193_000, 60)],
    )
    def test_a_full_disk_is_told_in_one_line_and_what_can_be_played_is_kept(
        self, tmp_path: Path, name: str, limit: int, kept: int
    ) -> None:
        code = (
            "import resource, signal, sys, numpy as np; from rartrack.video import VideoWriter\n"
            "from rartrack.errors import InputError\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
            "noise = np.random.default_rng(0)\n"
            "try:\n"
            "    with VideoWriter(sys.argv[1], 25, (64, 64)) as writer:\n"
            "        for _ in range(80): writer.write(noise.integers(0, 255, (64, 64, 3), dtype=np.uint8))\n"
            "except InputError as error: print(error)"
        )
        words = [sys.executable, "-c", code, str(tmp_path / name), str(limit)]
        found = subprocess.run(words, capture_output=True, text=True, check=False)
        assert f"{name}: cannot write 64x64 video: File too large; what was written before is kept\n" in found.stdout
        assert found.stdout.count("\n") == 1
        assert found.stderr == ""
        assert names(tmp_path) == [name]
        with open_source(tmp_path / name) as source:
            assert len(list(source)) > kept
        if kept and name != "a.mkv":
            with av.open(str(tmp_path / name)) as video:  # whose decoder is strict
                assert len(list(video.decode(video=0))) > kept

    def test_a_disk_without_room_for_a_copy_has_the_video_in_fragments(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: Path, whole: Path, __: str) -> None:
            whole.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("rartrack.video.writing.join_fragments", full)
        with VideoWriter(tmp_path / "a.mp4", 10, SIZE) as writer:
            for number in range(25):
                writer.write(picture(number, SIZE))
        assert names(tmp_path) == ["a.mp4"]
        with open_source(tmp_path / "a.mp4") as source:
            assert [number_of(frame.image) for frame in source] == list(range(25))


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("a.avi", "unknown ending '.avi'; known are .m4v, .mkv, .mov, .mp4"),
            ("nowhere/a.mp4", "does not exist; make the folder first"),
            ("there.mp4", "exists already"),
        ],
    )
    def test_a_file_that_cannot_be_written(self, tmp_path: Path, name: str, message: str) -> None:
        (tmp_path / "there.mp4").touch()
        with pytest.raises(InputError, match=message):
            VideoWriter(tmp_path / name, 25, SIZE)
        assert names(tmp_path) == ["there.mp4"]

    @pytest.mark.parametrize("size", [(0, 0), (100_000, 100_000)])
    def test_a_size_the_encoder_refuses(self, tmp_path: Path, size: tuple[int, int]) -> None:
        with pytest.raises(InputError, match=rf"cannot write {size[0]}x{size[1]} video"):
            VideoWriter(tmp_path / "a.mp4", 25, size)
        assert names(tmp_path) == []

    @pytest.mark.parametrize("rate", [0, -5, 1e9])
    def test_an_impossible_rate(self, tmp_path: Path, rate: float) -> None:
        with pytest.raises(InputError, match="frames a second cannot be written"):
            VideoWriter(tmp_path / "a.mp4", rate, SIZE)

    def test_a_frame_of_another_size(self, tmp_path: Path) -> None:
        with (
            VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer,
            pytest.raises(InputError, match="a frame of 10x10 in a video of 96x64"),
        ):
            writer.write(np.zeros((10, 10, 3), np.uint8))

    def test_a_frame_of_another_dtype(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "a.mp4", 25, SIZE) as writer:
            writer.write(picture(0, SIZE))
            with pytest.raises(InputError, match="float64"):
                writer.write(picture(1, SIZE).astype(float))
        with open_source(tmp_path / "a.mp4") as source:
            assert len(list(source)) == 1, "what was written before is kept"


def test_wrong_results_are_refused_before_the_frame_is_taken(tmp_path: Path) -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    with VideoWriter(tmp_path / "out.mp4", 25, (64, 64)) as writer:
        writer.write(frame, results=Result(Box(10, 10, 20, 20), 1.0, Status.TRACKED))
        with pytest.raises(InputError, match="results: expected what a tracker's update gives, got tuple in it"):
            writer.write(frame, results={"a": (1, 2, 3, 4)})  # type: ignore[dict-item]
        with pytest.raises(InputError, match="got list"):
            writer.write(frame.tolist())  # type: ignore[arg-type]
    with open_source(tmp_path / "out.mp4") as source:
        assert len(list(source)) == 1
