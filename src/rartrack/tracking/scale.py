"""DSST's scale search for the tracker: samples of the target alone, from small to large (Danelljan et al. 2014)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from rartrack.boxes import Boxes
from rartrack.filter.scale import ScaleConfig, scale_factors
from rartrack.tracking.crops import cut
from rartrack.video.images import Image

SETTINGS = ScaleConfig()

_SIDE = 32
"""Pixels a side of a sample: DSST's largest sample has 512 pixels; a square of 32 has a whole number of HOG cells."""

_HOG = ((_SIDE, _SIDE), (16, 16), (8, 8), (8, 8), 9)
"""Window, block, block stride and cell in pixels, and orientations (Dalal and Triggs 2005)."""


def scale_samples(image: Image, centre: Boxes, size: Boxes) -> Tensor:
    """Histograms of gradients of N targets at every scale, (N, S, d) float64.

    Args:
        image: RGB uint8 (H, W, 3).
        centre, size: (N, 2) in pixels; sample s shows the box of ``scale_factors[s]`` times the size.
    """
    factors = scale_factors(SETTINGS).numpy()
    sizes = size[:, None] * factors[:, None]  # (N, S, 2)
    centres = np.repeat(centre[:, None], len(factors), axis=1)
    samples = cut(image, centres.reshape(-1, 2), sizes.reshape(-1, 2), _SIDE)
    describe = cv2.HOGDescriptor(*_HOG).compute
    found = np.stack([np.ravel(describe(cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY))) for sample in samples])
    return torch.from_numpy(found.astype(np.float64)).reshape(len(size), len(factors), -1)
