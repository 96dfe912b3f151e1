"""Video whose pixels are not square, read and written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from made_videos import MakeVideo

from rartrack.video import VideoWriter, open_source


@pytest.mark.parametrize(
    ("aspect", "degrees", "shown"),
    [
        (None, 0, Fraction(1)),
        (Fraction(16, 11), 0, Fraction(16, 11)),
        (Fraction(16, 11), 180, Fraction(16, 11)),
        (Fraction(16, 11), 90, Fraction(11, 16)),
    ],
)
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_an_anamorphic_video_is_written_as_wide_as_it_was(
    make_video: MakeVideo, tmp_path: Path, aspect: Fraction | None, degrees: int, shown: Fraction, ending: str
) -> None:
    written = tmp_path / f"written.{ending}"
    with open_source(make_video(count=2, aspect=aspect, rotation=(degrees, False, False))) as source:
        assert source.pixel_aspect == shown
        with VideoWriter(written, source.rate, source.size, pixel_aspect=source.pixel_aspect) as writer:
            for frame in source:
                writer.write(frame.image)
    with open_source(written) as again:
        assert (again.size, again.pixel_aspect) == (source.size, shown)
    with av.open(str(written)) as container:
        assert (container.streams.video[0].sample_aspect_ratio or 1) == shown
