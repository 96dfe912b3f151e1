"""A package that is missing is named as it is installed, with the extra that brings it."""

from __future__ import annotations

import json.decoder
from pathlib import Path

import pytest

from rartrack.errors import InputError
from rartrack.extras import need


def test_of_a_part_the_whole_is_given() -> None:
    assert need("json.decoder", "vot") is json


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nowhere.part", "vot"), 'nowhere is not installed; pip install "rartrack[vot]" brings it'),
        (("nowhere", "vot", "no-where"), 'no-where is not installed; pip install "rartrack[vot]" brings it'),
        (("nowhere", None), 'nowhere is not installed; pip install "rartrack" brings it'),
    ],
)
def test_what_is_missing_is_named_as_it_is_installed(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        need(*given)
    assert str(caught.value) == said


def test_what_is_there_but_broken_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there.py").write_text("raise ImportError('libfreetype.so.6: cannot open shared object file')")
    (tmp_path / "leaning.py").write_text("import nowhere_either")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"^half_there is installed, but cannot be imported: libfreetype\.so\.6"):
        need("half_there", "report")
    with pytest.raises(InputError, match=r"^leaning is installed, but cannot be imported: No module named 'nowhere"):
        need("leaning", "report")
