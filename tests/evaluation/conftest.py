"""Published trackers' raw results, unpacked once."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def raw_results(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with otb/, vot2017/, vot2018/, vot2019/, each of <tracker>/ with its results and meta.json."""
    folder = tmp_path_factory.mktemp("raw")
    with tarfile.open(shared / "raw.tar.xz") as archive:
        # Filters came with Python 3.11.4.
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder / "raw"
