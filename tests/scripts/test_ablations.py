"""The ablations, on a tiny network and made-up videos: what is trained, tracked and written."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from rartrack import checkpoints
from rartrack.config import to_dict
from small_network import SMALL

SCRIPT = Path(__file__).parents[2] / "scripts" / "ablations.py"


def videos(folder: Path) -> Path:
    """Five sequences of four frames of noise."""
    random = np.random.default_rng(0)
    for index in range(5):
        name = f"held_{index}" if index < 2 else f"clip_{index}"
        (folder / name).mkdir(parents=True)
        for frame in range(4):
            cv2.imwrite(str(folder / name / f"{frame}.png"), random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
        (folder / f"{name}.txt").write_text("20,15,24,20\n" * 4)
    return folder


def written_config(tmp_path: Path) -> Path:
    """A config of a few steps on those videos."""
    config = {
        "model": {"network": to_dict(SMALL)},
        "data": {
            "sources": {"made": {"path": str(videos(tmp_path / "films"))}},
            "held_out": ["held_*"],
            "cache": str(tmp_path / "cache"),
        },
        "optimization": {"steps": 2, "batch": 2, "warm_up": 1, "freeze_early": False, "backbone_rate": 1.0},
        "validation": {"interval": 2, "clips": 2, "frames": 0},
        "workers": 0,
        "device": "cpu",
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.slow
def test_variants_are_trained_tracked_and_compared(tmp_path: Path) -> None:
    words = [sys.executable, SCRIPT, written_config(tmp_path), "--output", tmp_path / "out", "--seeds", "0,1"]
    words += ["--dataset", tmp_path / "films", "--first", "3", "--variants", "RAR,RAR_NAA,RAR_DSST"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    compared = tmp_path / "out" / "films" / "ablations.csv"
    with compared.open(newline="") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["RAR", "RAR_NAA", "RAR_DSST"]
    assert {(row["seeds"], row["sequences"]) for row in rows.values()} == {("2", "5")}
    runs = tmp_path / "out" / "1"
    assert not checkpoints.load(runs / "RAR_NAA" / "last.safetensors").config.network.attention
    assert checkpoints.load(runs / "RAR_DSST" / "last.safetensors").config.tracking.scale_search == "dsst"
    before = compared.read_text()
    made = {path: path.stat().st_mtime_ns for path in compared.parent.glob("results-*/*/*.txt")}
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert compared.read_text() == before
    assert len(made) == 2 * 3 * 2 * 5  # seeds, variants, boxes and times, sequences
    assert {path: path.stat().st_mtime_ns for path in made} == made


@pytest.mark.slow
def test_what_was_not_trained_to_the_end_is_not_tracked(tmp_path: Path) -> None:
    words = [sys.executable, SCRIPT, written_config(tmp_path), "--output", tmp_path / "out"]
    words += ["--dataset", tmp_path / "films", "--variants", "RAR", "optimization.steps=100000", "log_interval=1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("step 1: loss") for line in process.stdout)
        process.terminate()
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.endswith("RAR, seed 0: stopped before step 100000; the same command goes on from there\n")
    assert not (tmp_path / "out" / "films").exists()


def test_an_unknown_variant_is_named(tmp_path: Path) -> None:
    words = [sys.executable, SCRIPT, "c.yaml", "--output", tmp_path, "--dataset", "x", "--variants", "RAR,RAR_NXA"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("--variants: unknown RAR_NXA; known are RAR, ")


def test_videos_none_of_which_is_held_out_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    words = [
        sys.executable,
        SCRIPT,
        written_config(tmp_path),
        "--output",
        tmp_path / "out",
        "--data",
        tmp_path / "films",
    ]
    done = subprocess.run([*words, "data.held_out=[none_*]"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / 'films'}: none of its 5 sequences is held out by data.held_out, none_*\n"
    assert not (tmp_path / "out").exists()
