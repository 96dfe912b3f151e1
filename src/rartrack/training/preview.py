"""Clips to look at before hours are spent on them: crops, contexts, and the label over the search crop."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
import torch

from rartrack.boxes import from_centre_size
from rartrack.errors import InputError
from rartrack.network.base import STRIDE, cells
from rartrack.outputs import replace_file
from rartrack.training.clips import Clip
from rartrack.training.config import TrainingConfig
from rartrack.training.objective import label_sigma, search_label
from rartrack.video.images import Image

_SMALL, _LARGE = 128, 256
_GREEN, _RED = (40, 220, 40), (255, 40, 40)
_PAGE = """<!doctype html><meta charset="utf-8"><title>Clips</title>
<style>body {{ font: 14px sans-serif; margin: 1em }} figure {{ margin: 0 0 1em }} img {{ display: block }}</style>
<h1>{count} clips</h1>
<p>Each row: for every exemplar its own crop and its contexts (above, left, below, right); last the search crop with the
label in red and the target's box in green, which must lie on the target.</p>
{rows}
"""


def row(clip: Clip, config: TrainingConfig) -> Image:
    """One clip as a picture (256, W, 3): exemplars with their contexts, then the search crop with its label."""
    columns, own = [], np.full(2, len(clip.search) / (1 + config.model.tracking.padding))
    for exemplar, contexts in zip(clip.exemplars, clip.contexts, strict=True):
        columns.append(_resized(with_box(exemplar, np.zeros(2), own), _LARGE))
        if len(contexts):
            small = [_resized(context, _SMALL) for context in contexts]
            columns += [np.concatenate(small[:2]), np.concatenate(small[2:])]
    marked = with_box(with_label(clip.search, clip.label, config), clip.label[:2], STRIDE * clip.label[3:])
    return np.concatenate([*columns, _resized(marked, _LARGE)], axis=1)


def with_label(search: Image, label: np.ndarray, config: TrainingConfig) -> Image:
    """A search crop with its label in red: cell i of the label, counted from the middle, over pixel 7 + 8 i."""
    side = len(search)
    count = cells(side)
    response = search_label(count, label_sigma(config.model), torch.from_numpy(label)[None])[0]
    centred = torch.roll(response, (count // 2, count // 2), (0, 1)).numpy()
    large = cv2.resize(centred, (STRIDE * count, STRIDE * count), interpolation=cv2.INTER_LINEAR)
    weight = np.zeros((side, side, 1))
    edge = STRIDE // 2 - 1
    weight[edge : edge + len(large), edge : edge + len(large), 0] = 0.6 * np.clip(large, 0, 1)
    return np.asarray((1 - weight) * search + weight * np.array(_RED), dtype=np.uint8)


def with_box(crop: Image, shift: Sequence[float] | np.ndarray, size: np.ndarray) -> Image:
    """A crop with the box of a target ``shift`` cells off its centre, of a size (2,) in the crop's pixels."""
    x, y, width, height = (
        from_centre_size(len(crop) / 2 + STRIDE * np.asarray(shift), size).round().astype(int).tolist()
    )
    marked = crop.copy()
    cv2.rectangle(marked, (x, y), (x + width, y + height), _GREEN, 1)
    return marked


def write_preview(path: Path, clips: Sequence[Clip], config: TrainingConfig) -> None:
    """Write rows of clips as one picture (``.png``) or one page with their names (``.html``).

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    if path.suffix not in (".png", ".html"):
        raise InputError(f"{path}: a preview is a .png or an .html file")
    rows = [row(clip, config) for clip in clips]
    if path.suffix == ".png":
        replace_file(path, _encoded(np.concatenate(rows), ".png"))
        return
    figures = "\n".join(_figure(clip, picture) for clip, picture in zip(clips, rows, strict=True))
    replace_file(path, _PAGE.format(count=len(clips), rows=figures).encode())


def _figure(clip: Clip, picture: Image) -> str:
    data = base64.b64encode(_encoded(picture, ".jpg")).decode()
    x, y, height = clip.label[:3]
    caption = f"{escape(clip.name)}, label at {x:+.1f}, {y:+.1f} cells, {height:.2f} high"
    return f'<figure><img src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _resized(image: Image, side: int) -> Image:
    shrinks = side < len(image)
    resized = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _encoded(image: Image, kind: str) -> bytes:
    return bytes(cv2.imencode(kind, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
