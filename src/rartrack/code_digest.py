"""What the package's own source files are, as one hash; works without git."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def code_digest(*names: str) -> str:
    """SHA-256 over the source files of the package's modules and folders of that name."""
    package = files("rartrack")
    digest = hashlib.sha256()
    for name in names:
        for path, file in _files(package / name, name):
            digest.update(f"{path}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(item: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    if item.is_file():
        if path.endswith(".py"):
            yield path, item
        return
    for child in sorted(item.iterdir(), key=lambda each: each.name):
        if not child.name.startswith(("_pycache", "__pycache")):
            yield from _files(child, f"{path}/{child.name}")
