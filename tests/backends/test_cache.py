"""A model is exported once; what is kept of it is used only if it is whole and was made by this code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rartrack import checkpoints
from rartrack.backends.cache import exported
from rartrack.backends.prepared import prepared_network
from rartrack.errors import InputError
from rartrack.network.rar import RAR
from small_network import untrained


class Exports:
    """Counts how often a network had to be made."""

    def __init__(self, model: Path) -> None:
        self.model, self.checkpoint, self.count = model, checkpoints.load(model), 0

    def __call__(self) -> bytes:
        return exported(self.checkpoint, self.model, self._prepared)

    def _prepared(self) -> RAR:
        self.count += 1
        return prepared_network(self.checkpoint, self.model)


@pytest.fixture
def exports(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exports:
    """With an empty cache, and a stand-in for the export itself, which takes seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("rartrack.backends.cache.export", lambda *_: (b"an exported network", 0.0))
    return Exports(model)


def kept(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "rartrack" / "onnx").glob("*.onnx"))


def test_a_model_is_exported_once(exports: Exports, tmp_path: Path) -> None:
    assert exports() == exports() == b"an exported network"
    assert exports.count == 1
    assert len(kept(tmp_path)) == 1
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("damage", [lambda whole: whole[:-5], lambda whole: b"X" + whole[1:], lambda _: b""])
def test_a_damaged_entry_is_made_again(exports: Exports, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = exports()
    kept(tmp_path)[0].write_bytes(damage(whole))
    assert exports() == whole
    assert exports.count == 2
    assert kept(tmp_path)[0].read_bytes() == whole


def test_another_model_or_other_code_is_exported_anew(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports()
    other = tmp_path / "other.safetensors"
    checkpoints.save(other, untrained())
    others = Exports(other)
    others()
    assert others.count == 1
    monkeypatch.setattr("rartrack.backends.cache.code_digest", lambda *_: "changed")
    exports()
    assert exports.count == 2
    assert len(kept(tmp_path)) == 3


def test_the_networks_used_last_are_kept(exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rartrack.backends.cache.KEPT", 2)

    def by_code(version: str) -> None:
        monkeypatch.setattr("rartrack.backends.cache.code_digest", lambda *_: version)
        exports()

    for version in ("first", "second"):
        by_code(version)
    for age, path in enumerate(kept(tmp_path)):
        os.utime(path, (1000 + age, 1000 + age))
    by_code("first")  # used again, so the second is the one that goes
    by_code("third")
    assert exports.count == 3
    assert len(kept(tmp_path)) == 2
    by_code("first")
    assert exports.count == 3
    by_code("second")
    assert exports.count == 4


def test_a_cache_that_cannot_be_written_is_one_line(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="XDG_CACHE_HOME"):
        exports()
