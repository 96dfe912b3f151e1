"""Colours are those that players show, by the standard that the video names or its size tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_videos import read

BT709, BT601 = 1, 5
COLOURS = [(200, 60, 30), (30, 200, 60), (60, 30, 200), (240, 240, 20)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("height", "coded", "named"),
    [
        (720, BT709, None),
        (718, BT601, None),
        (720, BT601, BT601),
        (718, BT709, BT709),
    ],
)
def test_colours_come_back(tmp_path: Path, height: int, coded: int, named: int | None, full: bool) -> None:
    image = np.repeat(np.array(COLOURS, np.uint8), 16, axis=0)[None].repeat(height, axis=0)
    kind = "yuvj420p" if full else "yuv420p"
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25, options={"qp": "1"})
        (stream.width, stream.height), stream.pix_fmt = (64, height), kind
        if named is not None:
            stream.codec_context.colorspace = named
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format=kind, dst_colorspace=coded, dst_color_range=2 if full else 1)
        frame.colorspace = 2 if named is None else named
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(str(tmp_path / "a.mkv")) as video:
        assert next(video.decode(video=0)).colorspace == (2 if named is None else named)
    (found,) = read(tmp_path / "a.mkv")
    np.testing.assert_allclose(found.image[height // 2, 8::16], COLOURS, atol=3)


@pytest.mark.parametrize("kind", ["bgr0", "gray"])
def test_what_is_not_coded_as_colour_differences_stays(tmp_path: Path, kind: str) -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(720 * 3).reshape(256, 720, 3).transpose(1, 0, 2)
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        (stream.width, stream.height), stream.pix_fmt = (256, 720), kind
        out.mux(
            stream.encode(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(levels), format="rgb24").reformat(format=kind)
            )
        )
        out.mux(stream.encode(None))
    (found,) = read(tmp_path / "a.mkv")
    np.testing.assert_allclose(found.image.astype(int), levels, atol=1)
