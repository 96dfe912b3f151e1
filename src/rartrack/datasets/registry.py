"""From a benchmark's name or a folder to its sequences.

Where a named benchmark lies is said by the ``data`` argument, by the environment variable RARTRACK_DATA (both a folder
that is the data set or holds data sets), or by the user's file ``~/.config/rartrack/data.yaml`` (name: path), tried in
this order; nothing else is searched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rartrack.datasets import annotations, folder, otb, vot
from rartrack.datasets.dataset import Dataset, Entry, Protocol, plain
from rartrack.datasets.text import read_text
from rartrack.errors import InputError, nearest

VARIABLE = "RARTRACK_DATA"

Lister = Callable[[Path, Iterable[str] | None], list[Entry]]


@dataclass(frozen=True)
class Layout:
    """How a kind of data set lies on disk.

    Attributes:
        title: what a message calls it.
        recognise: whether a folder (or file) is in this layout.
        entries: its sequences; given names, those, there or not.
        protocol: how it is scored by default.
        origin: what its own files call the first pixel.
    """

    title: str
    recognise: Callable[[Path], bool]
    entries: Lister
    protocol: Protocol = "ope"
    origin: Literal[0, 1] = 0


LAYOUTS: dict[str, Layout] = {
    "json": Layout("annotations in one JSON file", annotations.recognise_json, annotations.json_entries, "vot"),
    "otb-annotations": Layout(
        "OTB's annotations, NAME.txt with sequences.json", annotations.recognise_otb, annotations.otb_entries, origin=1
    ),
    "otb": Layout("OTB: NAME/groundtruth_rect.txt and NAME/img/", otb.recognise, otb.entries, origin=1),
    "vot": Layout("VOT: NAME/groundtruth.txt and NAME/color/", vot.recognise, vot.entries, "vot"),
    "folder": Layout("NAME.mp4 or NAME/ beside NAME.txt", folder.recognise, folder.entries),
}
"""Layouts in the order in which a folder is tried against them: the first that fits is taken."""


@dataclass(frozen=True)
class Benchmark:
    """A data set known by name.

    Attributes:
        title: its name in prose.
        layouts: keys of ``LAYOUTS`` it comes in.
        folders: what its folder or file is called, spelt as ``plain`` spells; its own name is always tried.
        members: names of its sequences, or None: all that are there.
    """

    title: str
    layouts: tuple[str, ...]
    folders: tuple[str, ...] = ()
    members: Callable[[], Iterable[str]] | None = None


_OTB_FOLDERS = ("otb100", "otb2015", "tb100", "otb", "otbfull")
_OTB = ("otb", "otb-annotations")
_VOT = ("vot", "json")

BENCHMARKS: dict[str, Benchmark] = {
    "otb2013": Benchmark("OTB-2013", _OTB, ("otb50", *_OTB_FOLDERS), lambda: otb.members("otb2013")),
    "otb50": Benchmark("OTB-50", _OTB, ("otb2013", *_OTB_FOLDERS), lambda: otb.members("otb50")),
    "otb2015": Benchmark("OTB-2015", _OTB, _OTB_FOLDERS, lambda: otb.members("otb2015")),
    "vot2016": Benchmark("VOT2016", _VOT),
    "vot2017": Benchmark("VOT2017", _VOT, ("vot2018",)),
    "vot2018": Benchmark("VOT2018", _VOT, ("vot2017",)),
    "vot2019": Benchmark("VOT2019", _VOT),
}
"""Benchmarks by the name a user gives."""

ALIASES = {"otb100": "otb2015", "tb100": "otb2015", "tb50": "otb50", "cvpr13": "otb2013"}
"""Other names in use."""


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
                    return _dataset(name, root, key, members)
    expected = " or ".join(LAYOUTS[key].title for key in benchmark.layouts)
    looked = ", ".join(map(str, places)) or "no place is known"
    raise InputError(
        f"{benchmark.title} not found; looked for {expected} in: {looked}; "
        f"say where it lies by --data DIR, {VARIABLE}, or a line '{name}: DIR' in {user_file()}"
    )


def _folder(path: Path, data: str | Path | None) -> Dataset:
    tried = [path]
    if not path.exists() and not path.is_absolute():
        tried += [place / path for place in _places(str(path), data)]
    root = next((each for each in tried if each.exists()), None)
    if root is None:
        raise InputError(
            f"{path}: neither a folder (looked at {', '.join(map(str, tried))}) nor a benchmark"
            f"{nearest(str(path), BENCHMARKS)}; benchmarks: {', '.join(BENCHMARKS)}"
        )
    for key, layout in LAYOUTS.items():
        if (root.is_dir() or key == "json") and layout.recognise(root):
            return _dataset(root.stem if root.is_file() else root.resolve().name, root, key, None)
    raise InputError(f"{root}: no known layout; looked for {'; '.join(layout.title for layout in LAYOUTS.values())}")


def _dataset(name: str, root: Path, key: str, members: Iterable[str] | None) -> Dataset:
    layout = LAYOUTS[key]
    entries = tuple(layout.entries(root, members))
    if not entries:
        raise InputError(f"{root}: no sequence found; looked for {layout.title}")
    return Dataset(name, entries, key, layout.protocol, layout.origin, root)


def _choose(dataset: Dataset, wanted: Iterable[str]) -> Dataset:
    return replace(dataset, entries=tuple(dataset.entry(name) for name in wanted))


def _places(name: str, data: str | Path | None) -> list[Path]:
    if data is not None:
        place = Path(data).expanduser()
        if not place.exists():
            raise InputError(f"{place}: no such folder (given as the place of the data)")
        return [place]
    places = [Path(os.environ[VARIABLE]).expanduser()] if os.environ.get(VARIABLE) else []
    return places + _user_place(name)


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
    return os.sep in name or name.startswith(("~", "."))
