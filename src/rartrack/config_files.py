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

    class Loader(reader):  # type: ignore[misc]
        """Of keys given twice YAML's keeps the last one, and says nothing."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            lines: dict[str, int] = {}
            for key, _ in node.value:
                line = 1 + key.start_mark.line
                if isinstance(key, yaml.ScalarNode) and lines.setdefault(key.value, line) != line:
                    raise yaml.YAMLError(f"{key.value} is given twice, in lines {lines[key.value]} and {line}")
            return super().construct_mapping(node, deep)

    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.load(text, Loader=Loader)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:  # the latter of bytes that are no text, or what looks like a date
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of settings at the top level")
    return values


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
