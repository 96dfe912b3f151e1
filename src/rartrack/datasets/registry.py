"""From a benchmark's name or a folder to its sequences.

Where a named benchmark lies is said by the ``data`` argument, by the environment variable RARTRACK_DATA (both a folder
that is the data set or holds data sets), or by the user's file ``~/.config/rartrack/data.yaml`` (name: path), tried in
this order; nothing else is searched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rartrack.datasets import folder, got10k, ilsvrc_vid, lasot, nfs, otb, tcolor128, trackingnet, uav123, vot
from rartrack.datasets.annotations import json_entries, otb_entries, recognise_json, recognise_otb
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
    origin: int = 0


LAYOUTS: dict[str, Layout] = {
    "json": Layout("annotations in one JSON file", recognise_json, json_entries, "vot"),
    "otb-annotations": Layout(
        "OTB's annotations, NAME.txt with sequences.json", recognise_otb, otb_entries, origin=otb.ORIGIN
    ),
    "uav123": Layout("UAV123: data_seq/ and anno/", uav123.recognise, uav123.entries, origin=uav123.ORIGIN),
    "ilsvrc-vid": Layout("ILSVRC VID: Data/VID/ and Annotations/VID/", ilsvrc_vid.recognise, ilsvrc_vid.entries),
    "trackingnet": Layout(
        "TrackingNet: TRAIN_0/anno/ and TRAIN_0/frames/", trackingnet.recognise, trackingnet.entries, "lasot"
    ),
    "nfs": Layout("NfS: NAME/30/NAME.txt and NAME/30/NAME/", nfs.recognise, nfs.entries),
    "tcolor128": Layout(
        "TColor-128: NAME/NAME_gt.txt and NAME/img/", tcolor128.recognise, tcolor128.entries, origin=tcolor128.ORIGIN
    ),
    "otb": Layout("OTB: NAME/groundtruth_rect.txt and NAME/img/", otb.recognise, otb.entries, origin=otb.ORIGIN),
    "got10k": Layout(
        "GOT-10k: GOT-10k_Val_000001/groundtruth.txt", got10k.recognise, got10k.entries, "got10k", got10k.ORIGIN
    ),
    "lasot": Layout(
        "LaSOT: CLASS/CLASS-1/groundtruth.txt, full_occlusion.txt and img/",
        lasot.recognise,
        lasot.entries,
        "lasot",
        lasot.ORIGIN,
    ),
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
        entries: lists its sequences where the layout's own function would list more.
    """

    title: str
    layouts: tuple[str, ...]
    folders: tuple[str, ...] = ()
    members: Callable[[], Iterable[str]] | None = None
    entries: Lister | None = None


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
    **{
        f"got10k-{split}": Benchmark(
            f"GOT-10k ({split})", ("got10k",), ("got10k", split), entries=partial(got10k.entries, split=split)
        )
        for split in got10k.SPLITS
    },
    **{
        f"lasot-{split}": Benchmark(
            f"LaSOT ({split})", ("lasot",), ("lasot", "lasotbenchmark"), partial(lasot.members, split)
        )
        for split in ("test", "train")
    },
    **{
        f"trackingnet-{split}": Benchmark(
            f"TrackingNet ({split})",
            ("trackingnet",),
            ("trackingnet",),
            entries=partial(trackingnet.entries, split=split),
        )
        for split in ("test", "train")
    },
    "uav123": Benchmark("UAV123", ("uav123",)),
    "uav20l": Benchmark("UAV20L", ("uav123",), ("uav123",), entries=partial(uav123.entries, benchmark="UAV20L")),
    "nfs": Benchmark("NfS (30 frames a second)", ("nfs",), ("nfs30",), entries=partial(nfs.entries, rate=30)),
    "nfs240": Benchmark("NfS (240 frames a second)", ("nfs",), ("nfs",), entries=partial(nfs.entries, rate=240)),
    "tcolor128": Benchmark("TColor-128", ("tcolor128",), ("templecolor128", "tc128", "templecolor")),
    **{
        f"ilsvrc-vid-{split}": Benchmark(
            f"ILSVRC VID ({split})",
            ("ilsvrc-vid",),
            ("ilsvrc", "ilsvrc2015", "ilsvrcvid", "vid"),
            entries=partial(ilsvrc_vid.entries, split=split),
        )
        for split in ilsvrc_vid.SPLITS
    },
}
"""Benchmarks by the name a user gives."""

ALIASES = {
    "otb100": "otb2015",
    "tb100": "otb2015",
    "tb50": "otb50",
    "cvpr13": "otb2013",
    "nfs30": "nfs",
    "tc128": "tcolor128",
}
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
                    return _dataset(name, root, key, members, benchmark.entries)
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
            return _dataset(root.stem if root.is_file() else root.resolve().name, root, key)
    raise InputError(f"{root}: no known layout; looked for {'; '.join(layout.title for layout in LAYOUTS.values())}")


def _dataset(
    name: str, root: Path, key: str, members: Iterable[str] | None = None, lister: Lister | None = None
) -> Dataset:
    layout = LAYOUTS[key]
    entries = tuple((lister or layout.entries)(root, members))
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
