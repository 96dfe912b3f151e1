"""Tracking takes few of a large machine's cores unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest
import torch

from rartrack.errors import InputError
from rartrack.tracking.threads import MOST, use_threads, usual_threads


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (MOST, MOST), (64, MOST)])
def test_one_a_core_up_to_a_few(monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert usual_threads() == threads


def test_all_libraries_get_what_was_asked_for() -> None:
    use_threads(1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)


@pytest.mark.parametrize("count", [0, -3])
def test_none_at_all_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="--threads"):
        use_threads(count)
