"""Changes of a clip's look: mirror, colour, grey, blur. One draw for all frames, as one camera would see them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.tracking.crops import Crops
from rartrack.training.clips import Clip
from rartrack.training.config import AugmentConfig
from rartrack.video.images import Image

_FEW = (17.0, 42.5)
"""Least and most pixels a side that the target of a coarse clip has, log-uniform between."""

_QUALITY = (40, 90)
"""Of its JPEG, from and below."""

_LUMA = np.array([0.299, 0.587, 0.114])
"""Share of red, green and blue in brightness (ITU-R BT.601)."""


def augment(
    clip: Clip, config: AugmentConfig, random: np.random.Generator, drift: bool = False, padding: float = 2.0
) -> Clip:
    """Change a clip's look at random.

    Args:
        clip: not changed.
        config: probabilities and amounts.
        random: the source of chance.
        drift: let brightness differ between frames, too, which real videos do by themselves.
        padding: of the windows, which show 1 + padding targets a side.
    """
    if random.random() < config.flip:
        clip = clip.flipped()
    crops = recolour(clip.crops(), colour_matrix(config, random))
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
    if config.coarse and random.random() < config.coarse:
        pixels, quality = np.exp(random.uniform(*np.log(_FEW))), int(random.integers(*_QUALITY))
        crops = np.stack([coarse(crop, round((1 + padding) * pixels), quality) for crop in crops])
    return clip.with_crops(crops)


def coarse(crop: Image, side: int, quality: int) -> Image:
    """A crop (S, S, 3) as ``side`` x ``side`` pixels show it, coded as JPEG of a quality from 0 to 100.

    Red and blue change places for the coder, whose losses hardly differ between them.
    """
    whole = crop.shape[0]
    if side < whole:
        crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    seen = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.asarray(cv2.resize(seen, (whole, whole), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


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


def recolour(crops: Crops, matrix: NDArray[np.float64]) -> Crops:
    """Apply a 3x4 matrix to the colours of crops (B, S, S, 3)."""
    changed = cv2.transform(crops.reshape(-1, crops.shape[-2], 3), matrix)
    return np.asarray(changed, dtype=np.uint8).reshape(crops.shape)


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
