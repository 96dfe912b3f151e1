"""The layouts that are read and the benchmarks that are known by name: data, looked up by ``registry``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rartrack.datasets import folder, got10k, ilsvrc_vid, lasot, nfs, otb, tcolor128, trackingnet, uav123, vot
from rartrack.datasets.annotations import json_entries, otb_entries, recognise_json, recognise_otb
from rartrack.datasets.dataset import Entry, Protocol

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
    "otb2013": Benchmark("OTB-2013", _OTB, ("otb50", *_OTB_FOLDERS), partial(otb.members, "otb2013")),
    "otb50": Benchmark("OTB-50", _OTB, ("otb2013", *_OTB_FOLDERS), partial(otb.members, "otb50")),
    "otb2015": Benchmark("OTB-2015", _OTB, _OTB_FOLDERS, partial(otb.members, "otb2015")),
    "vot2016": Benchmark("VOT2016", _VOT, (), partial(vot.members, "vot2016")),
    "vot2017": Benchmark("VOT2017", _VOT, ("vot2018",), partial(vot.members, "vot2017")),
    "vot2018": Benchmark("VOT2018", _VOT, ("vot2017",), partial(vot.members, "vot2018")),
    "vot2019": Benchmark("VOT2019", _VOT, (), partial(vot.members, "vot2019")),
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
