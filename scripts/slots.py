"""Train on a rented GPU in short slots: pack, run, collect, with every transfer under a limit.

    python scripts/slots.py pack configs/rar.yaml bundle --limit 64        here: code, config, weights and data
    python scripts/slots.py run bundle out --minutes 9                     there, again and again in one lease
    python scripts/slots.py collect out trained                            here: parts to files, each checked

``run`` goes on where the last slot in the same place stopped. What comes back are parts of at most 16 MiB: the curves,
the best and the last checkpoint, and the run's state too where it fits; a new lease goes on from that state (put it
into ``bundle/run``), or, where it was too large, starts anew from the last checkpoint (``start=last.safetensors``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import yaml

ROOT = Path(__file__).resolve().parents[1]
MEBI = 1 << 20
MANIFEST = "manifest.json"

_RESERVE = 2 * MEBI
"""For the annotation files that a selection of pictures needs."""


def pack(config: Path, bundle: Path, data: Path, limit: int, side: int, quality: int) -> None:
    """Fill ``bundle`` with all that a run needs, at most ``limit`` bytes: videos whole, pictures made smaller.

    Args:
        config: a YAML file of ``configs/``.
        bundle: a folder that is not there yet.
        data: the folder that the config's paths lie in, where they do not lie here.
        limit: bytes in all.
        side: longest side of a picture in pixels.
        quality: WebP quality of the pictures.

    Raises:
        SystemExit: the bundle is there, the config names what is not, or there is no room for code and weights.
    """
    from rartrack.config import to_dict
    from rartrack.config_files import load_yaml
    from rartrack.training.config import TrainingConfig

    if bundle.exists():
        raise SystemExit(f"{bundle}: exists already; delete it, or give another name")
    settings = to_dict(load_yaml(TrainingConfig, config))
    weights, folders = _weights(settings, data), _folders(settings, data)
    (bundle / "data").mkdir(parents=True)
    shutil.copytree(ROOT / "src", bundle / "src", ignore=shutil.ignore_patterns("__pycache__", "*.xz"))
    (bundle / "config.yaml").write_text(yaml.safe_dump(settings))
    for name, path in weights.items():
        _copy(path, bundle / "data" / name)
    room = limit - _size(bundle) - _RESERVE
    if room <= 0:
        raise SystemExit(f"code and weights alone take {_size(bundle) / MEBI:.0f} MiB")
    sources = settings["data"]["sources"].values()
    films = sorted({source["path"] for source in sources if source["kind"] == "video"})
    stills = sorted({source["path"] for source in sources if source["kind"] == "stills"})
    for name in films:
        share = room // (2 if stills else 1) // len(films)
        _pack_films(folders[name], bundle / "data" / name, settings["data"]["held_out"], share)
    room = limit - _size(bundle) - _RESERVE
    for name in stills:
        _pack_stills(folders[name], bundle / "data" / name, room // len(stills), side, quality)
    print(f"{bundle}: {_size(bundle) / MEBI:.1f} MiB of {limit / MEBI:.0f}")


def run(bundle: Path, out: Path, minutes: float, changes: list[str], part: int, total: int) -> int:
    """One slot: train for so many minutes in ``bundle/run``, then put what is worth keeping into ``out`` in parts."""
    environment = {
        **os.environ,
        "PYTHONPATH": str((bundle / "src").resolve()),
        "RARTRACK_DATA": str((bundle / "data").resolve()),
    }
    cache = (bundle / "cache" / "surroundings").resolve()
    fixed = [f"output={(bundle / 'run').resolve()}", f"data.cache={cache}"]
    command = [sys.executable, "-m", "rartrack", "train", str(bundle / "config.yaml"), *fixed, *changes]
    status = subprocess.run([*command, "--minutes", str(minutes)], env=environment, check=False).returncode
    made = bundle / "run"
    wanted = [made / name for name in ("training.csv", "validation.csv", "best.safetensors", "last.safetensors")]
    files = [path for path in wanted if path.is_file()]
    state = made / "state.safetensors"
    if state.is_file() and sum(path.stat().st_size for path in (*files, state)) <= total:
        files.append(state)
    split(files, out, part)
    return status


def split(files: Iterable[Path], out: Path, part: int) -> None:
    """Cut files into parts of at most ``part`` bytes, with a manifest that says how to put them together."""
    out.mkdir(parents=True, exist_ok=True)
    for path in out.glob("part[0-9]*"):  # an earlier slot may have had more
        path.unlink()
    manifest: dict[str, Any] = {}
    pieces: list[bytes] = []
    room = 0
    for path in files:
        content = path.read_bytes()
        places, start = [], 0
        while start < len(content) or not places:
            if room == 0:
                pieces.append(b"")
                room = part
            piece = content[start : start + room]
            places.append([len(pieces) - 1, len(pieces[-1]), len(piece)])
            pieces[-1] += piece
            room -= len(piece)
            start += len(piece)
        manifest[path.name] = {"sha256": hashlib.sha256(content).hexdigest(), "places": places}
    for number, piece in enumerate(pieces):
        (out / f"part{number:02d}").write_bytes(piece)
    (out / MANIFEST).write_text(json.dumps(manifest))


def collect(out: Path, folder: Path) -> None:
    """The reverse of ``split``; every file is checked before it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, about in json.loads((out / MANIFEST).read_text()).items():
        pieces = []
        for number, start, length in about["places"]:
            pieces.append((out / f"part{number:02d}").read_bytes()[start : start + length])
        content = b"".join(pieces)
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise SystemExit(f"{name}: damaged on its way; fetch the parts again")
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(content) / MEBI:.1f} MiB")


