"""The C library's allocator, told to keep what a step frees for the next one."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""glibc's M_TRIM_THRESHOLD and M_MMAP_MAX (malloc.h)."""


def keep_freed_memory() -> bool:
    """Let large blocks come from the heap, and let the heap not shrink; returns whether the C library does so.

    By default glibc gives each large block back to the system and gets the next one page by page, zeroed: a third of a
    training step's time on a CPU, whose maps are all such blocks. The process keeps what it needed at its highest.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_MMAP_MAX, 0) == 1 and mallopt(_TRIM_THRESHOLD, -1) == 1
