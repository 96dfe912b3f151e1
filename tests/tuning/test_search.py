"""What a search from Python refuses before it begins; the command line refuses most of it earlier."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.checkpoints import Checkpoint
from rartrack.config import ModelConfig
from rartrack.errors import InputError
from rartrack.tuning.search import Search, search


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"trials": 0}, "--trials 0: at least 1"),
        ({"trials": 1, "halvings": -1}, "--halvings -1: 0, or as many"),
    ],
)
def test_numbers_of_which_no_search_can_be_made(tmp_path: Path, numbers: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        search(Search("small", Checkpoint(ModelConfig(), {}), (), [], **numbers), tmp_path / "out")
    assert not (tmp_path / "out").exists()
