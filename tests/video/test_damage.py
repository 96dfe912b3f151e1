"""What is damaged, cut short or odd in a video, and what is read of it all the same."""

from __future__ import annotations

import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import MakeVideo, number_of, read

from rartrack.errors import InputError
from rartrack.video import VideoWarning, open_source


def with_sound(video: Path, path: Path, seconds: float, options: dict[str, str] | None = None) -> Path:
    """Copy a video's pictures to a file that has noise beside them, in turn by time."""
    noise = np.random.default_rng(0).normal(0, 0.1, (1, round(44100 * seconds))).astype(np.float32)
    with av.open(str(video)) as source, av.open(str(path), "w", options=options or {}) as out:
        picture, sound = out.add_stream_from_template(source.streams.video[0]), out.add_stream("aac", rate=44100)
        sound.layout = "mono"
        pieces = []
        for begin in range(0, noise.shape[1] - 1023, 1024):
            piece = av.AudioFrame.from_ndarray(noise[:, begin : begin + 1024], "fltp", "mono")
            piece.sample_rate, piece.pts = 44100, begin
            pieces += sound.encode(piece)
        pictures = [packet for packet in source.demux(video=0) if packet.size]
        for packet in pictures:
            packet.stream = picture
        for packet in sorted([*pictures, *pieces, *sound.encode(None)], key=lambda one: one.dts * one.time_base):
            out.mux(packet)
    return path


