"""Settings in YAML files, of which one builds on another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from rartrack.config import changed, from_dict
from rartrack.errors import InputError

T = TypeVar("T")


def load_yaml(cls: type[T], path: str | Path, overrides: Mapping[str, Any] | None = None) -> T:
    """Read a config dataclass from a YAML file, then apply dotted overrides such as ``{"network.dilate": False}``.

    An override of None takes away a key that is there, as null does in a file.

    Raises:
        InputError: as ``read_yaml`` and ``from_dict``.
    """
    values, given = read_yaml(path), overrides or {}
    left = {key: value for key, value in given.items() if value is not None or not _taken_away(values, key)}
    return from_dict(cls, changed(values, left), where=str(path))


def _taken_away(values: dict[str, Any], dotted: str) -> bool:
    """Take a key away by its dotted name; returns whether it was there."""
    *parents, key = dotted.split(".")
    place: Any = values
    for parent in parents:
        place = place.get(parent) if isinstance(place, dict) else None
    return isinstance(place, dict) and place.pop(key, None) is not None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read settings from a YAML file; one that names another by ``base`` changes only what it says itself.

    A value of null takes a key of the base away, which then has its default.

    Raises:
        InputError: the file or its base is missing, not a YAML mapping, or its own base.
    """
    return _read_yaml(Path(path), ())


def read_mapping(path: Path, as_text: bool = False) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Args:
        path: the file.
        as_text: keep every value as the text it is written as; YAML would read 1:5 as a number to the base of 60.

    Raises:
        InputError: the file is missing, or not a YAML mapping.
    """
    import yaml

    reader: Any = yaml.BaseLoader if as_text else yaml.SafeLoader
    try:
        text = path.read_text(encoding="utf-8")
        loader = reader(text)
        try:
            node = loader.get_single_node()
            _refuse_twice(node, set())
            values = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:  # the latter of bytes that are no text, or what looks like a date
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of settings at the top level")
    return values


def _refuse_twice(node: Any, seen: set[int]) -> None:
    """Refuse keys that are given twice, of which YAML's loaders keep the last one and say nothing.

    Raises:
        ValueError: one is.
    """
    import yaml

    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))
    keys: dict[tuple[str, str], Any] = {}
    for part in node.value:
        key, value = part if isinstance(node, yaml.MappingNode) else (None, part)
        if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
            first = keys.setdefault((key.tag, key.value), key)
            if first is not key:
                lines = [1 + one.start_mark.line for one in (first, key)]
                raise ValueError(f"{key.value} is given twice, in lines {lines[0]} and {lines[1]}")
        _refuse_twice(value, seen)


def _read_yaml(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise InputError(f"{path}: is its own base, by way of {above[-1].name}")
    values = read_mapping(path)
    base = values.pop("base", None)
    if base is None:
        return values
    return _merged(_read_yaml(path.parent / str(base), (*above, path.resolve())), values)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = _merged(base[key], value)
        else:
            merged[key] = value
    return merged