def _weights(settings: dict[str, Any], data: Path) -> dict[str, Path]:
    """Name in the bundle's data -> file, of all weights that the run reads; the settings get these names."""
    from rartrack.checkpoints import BUILT_IN, locate
    from rartrack.training.files import find
    from rartrack.training.start import checkpoint_of

    found: dict[str, Path] = {}
    for part, key, resolved in (
        (settings, "backbone", find),
        (settings, "start", checkpoint_of),
        (settings["optimization"], "teacher", checkpoint_of),
    ):
        if part[key] is None:
            continue
        place = resolved(part[key], data)
        path = locate(place)[0] if place in BUILT_IN else Path(place)
        if not path.is_file():
            raise SystemExit(f"{key}: {part[key]}: no such file, neither here nor in {data}")
        part[key] = _enter(found, path.name, path, key)
    return found


def _folders(settings: dict[str, Any], data: Path) -> dict[str, Path]:
    """Path in the bundle's data -> folder, of all sources; the settings get these paths."""
    from rartrack.training.files import find

    found: dict[str, Path] = {}
    for name, source in settings["data"]["sources"].items():
        path, given = find(source["path"], data), Path(source["path"])
        if not path.exists():
            raise SystemExit(f"data.sources.{name}: {source['path']}: nothing there, neither here nor in {data}")
        elsewhere = given.is_absolute() or not {"~", ".."}.isdisjoint(given.parts)
        source["path"] = _enter(found, path.resolve().name if elsewhere else source["path"], path, name)
    return found


def _enter(found: dict[str, Path], name: str, path: Path, prefix: str) -> str:
    """Enter a place by its name, or, where another has that already, with a prefix; returns what it is entered by."""
    if found.setdefault(name, path) == path:
        return name
    found[f"{prefix}-{name}"] = path
    return f"{prefix}-{name}"


def _pack_films(source: Path, target: Path, held_out: list[str], room: int) -> None:
    """Sequences in the folder layout: those held out first, the others by chance, as far as there is room."""
    from rartrack.training.split import matches

    names = sorted(path.stem for path in source.glob("*.txt"))
    random.Random(0).shuffle(names)
    names.sort(key=lambda name: not matches(name, held_out))
    left_out = 0
    for name in names:
        files = [path for path in source.glob(f"{name}.*") if path.is_file()]
        files += [path for path in (source / name).rglob("*") if path.is_file()]
        needed = sum(path.stat().st_size for path in files)
        if needed > room:
            left_out += 1
            continue
        room -= needed
        for path in files:
            _copy(path, target / path.relative_to(source))
    print(f"{source}: {len(names) - left_out} of {len(names)} sequences")