class TestSound:
    @pytest.mark.parametrize(("name", "options"), [("a.mp4", {"movflags": "+faststart"}), ("a.mkv", {})])
    def test_wherever_a_video_with_sound_is_cut_it_is_told(
        self, make_video: MakeVideo, tmp_path: Path, name: str, options: dict[str, str]
    ) -> None:
        plain = make_video("plain.mp4", 20, (320, 240), rate=10, options={"g": "5"})
        whole = with_sound(plain, tmp_path / name, 2, options).read_bytes()
        for percent in range(40, 70, 2):
            (tmp_path / name).write_bytes(whole[: len(whole) * percent // 100])
            with pytest.warns(VideoWarning, match="damaged"):
                assert len(read(tmp_path / name)) < 20

    def test_a_fragment_of_which_pictures_are_missing_is_told(self, make_video: MakeVideo, tmp_path: Path) -> None:
        plain, options = make_video("plain.mp4", 20, options={"g": "5"}), {"movflags": "+frag_keyframe+empty_moov"}
        whole = with_sound(plain, tmp_path / "a.mp4", 0.8, options).read_bytes()
        (tmp_path / "a.mp4").write_bytes(whole[: whole.index(b"mdat", len(whole) // 2) + 12])
        with pytest.warns(VideoWarning, match="cut short"):
            assert 0 < len(read(tmp_path / "a.mp4")) < 20

    @pytest.mark.parametrize("seconds", [0.5, 2, 4])
    @pytest.mark.parametrize(("name", "live"), [("a.mp4", False), ("a.mkv", False), ("a.mkv", True), ("a.ts", False)])
    def test_sound_may_be_shorter_or_longer_than_the_picture(
        self, make_video: MakeVideo, tmp_path: Path, name: str, live: bool, seconds: float
    ) -> None:
        plain = make_video("plain.mp4", 20, rate=10, options={"bf": "2"})
        whole = with_sound(plain, tmp_path / name, seconds, {"live": "1"} if live else {})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(read(whole)) == 20

    def test_pictures_before_the_cut_are_all_given(self, make_video: MakeVideo, tmp_path: Path) -> None:
        """Where a file is cut in the sound behind its last picture, MP4's index knows that none is missing."""
        plain = make_video("plain.mp4", 20, options={"bf": "2"})
        whole = with_sound(plain, tmp_path / "a.mp4", 4, {"movflags": "+faststart"}).read_bytes()
        (tmp_path / "a.mp4").write_bytes(whole[:-2000])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(read(tmp_path / "a.mp4")) == 20


class TestDamage:
    @pytest.fixture
    def whole(self, make_video: MakeVideo) -> Path:
        return make_video(count=20, size=(320, 240), container={"movflags": "+faststart"})

    def test_a_truncated_video_gives_the_frames_it_has_and_a_warning(self, whole: Path) -> None:
        cut = whole.with_name("cut.mp4")
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])
        with pytest.warns(VideoWarning, match=r"cut\.mp4: damaged or cut short: it ends after \d+ frames"):
            frames = read(cut)
        assert 3 <= len(frames) < 20
        assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))

    def test_a_truncated_video_without_index_promises_more_than_it_holds(self, make_video: MakeVideo) -> None:
        whole = make_video("whole.mkv", count=25, rate=10, size=(320, 240), options={"g": "5"})
        cut = whole.with_name("cut.mkv")
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.warns(VideoWarning, match="cut short"):
            assert 3 <= len(read(cut)) < 20

    def test_a_sound_video_gives_no_warning(self, whole: Path, make_video: MakeVideo) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(read(whole)) == 20
            assert len(read(make_video("a.mkv", times=[i / 4 for i in range(20)]))) == 20
            assert len(read(make_video("a.ts"))) == 20

    @pytest.mark.parametrize(("name", "codec"), [("late.mkv", "libx264"), ("late.webm", "libvpx")])
    def test_a_sound_video_may_begin_late(self, make_video: MakeVideo, name: str, codec: str) -> None:
        late = make_video(name, 20, times=[2 + i / 10 for i in range(20)], codec=codec)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert [number_of(frame.image) for frame in read(late)] == list(range(20))

    def test_a_video_that_begins_late_and_is_cut_short_is_told(self, make_video: MakeVideo) -> None:
        late = make_video("late.mkv", 25, (320, 240), times=[2 + i / 10 for i in range(25)], options={"g": "5"})
        late.write_bytes(late.read_bytes()[: late.stat().st_size // 2])
        with pytest.warns(VideoWarning, match="cut short"):
            assert 3 <= len(read(late)) < 25

    def test_damage_in_the_middle_is_read_past(self, whole: Path) -> None:
        data = bytearray(whole.read_bytes())
        middle = len(data) * 6 // 10
        data[middle : middle + 200] = bytes(200)
        whole.write_bytes(data)
        with pytest.warns(VideoWarning, match="damaged"):
            assert len(read(whole)) >= 15

    @pytest.mark.parametrize("name", ["titled.avi", "titled.mp4"])
    def test_a_title_in_another_encoding_is_no_damage(self, make_video: MakeVideo, tmp_path: Path, name: str) -> None:
        plain, titled = make_video(name.replace("titled", "plain")), tmp_path / name
        with av.open(str(plain)) as source, av.open(str(titled), "w") as out:
            out.metadata["title"] = "CafeXYZ"
            stream = out.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        data = titled.read_bytes()
        assert data.count(b"CafeXYZ") == 1
        titled.write_bytes(data.replace(b"CafeXYZ", b"Caf\xe9XYZ"))
        assert len(read(titled)) == 20

    @pytest.mark.parametrize(("place", "value"), [(4, 0), (11, 0x33)])
    def test_one_damaged_frame_costs_one_frame(self, make_video: MakeVideo, place: int, value: int) -> None:
        """Of which FFmpeg says that it is invalid, or of a kind that it does not know yet."""
        path = make_video("clip.avi", codec="mjpeg")
        with av.open(str(path)) as container:
            packet = bytes([packet for packet in container.demux(video=0) if packet.size][7])
        broken = bytearray(packet)
        broken[broken.index(b"\xff\xc0") + place] = value
        path.write_bytes(path.read_bytes().replace(packet, bytes(broken)))
        with pytest.warns(VideoWarning, match="damaged in places; some frames are missing"):
            frames = read(path)
        assert [number_of(frame.image) for frame in frames] == [*range(7), *range(8, 20)]

    def test_streams_that_show_themselves_late_do_no_harm(self, make_video: MakeVideo, tmp_path: Path) -> None:
        pieces = []
        for number in range(3):
            piece = tmp_path / f"{number}.ts"
            plain = make_video(f"plain{number}.ts", size=(640, 480))
            with av.open(str(plain)) as source, av.open(str(piece), "w") as out:
                picture = out.add_stream_from_template(source.streams.video[0])
                sound = out.add_stream("aac", rate=44100) if number == 1 else None
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = picture
                        out.mux(packet)
                if sound is not None:
                    for _ in range(40):
                        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                        quiet.sample_rate = 44100
                        out.mux(sound.encode(quiet))
                    out.mux(sound.encode(None))
            pieces.append(piece.read_bytes())
        joined = tmp_path / "joined.ts"
        joined.write_bytes(pieces[0] * 8 + pieces[1] + pieces[2])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(read(joined)) >= 10 * 20 - 2

    def test_a_video_cut_before_its_index_is_refused(self, make_video: MakeVideo) -> None:
        whole = make_video(count=20, size=(320, 240))
        whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(InputError, match=r"clip\.mp4: not a video, or cut short before its index"):
            open_source(whole)
