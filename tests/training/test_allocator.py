"""Memory that is freed stays with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import resource
import torch
from rartrack.training.allocator import keep_freed_memory

assert keep_freed_memory()
for count in (100, 100):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(10_000_000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_large_blocks_are_used_again() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120)
    first, later = map(int, found.stdout.split())
    assert first > 5000  # 40 MB in pages of 4 KB, once at least
    assert later < 1000  # as much again, already there; each time anew it would be a million
