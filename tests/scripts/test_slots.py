"""Training in slots: what is packed fits, and what comes back is what was made."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from rartrack import checkpoints
from rartrack.datasets.coco import load_stills

SCRIPT = Path(__file__).parents[2] / "scripts" / "slots.py"


@pytest.fixture(scope="module")
def slots() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slots", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("part", [7, 100, 10_000])
def test_parts_are_small_enough_and_give_the_files_back(slots: ModuleType, tmp_path: Path, part: int) -> None:
    random = np.random.default_rng(0)
    files = []
    for name, size in (("a", 1000), ("b", 0), ("c", 333)):
        files.append(tmp_path / name)
        files[-1].write_bytes(random.bytes(size))
    slots.split(files, tmp_path / "out", part)
    parts = sorted((tmp_path / "out").glob("part*"))
    assert all(path.stat().st_size <= part for path in parts)
    assert len(parts) == -(-1333 // part)
    slots.collect(tmp_path / "out", tmp_path / "back")
    for path in files:
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()


def test_parts_of_an_earlier_slot_do_not_travel(slots: ModuleType, tmp_path: Path) -> None:
    for size in (300, 50):
        (tmp_path / "a").write_bytes(bytes(size))
        slots.split([tmp_path / "a"], tmp_path / "out", 100)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"part00", "manifest.json"}


def test_settings_may_stand_behind_options(slots: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(slots, "run", lambda *arguments: taken.append(arguments) or 0)
    assert slots.main(["run", "b", "o", "seed=1", "--minutes", "3", "start=last.safetensors"]) == 0
    assert taken[0][2:4] == (3.0, ["seed=1", "start=last.safetensors"])
    with pytest.raises(SystemExit):
        slots.main(["run", "b", "o", "--minutse", "3"])


def test_a_part_damaged_on_its_way_is_noticed(slots: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"weights")
    slots.split([tmp_path / "a"], tmp_path / "out", 100)
    (tmp_path / "out" / "part00").write_bytes(b"weighty")
    with pytest.raises(SystemExit, match="a: damaged"):
        slots.collect(tmp_path / "out", tmp_path / "back")


def test_packing_leaves_what_is_there(slots: ModuleType, tmp_path: Path) -> None:
    kept = tmp_path / "mine" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    with pytest.raises(SystemExit, match="mine: exists already; delete it, or give another name"):
        slots.main(["pack", "configs/fast.yaml", str(kept.parent)])
    assert kept.read_text() == "years of work"


def data(folder: Path) -> Path:
    """Eight sequences of four frames, two of them held out; four photographs with boxes and masks."""
    random = np.random.default_rng(0)
    for index in range(8):
        name = f"held_{index}" if index < 2 else f"clip_{index}"
        (folder / "films" / name).mkdir(parents=True)
        for frame in range(4):
            cv2.imwrite(str(folder / "films" / name / f"{frame}.png"), random.integers(0, 255, (60, 80, 3)))
        (folder / "films" / f"{name}.txt").write_text("20,15,24,20\n" * 4)
    (folder / "stills" / "images").mkdir(parents=True)
    images, annotations = [], []
    for index in range(1, 5):
        cv2.imwrite(str(folder / "stills" / "images" / f"p{index}.png"), random.integers(0, 255, (120, 200, 3)))
        mask = np.zeros((120, 200), np.uint8)
        mask[30:70, 50:110] = 1
        mask[40:60, 70:90] = 0
        runs = np.flatnonzero(np.diff(np.concatenate([[0], mask.flatten(order="F"), [0]]).astype(int)))
        counts = np.diff(np.concatenate([[0], runs, [mask.size]])).tolist()
        images.append({"id": index, "file_name": f"p{index}.png", "width": 200, "height": 120, "source": "x"})
        segmentation = {"size": [120, 200], "counts": counts}
        annotations.append(
            {"image_id": index, "category_id": 1, "bbox": [50, 30, 60, 40], "segmentation": segmentation, "iscrowd": 0}
        )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "stills" / "instances.json").write_text(json.dumps(content))
    return folder


def config(path: Path) -> Path:
    network = {"backbone": "resnet18", "width_divisor": 16, "levels": [3, 4], "deformable": [], "input_size": 63}
    small = {"hidden_channels": 4, "reduction": 4, "refinement_channels": 8, "feature_channels": 4}
    settings = {
        "model": {"network": network | small},
        "data": {
            "sources": {"films": {"path": "films"}, "stills": {"path": "stills", "kind": "stills"}},
            "held_out": ["held_*"],
        },
        "optimization": {"steps": 4, "batch": 2, "freeze_early": False},
        "validation": {"interval": 2, "clips": 2, "frames": 0},
        "workers": 0,
        "device": "cpu",
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_bundle_keeps_to_its_limit_and_takes_what_is_held_out_first(slots: ModuleType, tmp_path: Path) -> None:
    source = data(tmp_path / "data")
    code = sum(path.stat().st_size for path in (slots.ROOT / "src").rglob("*.py"))
    sequence = sum(path.stat().st_size for path in (source / "films" / "clip_3").iterdir())
    limit = code + 4 * slots.MEBI + 2 * 5 * sequence
    slots.pack(config(tmp_path / "c.yaml"), tmp_path / "bundle", source, limit, side=100, quality=60)
    assert slots._size(tmp_path / "bundle") <= limit
    films = {path.stem for path in (tmp_path / "bundle" / "data" / "films").glob("*.txt")}
    assert {"held_0", "held_1"} <= films
    stills = load_stills(tmp_path / "bundle" / "data" / "stills")
    assert len(stills) == 4
    for still in stills:
        assert still.size == (100, 60)
        np.testing.assert_allclose(still.boxes, [[25, 15, 30, 20]])
        mask = still.mask(0)
        assert mask is not None
        rows, columns = np.nonzero(mask)
        assert [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1] == [25, 55, 15, 35]
        assert mask.sum() == 30 * 20 - 10 * 10  # its hole too


def packed(slots: ModuleType, folder: Path, **changes: Any) -> dict[str, Any]:
    """Pack the made-up data with settings changed; returns the bundle's settings."""
    path = config(folder / "c.yaml")
    content = yaml.safe_load(path.read_text())
    content["optimization"] |= changes.pop("optimization", {})
    content["data"]["sources"] |= changes.pop("sources", {})
    path.write_text(yaml.safe_dump(content | changes))
    source = folder / "data"
    slots.pack(path, folder / "bundle", source if source.exists() else data(source), 64 * slots.MEBI, 100, 60)
    settings: dict[str, Any] = yaml.safe_load((folder / "bundle" / "config.yaml").read_text())
    return settings


