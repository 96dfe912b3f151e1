"""High dynamic range becomes BT.709; what is not so coded stays as it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_videos import MakeVideo, read
from numpy.typing import NDArray

from rartrack.video.hdr import to_sdr

PQ, HLG, BT709, BT2020 = 16, 18, 1, 9
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
RED, GREEN, BLUE = 0.2627, 0.6780, 0.0593
COLOURS = [(200, 60, 30), (30, 200, 60), (60, 30, 200), (210, 210, 20), (20, 90, 160), (150, 120, 100)]
GREYS = [(level,) * 3 for level in (0, 8, 16, 32, 64, 96, 128, 160, 192, 224)]

Light = NDArray[np.float64]


def graded(light: Light, curve: int) -> Light:
    """Light of a BT.2020 display in candelas a square metre, coded as BT.2100 has it, 0 to 1."""
    if curve == PQ:
        power = (light / 10_000) ** (2610 / 16384)
        coded: Light = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
        return coded
    light = light / 1000
    scene = light * np.maximum(light @ [RED, GREEN, BLUE], 1e-9)[..., None] ** (1 / 1.2 - 1)
    logs = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logs)


def write(path: Path, light: Light, curve: int, primaries: int = BT2020) -> None:
    """One frame of ten bits, of light such as ``graded`` takes."""
    red, green, blue = np.moveaxis(graded(light, curve), -1, 0)
    luma = RED * red + GREEN * green + BLUE * blue
    differences = (blue - luma) / (2 * (1 - BLUE)), (red - luma) / (2 * (1 - RED))
    planes = [64 + 876 * luma, *(512 + 896 * difference for difference in differences)]
    height, width = luma.shape
    frame: Any = av.VideoFrame(width, height, "yuv444p10le")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((height, plane.line_size // 2), np.uint16)
        rows[:, :width] = values.round()
        plane.update(rows.tobytes())
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = (
            BT2020,
            primaries,
            curve,
            1,
        )
        frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = BT2020, primaries, curve, 1
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def display_light(image: NDArray[np.uint8]) -> Light:
    """Of a picture of ordinary video, whose white is 203 candelas a square metre."""
    light: Light = 203 * (image / 255) ** 2.4 @ TO_BT2020.T
    return light


def shown(path: Path, colours: list[tuple[int, ...]], curve: int) -> NDArray[np.int64]:
    """What comes back of these colours, in patches side by side."""
    image = np.repeat(np.array(colours, np.uint8), 16, axis=0)[None].repeat(48, axis=0)
    write(path, display_light(image), curve)
    (frame,) = read(path)
    return frame.image[24, 8::16].astype(int)


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_a_graded_picture_comes_back(tmp_path: Path, curve: int) -> None:
    np.testing.assert_allclose(shown(tmp_path / "a.mkv", COLOURS, curve), COLOURS, atol=6)


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_greys_stay_grey(tmp_path: Path, curve: int) -> None:
    found = shown(tmp_path / "a.mkv", GREYS, curve)
    assert np.ptp(found, axis=-1).max() <= 2
    np.testing.assert_allclose(found, GREYS, atol=3)


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_what_is_brighter_than_white_is_told_from_it(tmp_path: Path, curve: int) -> None:
    light = np.repeat([100.0, 203, 400, 700, 1000], 16)[None, :, None].repeat(48, axis=0).repeat(3, axis=-1)
    write(tmp_path / "a.mkv", light, curve)
    levels = read(tmp_path / "a.mkv")[0].image[24, 8::16, 1].astype(int)
    assert (np.diff(levels) > 0).all()
    assert levels[1] > 240
    assert levels[-1] >= 254


def exact(coded: Light, curve: int) -> Light:
    """Levels of ordinary video for red, green and blue coded as BT.2100 has it, 0 to 1: light of a display, compressed
    from 0.8 of diffuse white on, in full precision."""
    if curve == PQ:
        root = coded ** (32 / 2523)
        light = 10_000 * (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
    else:
        logs = (np.exp((coded - 0.55991073) / 0.17883277) + 0.28466892) / 12
        scene = np.where(coded <= 0.5, coded**2 / 3, logs)
        light = 1000 * scene * (scene @ [RED, GREEN, BLUE])[..., None] ** 0.2
    peak = 1000 / 203
    light = np.clip(light / 203 @ TO_BT709.T, 0, peak)
    over, most = np.maximum(light - 0.8, 0) / 0.2, (peak - 0.8) / 0.2
    shown = np.minimum(light, 0.8) + 0.2 * over * (1 + over / most**2) / (1 + over)
    levels: Light = 255 * shown ** (1 / 2.4)
    return levels


@pytest.mark.parametrize("curve", [PQ, HLG])
@pytest.mark.parametrize("size", [(1283, 403), (70_001, 3), (1, 1)])
def test_every_pixel_is_within_a_level_of_the_exact_one(curve: int, size: tuple[int, int]) -> None:
    width, height = size
    coded = np.random.default_rng(0).integers(0, 1024, (height, width, 3), dtype=np.uint16)
    frame: Any = av.VideoFrame(width, height, "gbrp10le")
    for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
        rows = np.zeros((height, plane.line_size // 2), np.uint16)
        rows[:, :width] = coded[..., channel]
        plane.update(rows.tobytes())
    frame.color_primaries, frame.color_trc = BT2020, curve
    found = to_sdr(frame)
    assert (found.dtype, found.shape) == (np.uint8, coded.shape)
    assert np.abs(found - exact(coded / 1023, curve)).max() <= 1


def test_other_video_is_untouched(tmp_path: Path, make_video: MakeVideo) -> None:
    write(tmp_path / "sdr.mkv", display_light(np.full((48, 64, 3), 128, np.uint8)), PQ, primaries=BT709)
    for path in (tmp_path / "sdr.mkv", make_video(count=2), make_video("hd.mp4", 1, (1280, 720))):
        with av.open(str(path)) as video:
            plain: Any = next(video.decode(video=0))
            if plain.height >= 720:
                plain.colorspace = BT709
            np.testing.assert_array_equal(read(path)[0].image, plain.to_ndarray(format="rgb24"))
