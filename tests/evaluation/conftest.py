"""Published trackers' raw results, unpacked once; sequences for runs, and the processes these are made in."""

from __future__ import annotations

import tarfile
from pathlib import Path

import fake_trackers
import pytest

import rartrack.evaluation.run


@pytest.fixture(scope="session")
def raw_results(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with otb/, vot2017/, vot2018/, vot2019/, each of <tracker>/ with its results and meta.json."""
    folder = tmp_path_factory.mktemp("raw")
    with tarfile.open(shared / "raw.tar.xz") as archive:
        # Filters came with Python 3.11.4.
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder / "raw"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three short sequences."""
    return fake_trackers.make_sequences(tmp_path / "data")


@pytest.fixture
def one_process(request, monkeypatch):
    """Let runs of different tests share a worker process, but for those that ask for processes of their own."""
    if "own_processes" not in request.fixturenames:
        monkeypatch.setattr(rartrack.evaluation.run, "new_token", lambda: "tests")


@pytest.fixture
def own_processes():
    """Runs start worker processes of their own, as they do outside tests."""