def _pack_stills(source: Path, target: Path, room: int, side: int, quality: int) -> None:
    """Photographs of a COCO file, by chance, as far as there is room; boxes and masks shrink along."""
    content = json.loads((source / "instances.json").read_text())
    images = list(content["images"])
    random.Random(0).shuffle(images)
    kept: dict[int, float] = {}
    objects: dict[int, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        objects.setdefault(annotation["image_id"], []).append(annotation)
    annotations = []
    (target / "images").mkdir(parents=True, exist_ok=True)
    for entry in images:
        picture = cv2.imread(str(source / "images" / entry["file_name"]))
        if picture is None:
            continue
        factor = min(1.0, side / max(picture.shape[:2]))
        width, height = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
        resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(".webp", resized, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        scaled = [_scaled(item, entry, (width, height)) for item in objects.get(entry["id"], [])]
        needed = len(encoded) + len(json.dumps(scaled)) + 200
        if needed > room:
            break
        room -= needed
        name = f"{entry['id']}.webp"
        (target / "images" / name).write_bytes(encoded)
        kept[entry["id"]] = factor
        annotations += scaled
        entry.update(file_name=name, width=width, height=height)
    content["images"] = [entry for entry in images if entry["id"] in kept]
    content["annotations"] = annotations
    (target / "instances.json").write_text(json.dumps(content, separators=(",", ":")))
    print(f"{source}: {len(kept)} of {len(images)} photographs")


def _scaled(item: dict[str, Any], entry: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """An annotation of a photograph that was made ``size`` pixels large."""
    import numpy as np

    across, down = size[0] / entry["width"], size[1] / entry["height"]
    x, y, width, height = item["bbox"]
    bbox = [round(value, 2) for value in (x * across, y * down, width * across, height * down)]
    scaled = {**item, "bbox": bbox}
    segmentation = item.get("segmentation")
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        mask = np.repeat(np.arange(len(counts)) % 2, counts).reshape(segmentation["size"], order="F").astype(np.uint8)
        small = cv2.resize(255 * mask, size, interpolation=cv2.INTER_AREA) > 127
        turns = np.flatnonzero(np.diff(small.flatten(order="F"), prepend=False))
        lengths = np.diff(np.concatenate([[0], turns, [small.size]])).tolist()
        scaled["segmentation"] = {"size": [size[1], size[0]], "counts": lengths}
    elif segmentation:
        scaled["segmentation"] = [
            [round(value * (down if place % 2 else across), 1) for place, value in enumerate(polygon)]
            for polygon in segmentation
        ]
    return scaled


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(arguments: list[str] | None = None) -> int:
    """Run one of the three actions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    packing = actions.add_parser("pack")
    packing.add_argument("config", type=Path)
    packing.add_argument("bundle", type=Path)
    packing.add_argument("--data", type=Path, default=Path(os.environ.get("RARTRACK_DATA", ".")))
    packing.add_argument("--limit", type=float, default=64, help="MiB in all (64)")
    packing.add_argument("--side", type=int, default=400, help="longest side of a photograph (400)")
    packing.add_argument("--quality", type=int, default=60, help="WebP quality of photographs (60)")
    running = actions.add_parser("run")
    running.add_argument("bundle", type=Path)
    running.add_argument("out", type=Path)
    running.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    running.add_argument("--minutes", type=float, default=9)
    running.add_argument("--part", type=float, default=16, help="MiB of a part that comes back (16)")
    running.add_argument("--total", type=float, default=64, help="MiB that come back in all (64)")
    collecting = actions.add_parser("collect")
    collecting.add_argument("out", type=Path)
    collecting.add_argument("folder", type=Path)
    options, left = parser.parse_known_args(arguments)
    if "changes" in options:  # those behind an option, which argparse leaves over
        options.changes += [word for word in left if not word.startswith("-") and "=" in word]
        left = [word for word in left if word.startswith("-") or "=" not in word]
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if options.action == "pack":
        from rartrack.errors import one_line

        with one_line():
            limit = int(options.limit * MEBI)
            pack(options.config, options.bundle, options.data, limit, options.side, options.quality)
    elif options.action == "run":
        part, total = int(options.part * MEBI), int(options.total * MEBI)
        return run(options.bundle, options.out, options.minutes, options.changes, part, total)
    else:
        collect(options.out, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
