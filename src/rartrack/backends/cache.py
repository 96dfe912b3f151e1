"""Exported networks kept on disk, so that a model is exported once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from rartrack import checkpoints
from rartrack.backends.onnx_file import FORMAT, export
from rartrack.backends.quantize import quantize_again
from rartrack.checkpoints import Checkpoint
from rartrack.code_digest import code_digest
from rartrack.errors import InputError
from rartrack.network.rar import RAR
from rartrack.outputs import replace_file, user_cache

_DIGITS = 32
KEPT = 8
"""Networks kept: the ones used last. More than one works with at a time, and a few hundred MB at most."""


def default_folder() -> Path:
    """Where exported networks are kept."""
    return user_cache("onnx")


def exported(
    checkpoint: Checkpoint, model: str | Path, prepared: Callable[[], RAR], about: Mapping[str, Any] | None = None
) -> bytes:
    """The content of a model's ONNX file, exported unless it is kept already.

    A file's name says what it was made from (the model's file, the code that exports it, the format) and what it
    holds; one that does not hold what its name says is made again.

    Args:
        checkpoint: of the model.
        model: a built-in name or a path.
        prepared: gives the network prepared for inference; called only if it has to be exported.
        about: what the network in eight-bit integers is made by; None: floats.

    Raises:
        InputError: as ``export`` and ``quantize_again``, or the cache cannot be written.
    """
    fingerprint = checkpoints.fingerprint(model)
    code = code_digest("checkpoints.py", "network", "backends")
    made_by = f"{FORMAT} {code} {fingerprint}"
    if about is not None:
        made_by += f" {json.dumps(about, sort_keys=True)}"
    key = hashlib.sha256(made_by.encode()).hexdigest()[:_DIGITS]
    folder = default_folder()
    kept = _kept(folder, key)
    if kept is not None:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):  # of several processes that begin at once, one exports
            kept = _kept(folder, key)
            if kept is None:
                kept, _ = export(prepared(), checkpoint, fingerprint)
                if about is not None:
                    kept = quantize_again(kept, about)
                replace_file(folder / f"{key}-{_digest(kept)}.onnx", kept)
                _remove_all_but_newest(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot keep the exported network: {error.strerror}; set XDG_CACHE_HOME to another folder"
        ) from None
    return kept


def _kept(folder: Path, key: str) -> bytes | None:
    for path in folder.glob(f"{key}-*.onnx"):
        with suppress(OSError):
            content = path.read_bytes()
            if path.name == f"{key}-{_digest(content)}.onnx":
                with suppress(OSError):  # a folder that can only be read serves too
                    path.touch()
                return content
            path.unlink()
    return None


def _remove_all_but_newest(folder: Path) -> None:
    """Keep the ``KEPT`` networks that were used last."""
    used = []
    for path in folder.glob("*.onnx"):
        with suppress(OSError):
            used.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(used, reverse=True)[KEPT:]:
        with suppress(OSError):
            path.unlink()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