def test_all_weights_that_a_run_reads_are_packed_wherever_they_lie(
    slots: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, place in enumerate(("data/weights/net.pth", "runs/one/last.safetensors", "runs/two/last.safetensors")):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_bytes(bytes([number]))
    data(tmp_path / "data")
    second = str(tmp_path / "runs" / "two" / "last.safetensors")
    teacher = {"teacher": second, "learns": "box", "remembered": 4}
    settings = packed(
        slots, tmp_path, backbone="weights/net.pth", start="runs/one/last.safetensors", optimization=teacher
    )
    names = settings["backbone"], settings["start"], settings["optimization"]["teacher"]
    assert names == ("net.pth", "last.safetensors", "teacher-last.safetensors")
    assert [(tmp_path / "bundle" / "data" / name).read_bytes() for name in names] == [b"\0", b"\1", b"\2"]


def test_a_built_in_model_to_start_from_is_packed(slots: ModuleType, tmp_path: Path) -> None:
    settings = packed(slots, tmp_path, start="rar-fast")
    path = tmp_path / "bundle" / "data" / settings["start"]
    assert checkpoints.fingerprint(path) == checkpoints.BUILT_IN["rar-fast"]


def test_data_named_by_its_whole_path_is_packed_and_stays_as_it_is(slots: ModuleType, tmp_path: Path) -> None:
    place = data(tmp_path / "data") / "stills"
    before = (place / "instances.json").read_bytes()
    films = {"path": str(tmp_path / "data" / "films")}
    settings = packed(slots, tmp_path, sources={"films": films, "stills": {"path": str(place), "kind": "stills"}})
    assert {source["path"] for source in settings["data"]["sources"].values()} == {"films", "stills"}
    assert (place / "instances.json").read_bytes() == before
    assert len(load_stills(tmp_path / "bundle" / "data" / "stills")) == 4
    assert len(list((tmp_path / "bundle" / "data" / "films").glob("*.txt"))) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "runs/none.safetensors"}, "start: runs/none.safetensors: no such file"),
        ({"backbone": "none.pth"}, "backbone: none.pth: no such file"),
        ({"optimization": {"teacher": "rar-slow"}}, "teacher: rar-slow: no such file"),
        ({"sources": {"more": {"path": "none"}}}, r"data\.sources\.more: none: nothing there"),
    ],
)
def test_what_is_missing_is_said_before_the_bundle_is_made(
    slots: ModuleType, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        packed(slots, tmp_path, **changes)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
def test_slots_go_on_from_each_other_and_bring_weights_back(slots: ModuleType, tmp_path: Path) -> None:
    slots.pack(config(tmp_path / "c.yaml"), tmp_path / "bundle", data(tmp_path / "data"), 64 * slots.MEBI, 100, 60)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    steps = []
    for minutes in ("0", "9"):
        command = [sys.executable, SCRIPT, "run", tmp_path / "bundle", tmp_path / "out", "--minutes", minutes]
        subprocess.run([*map(str, command), "--part", "0.05"], check=True, env=environment, capture_output=True)
        slots.collect(tmp_path / "out", tmp_path / "back")
        steps.append(checkpoints.load(tmp_path / "back" / "last.safetensors").provenance["step"])
    assert steps == [0, 4]
    assert (tmp_path / "back" / "state.safetensors").is_file()
