"""Videos made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from made_videos import MakeVideo, picture


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Encode pictures 0, 1, 2, ...; returns the file."""

    def make(
        name: str = "clip.mp4",
        count: int = 20,
        size: tuple[int, int] = (96, 64),
        times: Sequence[float] | None = None,
        rotation: tuple[int, bool, bool] | None = None,
        rate: Fraction | int = 25,
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        container: dict[str, str] | None = None,
        aspect: Fraction | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=container or {}) as out:
            stream: Any = out.add_stream(codec, rate=rate, options={"crf": "10", **(options or {})})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p" if codec != "mjpeg" else "yuvj420p"
            if times is not None:
                stream.codec_context.time_base = Fraction(1, 10_000)
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotation is not None:
                degrees, across, down = rotation
                stream.set_display_rotation(degrees, hflip=across, vflip=down)
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
                if times is not None:
                    frame.pts, frame.time_base = round(times[number] * 10_000), Fraction(1, 10_000)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return path

    return make
