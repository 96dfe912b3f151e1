"""Pictures and one page of what the network looks at, frame by frame (the paper's Figs. 1, 2 and 4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.outputs import replace_file
from rartrack.video.images import Image
from rartrack.video.overlay import draw

if TYPE_CHECKING:
    from rartrack.tracking.maps import FrameMaps, LevelMaps

PAGE = "index.html"
"""The page's name in its folder."""

_SIDE = 255
_LEVELS = {3: "conv3", 4: "conv4", 5: "conv5"}
_PICTURE = re.compile(r'<img src="(\d+-[\w-]+\.png)">')
_CONTEXTS = ("above", "left", "below", "right")
_PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px sans-serif; margin: 1.5em; color: #222 }}
.row {{ display: flex; flex-wrap: wrap; gap: 8px; align-items: end }}
figure {{ margin: 0 }} figcaption {{ max-width: 255px; color: #555 }} img {{ display: block; height: 255px }}
</style>
<h1>{title}</h1>
<p>Heat: dark is the map's least value, bright its greatest; both stand below it. Features, memory and attended features
are means of absolute values over channels. The response shows where the filter finds the target; no motion is in the
middle. Channel attention: one bar a channel, sorted by weight, from 0 to 1.{lacking}</p>
{frames}
"""


def write_inspection(frames: Sequence[FrameMaps], output: Path, title: str) -> Path:
    """Write every map as a picture and then all of them on one page, ``index.html``, each file in one step; an earlier
    page and its pictures go, once the new ones are there.

    Args:
        frames: maps of the frames to show.
        output: folder, made if need be.
        title: of the page.

    Raises:
        InputError: the folder cannot be written.
    """
    page = output / PAGE
    earlier = _shown(page)
    sections = []
    for maps in frames:
        rows = "\n".join(_row(output, maps, name, pictures) for name, pictures in _rows(maps).items())
        score = f"score {maps.result.score:.2f}, {maps.result.status}"
        sections.append(f"<h2>Frame {maps.frame}: {score}</h2>\n{rows}")
    text = _PAGE.format(title=escape(title), lacking=_lacking(frames), frames="\n".join(sections))
    replace_file(page, text.encode())
    for name in earlier - _shown(page):
        with suppress(OSError):
            (output / name).unlink()
    return page


def _shown(page: Path) -> set[str]:
    """Names of the pictures that a page shows; none where there is no page."""
    try:
        return set(_PICTURE.findall(page.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return set()


Pictures = dict[str, tuple[Image, str]]
"""Name of the file -> picture and caption."""


def _rows(maps: FrameMaps) -> dict[str, Pictures]:
    rows: dict[str, Pictures] = {
        "Search": {
            "frame": (_smaller(draw(maps.image, {"": maps.result})), "frame"),
            "search": (maps.crop, "search crop"),
            "response": _heat(maps.response, maps.crop, "response (Eq. 5)"),
        }
    }
    for level, found in sorted(maps.levels.items()):
        rows[_LEVELS.get(level, f"level {level}")] = _level(level, found, maps.crop)
    learned: Pictures = {"template": (maps.template, "template")}
    for name, context in zip(_CONTEXTS, maps.contexts, strict=False):
        learned[f"context-{name}"] = (context, f"context {name}")
    rows["Learned from (Eq. 6)"] = learned
    return rows


_PARTS = {
    "memory": "memory h (Eq. 1)",
    "channel": "channel attention (Eq. 2)",
    "spatial": "spatial attention (Eq. 3)",
    "attended": "attended phi^a (Eq. 4)",
}


def _lacking(frames: Sequence[FrameMaps]) -> str:
    """A sentence on the parts that no level of the network has, if there are any."""
    levels = [found for maps in frames for found in maps.levels.values()]
    lacking = [title for part, title in _PARTS.items() if all(getattr(found, part) is None for found in levels)]
    return f" This model's network has no {', no '.join(lacking)}." if lacking else ""


def _level(level: int, found: LevelMaps, crop: Image) -> Pictures:
    named = {
        "features": (found.features, "features phi"),
        **{part: (getattr(found, part), _PARTS[part]) for part in ("memory", "spatial", "attended")},
    }
    pictures = {
        f"level{level}-{name}": _heat(values, crop, caption)
        for name, (values, caption) in named.items()
        if values is not None
    }
    if found.channel is not None:
        low, high = float(found.channel.min()), float(found.channel.max())
        caption = f"{_PARTS['channel']}: {low:.3g} to {high:.3g}"
        pictures[f"level{level}-channel"] = (bars(found.channel), caption)
    return pictures


def heat(values: NDArray[np.float32], crop: Image) -> Image:
    """A map (n, n) as colours over its crop (S, S, 3): cell i lies over pixel 7 + 8 i."""
    count, side = len(values), len(crop)
    low, high = float(values.min()), float(values.max())
    scaled = np.full(values.shape, 0.5) if high - low < 1e-12 else (values - low) / (high - low)
    # Sample the map at the crop's pixels: pixel u is cell (u - 7) / 8.
    stride = (side - 7) // count
    matrix = np.array([[1 / stride, 0, -7 / stride], [0, 1 / stride, -7 / stride]])
    large = cv2.warpAffine(
        scaled.astype(np.float32),
        matrix,
        (side, side),
        None,
        cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        cv2.BORDER_REPLICATE,
    )
    colours = cv2.cvtColor(cv2.applyColorMap((255 * large).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.asarray(0.5 * crop + 0.5 * colours, dtype=np.uint8)


def bars(weights: NDArray[np.float32]) -> Image:
    """Weights (C,) in [0, 1] as sorted bars, (255, 255, 3)."""
    ordered = np.sort(weights)[::-1]
    heights = ordered[np.arange(_SIDE) * len(ordered) // _SIDE]
    rows = np.arange(_SIDE)[::-1, None] / _SIDE
    filled = (rows < heights)[..., None]
    return np.where(filled, (60, 90, 160), 245).astype(np.uint8)


def _heat(values: NDArray[np.float32], crop: Image, caption: str) -> tuple[Image, str]:
    return heat(values, crop), f"{caption}: {values.min():.3g} to {values.max():.3g}"


def _row(output: Path, maps: FrameMaps, name: str, pictures: Pictures) -> str:
    figures = []
    for file, (picture, caption) in pictures.items():
        path = output / f"{maps.frame:06d}-{file}.png"
        encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        replace_file(path, encoded.tobytes())
        figures.append(f'<figure><img src="{path.name}"><figcaption>{escape(caption)}</figcaption></figure>')
    return f'<h3>{escape(name)}</h3>\n<div class="row">{"".join(figures)}</div>'


def _smaller(image: Image) -> Image:
    height, width = image.shape[:2]
    factor = min(1.0, _SIDE / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
