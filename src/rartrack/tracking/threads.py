"""How many of a machine's cores tracking takes."""

from __future__ import annotations

import cv2
import torch

from rartrack.errors import InputError

MOST = 4
"""Threads taken unless more are asked for. The network's maps are small: what a further thread brings falls with each,
while decoding and encoding, which run beside it, and the user's other programs want cores too."""


def usual_threads() -> int:
    """Threads that tracking takes by itself: the cores this process may use, ``MOST`` at most.

    torch counts cores, not their hardware threads, and heeds ``OMP_NUM_THREADS``; asked before anything has set it.
    """
    return max(1, min(torch.get_num_threads(), MOST))


def use_threads(count: int | None) -> None:
    """Give torch, and all libraries beside it, so many threads in this process; ``usual_threads`` with None.

    Raises:
        InputError: less than one.
    """
    if count is not None and count < 1:
        raise InputError(f"--threads {count}: must be 1 or more")
    chosen = usual_threads() if count is None else count
    torch.set_num_threads(chosen)
    cv2.setNumThreads(chosen)
