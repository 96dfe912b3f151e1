"""Changes of a clip's look: mirror, colour, grey, resolution, blur. One draw for all frames, as one camera would see
them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.datasets.sequence import Image
from rartrack.training.clips import Clip
from rartrack.training.config import AugmentConfig

_LUMA = np.array([0.299, 0.587, 0.114])
"""Share of red, green and blue in brightness (ITU-R BT.601)."""

_COARSEST = 3.5
"""Most pixels of a crop, along an axis, that come from one of a coarse camera."""

_QUALITY = (25, 80)
"""Of JPEG, which stands for what cameras and videos of that kind do to pixels."""


def augment(clip: Clip, config: AugmentConfig, random: np.random.Generator, drift: bool = False) -> Clip:
    """Change a clip's look at random.

    Args:
        clip: not changed.
        config: probabilities and amounts.
        random: the source of chance.
        drift: let brightness differ between frames, too, which real videos do by themselves.
    """
    if random.random() < config.flip:
        clip = clip.flipped()
    crops = recolour(clip.crops(), colour_matrix(config, random))
    if config.coarse and random.random() < config.coarse:
        crops = coarsened(crops, random)
    count, around = len(clip.exemplars), clip.contexts.shape[1]
    # The crops of one frame change alike: exemplar t, its contexts, and last the search crop.
    frames = [[t, *range(count + t * around, count + (t + 1) * around)] for t in range(count)] + [[len(crops) - 1]]
    for frame in frames:
        if drift:
            gain = 1 + random.uniform(-config.drift, config.drift)
            crops[frame] = cv2.convertScaleAbs(crops[frame].reshape(1, -1), alpha=gain).reshape(crops[frame].shape)
    if random.random() < config.blur:
        kernel = blur_kernel(random, clip.search.shape[0])
        for index in frames[int(random.integers(len(frames)))]:
            crops[index] = cv2.filter2D(crops[index], -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return clip.with_crops(crops)


def colour_matrix(config: AugmentConfig, random: np.random.Generator) -> NDArray[np.float64]:
    """3x4 matrix, applied to (r, g, b, 1): saturation, tint, brightness and contrast about mid grey."""
    grey = random.random() < config.grey
    saturation = 1 + random.uniform(-config.saturation, config.saturation)
    tint = 1 + random.uniform(-config.tint, config.tint, 3)
    contrast = 1 + random.uniform(-config.contrast, config.contrast)
    brightness = 1 + random.uniform(-config.brightness, config.brightness)
    if grey:
        saturation, tint = 0.0, np.ones(3)
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    linear = contrast * brightness * tint[:, None] * mix
    return np.concatenate([linear, np.full((3, 1), 127.5 * (1 - contrast))], axis=1)


def recolour(crops: Image, matrix: NDArray[np.float64]) -> Image:
    """Apply a 3x4 matrix to the colours of crops (B, S, S, 3)."""
    changed = cv2.transform(crops.reshape(-1, crops.shape[-2], 3), matrix)
    return np.asarray(changed, dtype=np.uint8).reshape(crops.shape)


def coarsened(crops: Image, random: np.random.Generator) -> Image:
    """Crops (B, S, S, 3) as if the camera had seen few pixels of them, which are compressed and enlarged.

    Small targets look like that: one of 20 pixels is enlarged twice to the 42 that it has in a crop of 127. One draw of
    resolution on each axis and of quality for all crops.
    """
    side = crops.shape[1]
    pixels = (side * np.exp(-random.uniform(0, np.log(_COARSEST), 2))).round().astype(int)
    quality = int(random.integers(*_QUALITY)) if random.random() < 0.5 else None
    result = np.empty_like(crops)
    for crop, target in zip(crops, result, strict=True):
        small = cv2.resize(crop, tuple(pixels.tolist()), interpolation=cv2.INTER_AREA)
        if quality is not None:
            coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            small = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        target[:] = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    return result


def blur_kernel(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    """A kernel of sum 1: defocus, or motion along a random direction, of up to a fortieth of the crop's side."""
    reach = max(1, round(side / 80))
    size = 2 * reach + 1
    kernel = np.zeros((size, size), dtype=np.float32)
    if random.random() < 0.5:
        line = cv2.getGaussianKernel(size, random.uniform(0.3, 0.5) * reach)
        kernel[:] = line @ line.T
    else:
        angle = random.uniform(0, np.pi)
        end = reach * np.array([np.cos(angle), np.sin(angle)])
        first, last = (np.round(reach + sign * end).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, first, last, (1.0,), 1)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)
