"""Crops as the tracker cuts them, drawn from annotated videos: what a network is quantised with."""

from __future__ import annotations

from collections.abc import Sequence as Many

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes, centre_size
from rartrack.config import ModelConfig
from rartrack.datasets import Sequence
from rartrack.errors import InputError
from rartrack.tracking.crops import AROUND, cut, window_size

_OFF_CENTRE = 0.25
"""Largest distance of a search crop from its target on each axis, in target sizes."""


def calibration_crops(
    sequences: Many[Sequence], config: ModelConfig, count: int, seed: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """Draw crops: a half of them search crops somewhat off their target, the others templates and contexts.

    Sequences take turns in a random order, so that none counts twice before each counted once; frames are random.

    Args:
        sequences: with frames; one whose frames or boxes cannot be used is passed over.
        config: input size, padding, window shape and number of contexts are read.
        count: crops wanted.
        seed: same seed, same crops.

    Returns:
        (count, 3, S, S) RGB uint8, and the sequence's name of each.

    Raises:
        InputError: no sequence can be used.
    """
    random = np.random.default_rng(seed)
    side = config.network.input_size
    crops: list[NDArray[np.uint8]] = []
    drawn: list[str] = []
    usable = [sequence for sequence in sequences if sequence.frames is not None and sequence.visible.any()]
    order: list[Sequence] = []
    while len(crops) < count:
        if not usable:
            raise InputError("no sequence has frames to calibrate on; give a folder of videos with their boxes")
        if not order:
            order = [usable[place] for place in random.permutation(len(usable))]
        sequence = order.pop()
        frame = int(random.choice(np.flatnonzero(sequence.visible)))
        assert sequence.frames is not None
        try:
            image = sequence.frames[frame]
        except (InputError, IndexError):
            usable = [each for each in usable if each is not sequence]
            continue
        centre, window = _place(sequence.boxes[frame], config, random)
        crops.append(cut(image, centre[None], window[None], side)[0])
        drawn.append(sequence.name)
    return np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2)), drawn


def _place(box: Boxes, config: ModelConfig, random: np.random.Generator) -> tuple[Boxes, Boxes]:
    """Centre and window, (2,) each, of one crop around a box."""
    centre, size = centre_size(box)
    if random.random() < 0.5:
        offset = random.uniform(-_OFF_CENTRE, _OFF_CENTRE, 2)
    else:
        offset = AROUND[random.integers(1 + config.filter.contexts)]
    return centre + offset * size, window_size(size, config.tracking.padding, config.tracking.crop)
