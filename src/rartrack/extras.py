"""Packages that only some uses need, and the extra of ours that brings each."""

from __future__ import annotations

import importlib
from types import ModuleType

from rartrack.errors import InputError


def need(module: str, extra: str | None, package: str | None = None) -> ModuleType:
    """Import a module that an extra brings.

    Args:
        module: its name, dotted where a part of it is used; what stands before the first dot is returned.
        extra: of ours; None for what always comes with us.
        package: as it is installed, where that is not the module's name.

    Raises:
        InputError: it is not installed, or cannot be imported.
    """
    name = module.partition(".")[0]
    try:
        importlib.import_module(module)
        return importlib.import_module(name)
    except ImportError as error:
        wanted = "rartrack" if extra is None else f"rartrack[{extra}]"
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == name:
            raise InputError(f'{package or name} is not installed; pip install "{wanted}" brings it') from None
        raise InputError(f"{package or name} is installed, but cannot be imported: {error}") from None
