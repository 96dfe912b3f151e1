"""From a benchmark's name or a folder to its sequences.

Where a named benchmark lies is said by the ``data`` argument, by the environment variable RARTRACK_DATA (both a folder
that is the data set or holds data sets), or by the user's file ``~/.config/rartrack/data.yaml`` (name: path), tried in
this order; nothing else is searched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rartrack.datasets.benchmarks import ALIASES, BENCHMARKS, LAYOUTS, Lister
from rartrack.datasets.dataset import Dataset, plain
from rartrack.datasets.text import read_text
from rartrack.errors import InputError, nearest

VARIABLE = "RARTRACK_DATA"
_LIKENESS = 0.75  # a folder's plain name, such as "train", is part of some benchmark's


def load_dataset(name: str | Path, data: str | Path | None = None, sequences: Iterable[str] | None = None) -> Dataset:
    """Find a data set and list its sequences; annotations and frames are read when a sequence is asked for.

    Args:
        name: a benchmark's name, such as ``otb2015``, in any spelling; or a folder, whose layout is recognised.
        data: where the benchmark lies; without it, the environment variable and the user's file say.
        sequences: names of the sequences wanted, in any spelling; all if None.

    Raises:
        InputError: unknown name, nothing found (it says what was looked for and where), unknown layout or sequence.
    """
    key = plain(str(name))
    key = ALIASES.get(key, key)
    known = {plain(each): each for each in BENCHMARKS}
    if key in known and isinstance(name, str) and not _is_path(name):
        dataset = _benchmark(known[key], data)
    else:
        dataset = _folder(Path(name).expanduser(), data)
    return dataset if sequences is None else _choose(dataset, sequences)


def user_file() -> Path:
    """Where the user's file lies: ``rartrack/data.yaml`` in XDG_CONFIG_HOME or ``~/.config``."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "rartrack" / "data.yaml"


def _benchmark(name: str, data: str | Path | None) -> Dataset:
    benchmark = BENCHMARKS[name]
    places = _places(name, data)
    for place in places:
        for root in _candidates(place, {plain(name), *benchmark.folders}):
            for key in benchmark.layouts:
                if LAYOUTS[key].recognise(root):
                    members = None if benchmark.members is None else tuple(benchmark.members())
                    return _dataset(name, root, key, members, benchmark.entries)
    expected = " or ".join(LAYOUTS[key].title for key in benchmark.layouts)
    looked = ", ".join(map(str, places)) or "no place is known"
    here = f"; for the folder here write ./{name}" if Path(name).is_dir() else ""
    raise InputError(
        f"{benchmark.title} not found; looked for {expected} in: {looked}; "
        f"say where it lies by --data DIR, {VARIABLE}, or a line '{name}: DIR' in {user_file()}{here}"
    )


def _folder(path: Path, data: str | Path | None) -> Dataset:
    tried = _possible(path, data)
    root = next((each for each in tried if each.exists()), None)
    if root is None:
        elsewhere = "" if data or path.is_absolute() else f"; set {VARIABLE} to the folder that holds it"
        raise InputError(
            f"{path}: neither a folder (looked at {', '.join(map(str, tried))}) nor a benchmark"
            f"{nearest(str(path), BENCHMARKS, _LIKENESS)}{elsewhere}; benchmarks: {', '.join(BENCHMARKS)}"
        )
    for key, layout in LAYOUTS.items():
        if (root.is_dir() or key == "json") and layout.recognise(root):
            return _dataset(root.stem if root.is_file() else root.resolve().name, root, key)
    raise InputError(f"{root}: no known layout; looked for {'; '.join(layout.title for layout in LAYOUTS.values())}")


def _possible(path: Path, data: str | Path | None) -> list[Path]:
    """Where a folder may be meant to be: as it is given, or in or as one of the places where data lies."""
    if data is None:
        inside = [] if path.is_absolute() else [place / path for place in _variable()]
        return [path, *inside, *_user_place(str(path))]
    if path.is_absolute():
        raise InputError(f"{path}: a folder already; the place of the data ({data}) is for a data set given by name")
    return [place / path for place in _places(str(path), data)]


def _dataset(
    name: str, root: Path, key: str, members: Iterable[str] | None = None, lister: Lister | None = None
) -> Dataset:
    layout = LAYOUTS[key]
    entries = tuple((lister or layout.entries)(root, members))
    if not entries:
        raise InputError(f"{root}: no sequence found; looked for {layout.title}")
    return Dataset(name, entries, key, layout.protocol, layout.origin, root)


def _choose(dataset: Dataset, wanted: Iterable[str]) -> Dataset:
    chosen = tuple(dict.fromkeys(dataset.entry(name) for name in wanted))
    rest = tuple(entry.name for entry in dataset.entries if entry not in chosen)
    return replace(dataset, entries=chosen, left_out=rest)


def _places(name: str, data: str | Path | None) -> list[Path]:
    if data is not None:
        place = Path(data).expanduser()
        if not place.exists():
            raise InputError(f"{place}: no such folder (given as the place of the data)")
        return [place]
    return [*_variable(), *_user_place(name)]


def _variable() -> list[Path]:
    value = os.environ.get(VARIABLE)
    return [Path(value).expanduser()] if value else []


def _user_place(name: str) -> list[Path]:
    import yaml

    path = user_file()
    if not path.is_file():
        return []
    try:
        places = yaml.safe_load(read_text(path)) or {}
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
        raise InputError(f"{path}: expected lines 'name: folder'")
    by_name = {plain(str(key)): place for key, place in places.items()}
    found = by_name.get(plain(name))
    return [] if found is None else [Path(found).expanduser()]


def _candidates(place: Path, names: set[str]) -> Iterator[Path]:
    """The place itself, then what in it, or in a folder of it, bears one of the names."""
    yield place
    if not place.is_dir():
        return
    children = sorted(child for child in place.iterdir() if not child.name.startswith("."))
    yield from (child for child in children if plain(child.stem) in names)
    for child in children:
        if child.is_dir():
            yield from (item for item in sorted(child.iterdir()) if plain(item.stem) in names)


def _is_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.startswith(("~", "."))
