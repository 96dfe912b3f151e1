"""A run: it goes on as if it had never stopped, and what goes wrong is said."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import assert_equal, assert_skipped, read_curve, silent, weights, with_damaged_frames
from safetensors import safe_open
from safetensors.torch import save_file

from rartrack import checkpoints
from rartrack.errors import InputError
from rartrack.network.rar import RAR
from rartrack.tracking.load import load as load_tracker
from rartrack.training.config import AugmentConfig, SourceConfig, TrainingConfig
from rartrack.training.dataset import ClipDataset
from rartrack.training.log import TRAINING, VALIDATION, RunLog
from rartrack.training.loop import BEST, LAST, train
from rartrack.training.objective import ClipLoss
from rartrack.training.state import FILE, read

Changed = Callable[..., TrainingConfig]


def test_a_run_leaves_curves_and_checkpoints(config: TrainingConfig) -> None:
    said: list[str] = []
    outcome = train(config, say=said.append)
    assert (outcome.step, outcome.finished) == (6, True)
    training, validation = (read_curve(outcome.folder / name) for name in (TRAINING, VALIDATION))
    assert [row["step"] for row in training] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in validation] == [0, 3, 6]
    assert {"loss", "hits", "overlap"} <= validation[0].keys()
    assert all(0 <= row["overlap"] <= 1 for row in validation)
    assert (outcome.folder / "tensorboard").is_dir()
    for name in (BEST, LAST):
        found = checkpoints.load(outcome.folder / name)
        assert found.config == config.model
        RAR(found.config.network).load_state_dict(found.weights)
    assert checkpoints.load(outcome.folder / LAST).provenance["step"] == 6
    load_tracker(outcome.folder / BEST, "cpu")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists what is mapped")
def test_the_state_of_a_run_that_goes_on_is_not_held_open(config: TrainingConfig) -> None:
    folder = train(config, say=silent).folder
    state = read(folder)
    assert state is not None
    assert FILE not in Path("/proc/self/maps").read_text()


def test_the_loss_falls_on_easy_clips(config: TrainingConfig, changed: Changed) -> None:
    config = changed(
        config,
        data={"shift": 0.0, "zoom": 0.0, "gap": 1, "augment": AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0)},
        optimization={"optimizer": "adamw", "learning_rate": (1e-2, 3e-3), "steps": 20, "warm_up": 0},
        validation={"interval": 20, "frames": 0, "clips": 4},
    )
    rows = read_curve(train(config, say=silent).folder / TRAINING)
    losses = [row["loss"] for row in rows]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_stopped_after_every_step_equals_one_that_never_stopped(
    config: TrainingConfig, changed: Changed, tmp_path: Path, optimizer: Any
) -> None:
    config = changed(config, optimization={"optimizer": optimizer, "accumulation": 2})
    whole = train(config, say=silent)
    pieces = replace(config, output=str(tmp_path / "pieces"))
    for step in range(1, 7):
        assert train(pieces, minutes=0, say=silent).step == step
    assert_equal(weights(whole.folder), weights(pieces.output))
    for name in (TRAINING, VALIDATION):
        one, two = (read_curve(Path(folder) / name) for folder in (whole.folder, pieces.output))
        assert [(row["step"], row["loss"]) for row in one] == [(row["step"], row["loss"]) for row in two]


def test_a_row_of_the_curve_is_the_same_mean_wherever_its_run_stopped(config: TrainingConfig, tmp_path: Path) -> None:
    whole = train(replace(config, log_interval=4), say=silent)
    pieces = replace(config, log_interval=4, output=str(tmp_path / "pieces"))
    for _ in range(6):
        train(pieces, minutes=0, say=silent)
    one, two = (read_curve(Path(folder) / TRAINING) for folder in (whole.folder, pieces.output))
    assert [(row["step"], row["loss"], row["gradient"]) for row in one] == [
        (row["step"], row["loss"], row["gradient"]) for row in two
    ]
    assert [row["step"] for row in one] == [4, 6]


def test_a_state_without_the_losses_since_the_last_row_goes_on(config: TrainingConfig) -> None:
    folder = train(config, minutes=0, say=silent).folder
    with safe_open(folder / FILE, "pt") as file:
        about = json.loads(file.metadata()["state"])
    del about["losses"]
    save_file(weights(folder), folder / FILE, {"state": json.dumps(about)})
    assert train(config, minutes=0, say=silent).step == 2


def test_what_was_not_measured_is_not_written(config: TrainingConfig, changed: Changed) -> None:
    outcome = train(changed(config, validation={"clips": 0}), say=silent)
    assert {key for row in read_curve(outcome.folder / VALIDATION) for key in row} == {"step", "overlap"}


def test_columns_stay_as_they_were_begun(tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text("step,loss,hits,overlap\n1,0.5,0.25,0.75\n")
    curves = RunLog(tmp_path, 1)
    curves.row(VALIDATION, 2, {"overlap": 0.5})
    curves.close()
    assert (tmp_path / "validation.csv").read_text() == "step,loss,hits,overlap\n1,0.5,0.25,0.75\n2,,,0.5\n"


def test_what_was_skipped_in_steps_that_a_kill_undid_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "skipped.txt"
    path.write_text("step 1: a\nstep 3: b\nstep 4: c\nstep 5: cut sh")
    RunLog(tmp_path, 3).close()
    assert path.read_text() == "step 1: a\nstep 3: b\n"
    RunLog(tmp_path, -1).close()
    assert not path.exists()


def test_where_nothing_is_validated_the_best_is_the_last(config: TrainingConfig, changed: Changed) -> None:
    outcome = train(changed(config, validation={"clips": 0, "frames": 0}), say=silent)
    best, last = (checkpoints.load(outcome.folder / name) for name in (BEST, LAST))
    assert best.provenance["step"] == last.provenance["step"] == 6


def test_a_run_killed_before_its_first_checkpoint_validates_its_start_once(config: TrainingConfig) -> None:
    def kill(line: str) -> None:
        if line.startswith("step 2: loss"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(config, say=kill)
    rows = read_curve(train(config, say=silent).folder / VALIDATION)
    assert [row["step"] for row in rows] == [0, 3, 6]


@pytest.mark.parametrize("asked", [False, True])
def test_a_run_stops_between_videos_that_it_decodes_and_goes_on_from_there(
    config: TrainingConfig, changed: Changed, films: Path, asked: bool
) -> None:
    config = changed(config, data={"sources": {"films": SourceConfig(str(films))}}, optimization={"steps": 2})
    cached, said = [], []
    while not cached or not (Path(config.output) / FILE).is_file():
        outcome = train(config, None if asked else 0, said.append, lambda: asked)
        cached.append(len(list(Path(str(config.data.cache)).iterdir())))
        assert len(cached) < 9
    assert cached == [1, 2, 3, 4, 4]
    assert outcome.step == 1
    stopped = [line for line in said if line.startswith("stopped")]
    assert stopped[:4] == ["stopped while videos are decoded; the same command goes on from there"] * 4
    assert stopped[4:] == ["stopped after step 1 of 2; the same command goes on from there"]


def test_clips_without_contexts_train_a_filter_that_has_them(config: TrainingConfig, changed: Changed) -> None:
    config = changed(config, data={"contexts": 0})
    assert ClipDataset(config)[0].contexts.shape[1] == 0
    outcome = train(config, say=silent)
    assert checkpoints.load(outcome.folder / LAST).config.filter.contexts == config.model.filter.contexts == 4


def test_a_finished_run_stays_as_it_is(config: TrainingConfig) -> None:
    train(config, say=silent)
    before = weights(config.output)
    assert train(config, say=silent).finished
    assert_equal(before, weights(config.output))


def test_workers_and_accumulation_change_nothing_but_speed(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    train(config, say=silent)
    parts = changed(config, optimization={"accumulation": 2}, output=str(tmp_path / "parts"), workers=2)
    train(parts, say=silent)
    one, two = weights(config.output), weights(tmp_path / "parts")
    for name in one:
        if name.startswith("network."):
            torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)


def test_frozen_weights_and_statistics_stay(config: TrainingConfig, changed: Changed, tmp_path: Path) -> None:
    torch.manual_seed(5)
    made = RAR(config.model.network)
    start = tmp_path / "start.safetensors"
    checkpoints.save(start, checkpoints.Checkpoint(config.model, made.state_dict()))
    config = changed(
        config, start=str(start), optimization={"freeze_early": True, "batch_statistics": "batch", "steps": 3}
    )
    train(config, say=silent)
    before, after = checkpoints.load(start).weights, weights(config.output)
    early = tuple(f"backbone.{name}." for name in made.backbone.early)
    for name, value in before.items():
        same = torch.equal(after[f"network.{name}"].float(), value.float())
        if name.startswith(early):
            assert same, name
        elif name.endswith(("running_mean", "weight")) and "attention" not in name:
            assert not same, name


def test_nothing_can_be_frozen_without_weights_to_freeze(config: TrainingConfig, changed: Changed) -> None:
    with pytest.raises(InputError, match="nothing to freeze without pre-trained weights"):
        train(changed(config, optimization={"freeze_early": True}), say=silent)


def test_other_settings_than_the_run_began_with_are_refused_with_the_difference(
    config: TrainingConfig, changed: Changed
) -> None:
    train(config, minutes=0, say=silent)
    other = changed(config, optimization={"momentum": 0.8}, seed=4)
    with pytest.raises(InputError, match=r"optimization.momentum: 0.9 -> 0.8, seed: 0 -> 4"):
        train(other, say=silent)
    # How fast and where is free.
    train(replace(config, workers=1, log_interval=3), minutes=0, say=silent)


def test_a_loss_that_is_not_a_number_stops_with_the_clips_name_and_keeps_the_last_state(
    config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config, minutes=0, say=silent)
    before = weights(config.output)
    forward = ClipLoss.forward

    def broken(self: ClipLoss, crops: torch.Tensor, *labels: Any) -> torch.Tensor:
        losses = forward(self, crops, *labels)
        return losses * torch.tensor([1, float("nan"), 1, 1]) if self.training else losses

    monkeypatch.setattr(ClipLoss, "forward", broken)
    with pytest.raises(InputError, match=r"step 1: the loss is not finite, with made/clip_\w:\d+-\d+; the last good"):
        train(config, say=silent)
    assert_equal(before, weights(config.output))


def test_a_full_disk_keeps_the_last_state(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    train(config, minutes=0, say=silent)
    before = weights(config.output)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        train(config, minutes=0, say=silent)
    monkeypatch.undo()
    assert_equal(before, weights(config.output))
    assert not list(Path(config.output).glob("*.partial"))


def test_a_batch_that_cannot_be_shared_is_refused(config: TrainingConfig, changed: Changed) -> None:
    with pytest.raises(InputError, match=r"optimization\.batch: 4 clips cannot be shared"):
        train(changed(config, optimization={"accumulation": 3}), say=silent)


@pytest.mark.parametrize(("workers", "remembered"), [(0, 0), (1, 0), (1, 8)])
def test_data_of_which_nothing_can_be_used_ends_the_run_with_one_line(
    config: TrainingConfig, changed: Changed, videos: Path, workers: int, remembered: int
) -> None:
    sources = {"made": SourceConfig(str(videos), area_ratio=(0.7, 0.75))}
    config = changed(config, data={"sources": sources, "held_out": ()}, workers=workers)
    config = changed(config, optimization={"backbone_rate": 0.0, "remembered": remembered})
    with pytest.raises(InputError) as caught:
        train(config, say=silent)
    assert str(caught.value).startswith("50 draws in a row")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_die_end_the_run_with_one_line(config: TrainingConfig, changed: Changed, workers: int) -> None:
    before = multiprocessing.active_children()

    def kill_workers(line: str) -> None:
        if line.startswith("step 1: loss"):
            for process in multiprocessing.active_children():
                if process not in before:
                    process.kill()

    with pytest.raises(InputError, match="was ended from outside"):
        train(changed(config, optimization={"steps": 40}, workers=workers), say=kill_workers)


@pytest.mark.parametrize("remembered", [0, 12])
def test_skipped_clips_are_counted(
    config: TrainingConfig, videos: Path, tmp_path: Path, changed: Changed, remembered: int
) -> None:
    config = with_damaged_frames(config, videos, tmp_path)
    config = changed(config, optimization={"backbone_rate": 0.0, "remembered": remembered})
    train(config, say=silent)
    assert_skipped(config, remembered or 24)  # six updates of four; those remembered come twice, and were cut once


def test_no_steps_write_the_starting_weights_with_new_settings(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    train(config, say=silent)
    other = replace(config.model, tracking=replace(config.model.tracking, update_interval=5))
    zero = replace(config, model=other, start=str(Path(config.output) / LAST), output=str(tmp_path / "zero"))
    outcome = train(changed(zero, optimization={"steps": 0}), say=silent)
    found = checkpoints.load(outcome.folder / BEST)
    assert found.config.tracking.update_interval == 5
    last = checkpoints.load(Path(config.output) / LAST).weights
    assert_equal({k: v.float() for k, v in found.weights.items()}, {k: v.float() for k, v in last.items()})
