"""Which settings a search varies and how far, and the settings of each of its trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from rartrack.config import FilterConfig, ModelConfig, TrackingConfig, flat, override, to_dict
from rartrack.config_files import read_mapping
from rartrack.errors import InputError, nearest

_EXPECTED = "expected KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,..."
_DIGITS = 4
"""Significant digits of a drawn number: more would suggest a precision that no search has."""
_PATIENCE = 100
"""Points drawn for every trial wanted, before a space counts as exhausted."""


@dataclass(frozen=True)
class Range:
    """A number between two bounds, both included.

    Attributes:
        key: dotted name of the setting.
        low, high: bounds.
        log: spread evenly over the logarithm.
        integer: whole numbers only.
    """

    key: str
    low: float
    high: float
    log: bool = False
    integer: bool = False

    def at(self, share: float) -> float:
        """The number at a share in [0, 1) of the range, an ``int`` where only whole numbers count."""
        wide = 0.5 if self.integer else 0.0  # so that the bounds are as likely as what lies between
        low, high = self.low - wide, self.high + wide
        value = low * (high / low) ** share if self.log else low + (high - low) * share
        value = min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}")))
        return round(value) if self.integer else value

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of several values, each as likely."""

    key: str
    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share in [0, 1) of the list."""
        return self.values[int(share * len(self.values))]

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


Dimension = Range | Choice


def parse_space(texts: Iterable[str]) -> tuple[Dimension, ...]:
    """Read ``--space``: each text is ``key=low:high``, ``key=low:high:log``, ``key=a,b,c``, or a YAML file of such.

    In a file, keys are dotted or nested, and ranges are written as on the command line.

    Raises:
        InputError: a file that cannot be read, an unknown setting (the nearest is named), one given twice, or a range
            that is malformed, empty, or holds values the setting cannot have.
    """
    dimensions: list[Dimension] = []
    for text in texts:
        key, sign, values = text.partition("=")
        entries = [("--space", key.strip(), values)] if sign else _file(Path(text))
        dimensions += [_dimension(where, key, values) for where, key, values in entries]
    keys = [dimension.key for dimension in dimensions]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"--space: {key} is given twice")
    if not keys:
        raise InputError("--space: nothing to vary; give a setting such as filter.learning_rate=0.002:0.05:log")
    return tuple(dimensions)


def current(config: ModelConfig, space: Sequence[Dimension]) -> dict[str, Any]:
    """A model's own values of the settings that a space varies."""
    values = to_dict(config)
    return {dimension.key: values[dimension.key.split(".")[0]][dimension.key.split(".")[1]] for dimension in space}


def draw(space: Sequence[Dimension], start: Mapping[str, Any], trials: int, seed: int) -> list[dict[str, Any]]:
    """The settings of trial 0, which are ``start``, and of up to ``trials`` more, all different.

    The points are those of a scrambled Sobol sequence (Owen's scrambling, in ``torch.quasirandom``): random, but spread
    more evenly than independent draws. Trial i depends on the space, the start, the seed and i alone, so a longer
    search begins with the shorter one.

    Returns:
        1 + ``trials`` settings by dotted name; fewer where the space holds no more.
    """
    from torch.quasirandom import SobolEngine

    engine = SobolEngine(len(space), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    drawn = [dict(start)]
    for _ in range(_PATIENCE * trials):
        if len(drawn) > trials:
            break
        point = engine.draw(1)[0].tolist()
        settings = {dimension.key: dimension.at(share) for dimension, share in zip(space, point, strict=True)}
        if settings not in drawn:
            drawn.append(settings)
    return drawn


def _file(path: Path) -> list[tuple[str, str, str]]:
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        raise InputError(f"--space {path}: {_EXPECTED}, or a YAML file")
    return [(str(path), key, _text(value)) for key, value in flat(read_mapping(path, as_text=True)).items()]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _searchable() -> dict[str, Any]:
    """Dotted name of every setting that is not the network's -> its type."""
    known: dict[str, Any] = {}
    parts: tuple[tuple[str, type[Any]], ...] = (("filter", FilterConfig), ("tracking", TrackingConfig))
    for part, cls in parts:
        types = get_type_hints(cls)
        known |= {f"{part}.{entry.name}": types[entry.name] for entry in fields(cls)}
    return known


def _dimension(where: str, key: str, text: str) -> Dimension:
    known = _searchable()
    if key.startswith("network."):
        raise InputError(f"{where}: {key}: the network's shape is fixed by its weights; vary filter.* or tracking.*")
    if key not in known:
        same = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
        hint = f"; did you mean {same[0]!r}?" if same else nearest(key, known)
        raise InputError(f"{where}: unknown key {key!r}{hint}")
    dimension = _range(where, key, text, known[key]) if ":" in text else _choice(where, key, text)
    if isinstance(dimension, Choice):
        values = dimension.values
    else:  # of whole numbers two neighbours, too: a setting may take odd ones alone
        values = (dimension.low, *([dimension.low + 1] if dimension.integer else []), dimension.high)
    typed = [_typed(key, value, where) for value in values]
    return Choice(key, tuple(typed)) if isinstance(dimension, Choice) else dimension


def _typed(key: str, value: Any, where: str) -> Any:
    """A value as the settings hold it: YAML reads 1e-4 as text."""
    part, name = key.split(".")
    return getattr(getattr(override(ModelConfig(), {key: value}, where), part), name)


def _range(where: str, key: str, text: str, kind: Any) -> Range:
    if kind not in (int, float):
        raise InputError(f"{where}: {key}={text}: not a number; list its values instead, such as {key}=A,B")
    low_text, high_text, *rest = text.split(":")
    if rest not in ([], ["log"]):
        raise InputError(f"{where}: {key}={text}: {_EXPECTED}")
    try:
        low, high = kind(low_text), kind(high_text)
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise InputError(f"{where}: {key}={text}: the bounds must be {what}; {_EXPECTED}") from None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{where}: {key}={text}: the bounds must be finite")
    if low >= high:
        raise InputError(f"{where}: {key}={text}: {low:g} is not below {high:g}; the lower bound comes first")
    if rest and low <= 0:
        raise InputError(f"{where}: {key}={text}: a logarithmic range starts above 0")
    return Range(key, low, high, log=bool(rest), integer=kind is int)


def _choice(where: str, key: str, text: str) -> Choice:
    try:
        values = tuple(yaml.safe_load(word) for word in text.split(","))
    except yaml.YAMLError:
        values = ()
    if len(values) < 2 or any(isinstance(value, (dict, list)) or value is None for value in values):
        raise InputError(f"{where}: {key}={text}: {_EXPECTED}")
    return Choice(key, values)
