"""Sources that are not what they seem: joined files, text, numbers that are no camera's."""

from __future__ import annotations

import warnings
from pathlib import Path

import av
import cv2
import pytest
from made_videos import MakeVideo, number_of, picture, read, with_orientation

from rartrack.errors import InputError
from rartrack.video import VideoFrames, VideoWarning, VideoWriter, open_source


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


def test_an_animated_webp_is_named_as_what_ffmpeg_does_not_read(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.webp"), "w") as out:
        stream = out.add_stream("libwebp_anim", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, (96, 64)), format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"a\.webp: .*FFmpeg does not read animated WebP; convert it to GIF or MP4"):
        open_source(tmp_path / "a.webp")


def test_times_that_a_container_does_not_hold_are_counted(make_video: MakeVideo) -> None:
    """AVI has none for H.264's frames that are decoded before they are shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = read(make_video("a.avi", 25, options={"bf": "2"}))
    assert [number_of(frame.image) for frame in frames] == list(range(25))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(25)])


def test_times_rise_where_time_stamps_do_not(make_video: MakeVideo, tmp_path: Path) -> None:
    part = make_video("part.ts", 10).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    times = [frame.time for frame in read(tmp_path / "joined.ts")]
    assert times == pytest.approx([index / 25 for index in range(20)], abs=1e-3)


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4"])
def test_a_still_before_the_video_is_passed_over(tmp_path: Path, name: str) -> None:
    small, large = (48, 32), (96, 64)
    with av.open(str(tmp_path / name), "w") as out:
        streams = [out.add_stream("mjpeg", rate=25), out.add_stream("libx264", rate=25)]
        streams[1].disposition = av.stream.Disposition.default
        for stream, size, kind in zip(streams, (small, large), ("yuvj420p", "yuv420p"), strict=True):
            (stream.width, stream.height), stream.pix_fmt = size, kind
        out.mux(streams[0].encode(av.VideoFrame.from_ndarray(picture(0, small), format="rgb24")))
        for number in range(10):
            out.mux(streams[1].encode(av.VideoFrame.from_ndarray(picture(number, large), format="rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    with open_source(tmp_path / name) as source:
        assert (source.size, len(list(source))) == (large, 10)
    assert len(VideoFrames(tmp_path / name)) == 10


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


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
@pytest.mark.parametrize("name", ["one.jpg", "camera.avi"])
def test_images_with_exif_data_are_turned_upright(
    make_video: MakeVideo, tmp_path: Path, name: str, orientation: int, corner: tuple[int, int]
) -> None:
    if name == "one.jpg":
        jpeg = cv2.imencode(".jpg", picture(0, (48, 24)))[1].tobytes()
        (tmp_path / name).write_bytes(with_orientation(jpeg, orientation))
    else:
        with (
            av.open(str(make_video("plain.avi", 3, (48, 24), codec="mjpeg"))) as plain,
            av.open(str(tmp_path / name), "w") as out,
        ):
            stream = out.add_stream_from_template(plain.streams.video[0])
            for packet in plain.demux(video=0):
                if packet.size:
                    turned = av.Packet(with_orientation(bytes(packet), orientation))
                    turned.stream, turned.pts, turned.dts = stream, packet.pts, packet.dts
                    turned.time_base = packet.time_base
                    out.mux(turned)
    image = read(tmp_path / name)[0].image
    assert image.shape[:2] == ((24, 48) if orientation in (1, 3) else (48, 24))
    assert image[3 if corner[0] == 0 else -3, 3 if corner[1] == 0 else -3].mean() > 240
