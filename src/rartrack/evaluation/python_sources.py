"""The files that a Python tracker is made of: its own, and those of its folder or package that they import."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path
from types import ModuleType

_INSTALLED = {"site-packages", "dist-packages"}
_LIBRARY = [Path(path).resolve() for name in ("stdlib", "platstdlib") if (path := sysconfig.get_paths().get(name))]


def imported_files(module: ModuleType) -> list[Path]:
    """The module's file and all that it imports, at any depth and also within functions, from its folder or, where it
    is of a package, from that; sorted, and whatever else this process has loaded.

    Their ``import`` statements are read, not run: what is imported by a computed name is not seen.
    """
    if not getattr(module, "__file__", None):
        return []
    first = Path(str(module.__file__)).resolve()
    own = module.__spec__.name if module.__spec__ else module.__name__
    root, places = _searched(own, first)
    found: dict[Path, None] = {}
    waiting = [(own, first)]
    while waiting:
        name, path = waiting.pop()
        if path in found:
            continue
        found[path] = None
        if root is not None and path.suffix == ".py":
            for wanted in _imports(path, name):
                waiting += [each for each in _files(wanted, places) if _lies_in(each[1], root)]
    return sorted(found)


def _searched(name: str, path: Path) -> tuple[Path | None, list[str]]:
    """The folder or package whose files count, if any, and where its modules are looked for."""
    top, dot, _ = name.partition(".")
    package = sys.modules.get(top)
    if path.name == "__init__.py" or (dot and hasattr(package, "__path__")):
        root = path.parents[name.count(".") + (path.name == "__init__.py") - 1]
        return root, [str(root.parent)]
    root = path.parent
    if root.name in _INSTALLED or root in _LIBRARY:
        return None, []
    inside = [each for each in sys.path if Path(each).resolve().is_relative_to(root)]
    return root, [*inside, str(root)]


def _lies_in(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root) or _INSTALLED & set(path.relative_to(root).parts):
        return False
    return not any(path.is_relative_to(each) and not root.is_relative_to(each) for each in _LIBRARY)


def _imports(path: Path, name: str) -> Iterator[str]:
    """Names that a module may import; of ``from a import b`` both ``a`` and ``a.b``."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _files(name: str, places: list[str]) -> Iterator[tuple[str, Path]]:
    """The files of a module and of the packages that it lies in, by name, as far as they are there."""
    parts, where = name.split("."), places
    for number, part in enumerate(parts, start=1):
        specification = PathFinder.find_spec(".".join(parts[:number]), where) if part else None
        if specification is None:
            return
        if specification.origin and specification.origin.endswith((".py", *EXTENSION_SUFFIXES)):
            yield specification.name, Path(specification.origin).resolve()
        where = list(specification.submodule_search_locations or [])
