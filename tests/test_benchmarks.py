"""The benchmarks run, on little, and say what they timed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from rartrack.config import to_dict
from small_network import SMALL

ROOT = Path(__file__).parents[1]
MUG = "398,206,88,104"


def run(name: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *map(str, words)]
    found = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=found)


@pytest.mark.slow
def test_stages_of_a_frame_beside_a_peer() -> None:
    words = ["--box", MUG, "--frames", 3, "--rounds", 1, "--only", "stages", "--threads", 1]
    done = run("speed.py", ROOT / "examples" / "coffee.mp4", *words, "--tracker", "rar-fast", "--tracker", "opencv:kcf")
    assert done.returncode == 0, done.stderr
    ours, peer = done.stdout.splitlines()[-2:]
    assert ours.split()[0] == "rar-fast"
    assert ours.endswith("%")
    assert peer.split()[0] == "opencv:kcf"
    decode, *inside, rest, _, write, frame, rate, spread = map(float, peer.split()[1:])
    assert inside == [0, 0, 0]  # what is inside a peer is not known
    assert 0 < rest < decode + rest + write <= frame + 0.03  # each rounded to hundredths
    assert rate == pytest.approx(1e3 / frame, rel=0.05)
    assert spread == 1  # of one round


def test_a_model_that_is_not_there_is_no_table() -> None:
    done = run("speed.py", ROOT / "examples" / "coffee.mp4", "--box", MUG, "--model", "rar-fst", "--frames", 3)
    assert done.returncode == 1
    assert "did you mean 'rar-fast'" in done.stdout
    assert done.stderr == "--model rar-fst: cannot be had, see above\n"


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 4])
def test_steps_of_a_box_head_are_timed(tmp_path: Path, kept: int) -> None:
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "films" / name).mkdir(parents=True)
        for frame in range(4):
            image = random.integers(0, 255, (60, 80, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "films" / name / f"{frame}.png"), image)
        (tmp_path / "films" / f"{name}.txt").write_text("20,15,24,20\n" * 4)
    config = {
        "model": {"network": {**to_dict(SMALL), "box_channels": 8}, "tracking": {"scale_search": "box"}},
        "data": {"sources": {"made": {"path": "films"}}, "held_out": [], "cache": str(tmp_path / "cache")},
        "optimization": {"batch": 2, "learns": "box", "backbone_rate": 0.0, "remembered": kept},
        "device": "cpu",
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    words = ["--threads", 1, "--workers", 0, "--repeats", 1, "--steps", 2]
    done = run("training.py", path, *words, RARTRACK_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert ("backbone forward, once a clip" in done.stdout) == bool(kept)
    assert ("step fed by workers" in done.stdout) != bool(kept)
    assert "of the arithmetic's speed" in done.stdout
