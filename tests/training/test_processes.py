"""Runs as processes of their own: killed, told to stop, several at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import yaml
from runs import assert_equal, assert_skipped, read_curve, silent, weights, with_damaged_frames

from rartrack.config import to_dict
from rartrack.errors import InputError
from rartrack.training.config import SourceConfig, TrainingConfig
from rartrack.training.log import VALIDATION
from rartrack.training.loop import train
from rartrack.training.processes import join
from rartrack.training.state import FILE, read

Changed = Callable[..., TrainingConfig]


def command(config: TrainingConfig, folder: Path) -> list[str]:
    """Train as a process of its own would."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(to_dict(config)))
    return [sys.executable, "-m", "rartrack", "train", str(path)]


def test_a_process_that_fails_waits_for_no_other(monkeypatch) -> None:
    called = []
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(dist, name, lambda *_, name=name, **__: called.append(name))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError), join("cpu"):
        raise InputError("a disk is full")
    assert called == ["init_process_group"]
    with join("cpu"):
        pass
    assert called[1:] == ["init_process_group", "destroy_process_group"]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a dozen processes that load torch, each slow to start on a machine that does other work
def test_killed_ten_times_the_weights_are_those_of_an_uninterrupted_run(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    config = changed(config, optimization={"steps": 60}, validation={"interval": 4, "frames": 0}, workers=1)
    whole = replace(config, output=str(tmp_path / "whole"))
    (tmp_path / "a").mkdir()
    subprocess.run(command(whole, tmp_path / "a"), check=True, env=environment(), stdout=subprocess.DEVNULL)
    state = Path(config.output) / FILE
    kills = 0
    while kills < 10:
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = subprocess.Popen(
            command(config, tmp_path), env=environment(), stdout=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(0.03 * kills)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        assert process.returncode in (-signal.SIGKILL, 0)
        if process.returncode == 0:
            break
    assert kills == 10
    subprocess.run(command(config, tmp_path), check=True, env=environment(), stdout=subprocess.DEVNULL)
    assert_equal(weights(whole.output), weights(config.output))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_keeps_what_was_done(
    config: TrainingConfig, changed: Changed, tmp_path: Path, number: signal.Signals
) -> None:
    config = changed(config, optimization={"steps": 10_000}, validation={"interval": 5000, "frames": 0}, workers=1)
    with subprocess.Popen(
        command(config, tmp_path),
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("step 2: loss") for line in process.stdout)
        os.killpg(process.pid, number)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "ended from outside" not in errors
    kept = read(Path(config.output))
    assert kept is not None
    assert kept.step >= 2


def launcher(processes: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        "-m",
        "rartrack",
    ]


@pytest.mark.slow
def test_processes_stop_together_while_the_first_decodes(
    config: TrainingConfig, changed: Changed, films: Path, tmp_path: Path
) -> None:
    config = changed(config, data={"sources": {"films": SourceConfig(str(films))}})
    words = [*launcher(2), *command(config, tmp_path)[3:], "--minutes", "0"]
    made = subprocess.run(words, check=True, env=environment(), capture_output=True, text=True, timeout=240)
    assert made.stdout.count("stopped while videos are decoded") == 1
    assert len(list(Path(str(config.data.cache)).iterdir())) == 1


@pytest.mark.slow
def test_what_each_of_two_processes_skips_is_listed(config: TrainingConfig, videos: Path, tmp_path: Path) -> None:
    config = with_damaged_frames(config, videos, tmp_path)
    words = [*launcher(2), *command(config, tmp_path)[3:]]
    subprocess.run(words, check=True, env=environment(), capture_output=True)
    assert_skipped(config, 24)


@pytest.mark.slow
def test_two_processes_with_half_the_batch_each_make_the_same_steps(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    config = changed(config, optimization={"steps": 2})
    train(config, say=silent)
    two = replace(config, output=str(tmp_path / "two"))
    subprocess.run([*launcher(2), *command(two, tmp_path)[3:]], check=True, env=environment(), capture_output=True)
    one, other = weights(config.output), weights(two.output)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-5)
    rows = zip(*(read_curve(Path(each.output) / VALIDATION) for each in (config, two)), strict=True)
    for a, b in rows:
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
