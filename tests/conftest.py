"""Fixtures every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("rartrack", deadline=None)  # none measures time
settings.load_profile("rartrack")

SHARED = Path(os.environ.get("RARTRACK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real sequences, weights and raw results; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the test data folder (RARTRACK_TEST_DATA, looked in {SHARED})")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """Tests, and what they start, hear Ctrl-C and SIGHUP, also where a shell started them in the background or under
    nohup, which ignore them."""
    for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)  # no SIGHUP on Windows
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
