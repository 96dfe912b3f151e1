"""Whole runs of the kinds of trackers there are, each a few frames long."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fake_trackers
import numpy as np
import pytest
import torch

from rartrack import checkpoints
from rartrack.config import ModelConfig, NetworkConfig, to_dict
from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation import provenance
from rartrack.evaluation import run as running
from rartrack.evaluation.execute import Stopwatch
from rartrack.evaluation.provenance import difference
from rartrack.evaluation.run import Settings, evaluate
from rartrack.evaluation.trackers import parse_tracker
from rartrack.network.rar import RAR

TRAX = f"""
import sys
sys.path.insert(0, {str(fake_trackers.HERE.parent)!r})
import trax
with trax.Server([trax.Region.RECTANGLE], [trax.Image.MEMORY], tracker_name="still") as server:
    while True:
        request = server.wait()
        if request.type == trax.TraxStatus.INITIALIZE:
            region = request.objects[0][0]
        elif request.type != trax.TraxStatus.FRAME:
            break
        server.status([(region, {{}})])
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A very small model with random weights."""
    torch.manual_seed(0)
    network = NetworkConfig("resnet18", 8, deformable=(), levels=(3, 4), input_size=95, hidden_channels=8)
    config = ModelConfig(network=network)
    checkpoints.save(tmp_path / "tiny.safetensors", checkpoints.Checkpoint(config, RAR(network).state_dict()))
    return tmp_path / "tiny.safetensors"


def test_ours_says_its_weights_settings_code_and_device(tmp_path, checkpoint):
    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data", "a", frames=4))
    spec = parse_tracker(str(checkpoint), "cpu", {"filter.form": "shared"})
    summary = evaluate(data, [spec], tmp_path / "out", workers=1)
    assert not summary.failed
    assert np.loadtxt(tmp_path / "out/tiny/a.txt", delimiter=",").shape == (4, 4)
    made_by = json.loads((tmp_path / "out/tiny/a.json").read_text())["made_by"]["tracker"]
    assert made_by["weights"] == checkpoints.fingerprint(checkpoint)
    assert made_by["config"]["filter"] == to_dict(ModelConfig())["filter"] | {"form": "shared"}
    assert made_by["device"] == "cpu"
    unchanged = parse_tracker(str(checkpoint), "cpu").describe()
    assert difference(made_by, unchanged) == "config.filter.form was shared, is now exact"


def test_a_trax_program(tmp_path):
    pytest.importorskip("trax")
    program = tmp_path / "still.py"
    program.write_text(TRAX)
    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data", "ab", frames=4))
    summary = evaluate(data, [parse_tracker(f"still=trax:{sys.executable} {program}")], tmp_path / "out", workers=1)
    assert not summary.failed
    assert np.loadtxt(tmp_path / "out/still/b.txt", delimiter=",").tolist() == [[4, 5, 8.5, 6]] * 4
    described = json.loads((tmp_path / "out/still/b.json").read_text())["made_by"]["tracker"]
    assert "still.py" in described["files"]


def test_a_trax_program_that_is_not_there_fails_every_sequence(tmp_path):
    pytest.importorskip("trax")
    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data", "a", frames=4))
    summary = evaluate(data, [parse_tracker("trax:/no/such/program")], tmp_path / "out", workers=1)
    assert "cannot be started" in summary.failed[0][1].reason


@pytest.mark.parametrize("kind", ["csrt", "kcf", "mil"])
def test_opencv_gives_the_same_bits_in_every_process(tmp_path, shared, kind):
    data = load_dataset(shared / "otb-layout", sequences=["Crossing"])
    for name in ("one", "two"):
        summary = evaluate(data, [parse_tracker(f"opencv:{kind}")], tmp_path / name, Settings(first=4), workers=1)
        assert not summary.failed
    one, two = ((tmp_path / name / f"opencv-{kind}/Crossing.txt").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one.splitlines()) == 4


def test_trackers_on_a_gpu_run_one_at_a_time(tmp_path: Path, checkpoint: Path, monkeypatch) -> None:
    found = []

    def opened(*given):
        found.append(given[1])
        raise InputError("enough")

    monkeypatch.setattr(running, "open_executor", opened)
    monkeypatch.setattr(running, "available_processors", lambda: 3)
    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data", frames=2))
    for device in ("cpu", "cuda"):
        monkeypatch.setattr("rartrack.tracking.load.pick_device", lambda *_, of=device: torch.device(of))
        with pytest.raises(InputError, match="enough"):
            evaluate(data, [parse_tracker(f"ours={checkpoint}")], tmp_path / "out")
    assert found == [3, 1]


def test_what_device_a_cluster_has_is_not_asked_here(tmp_path: Path, checkpoint: Path) -> None:
    class Cluster(ThreadPoolExecutor):
        def submit(self, *_: object):
            raise InputError("the cluster was asked")

    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data", frames=2))
    with pytest.raises(InputError, match="the cluster was asked"):
        evaluate(data, [parse_tracker(f"ours={checkpoint}", "cuda")], tmp_path / "out", executor=Cluster(1))


def test_results_name_the_gpus_that_the_driver_knows(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   \t\t 5\n")
    monkeypatch.setattr(provenance, "_GPUS", tmp_path)
    assert provenance.machine()["gpus"] == ["NVIDIA H200"]


def test_the_time_of_a_call_holds_what_its_device_has_yet_to_do() -> None:
    class Later(fake_trackers.Drifter):
        def synchronize(self) -> None:
            time.sleep(0.02)

    watched = Stopwatch(Later(), lambda: None)
    frame = np.zeros((24, 32, 3), np.uint8)
    watched.init(frame, (1, 2, 3, 4))
    watched.update(frame)
    assert min(watched.init_seconds + watched.frame_seconds) >= 0.02
