"""Remembered features: the clips' own, found again by all that they depend on, and by nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from runs import assert_equal, read_curve, silent, start, weights
from training_data import moving_square, write_sequence

from rartrack import checkpoints
from rartrack.errors import InputError
from rartrack.tracking.load import load as load_tracker
from rartrack.training import remember
from rartrack.training.config import SourceConfig, TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.log import TRAINING, VALIDATION
from rartrack.training.loop import LAST, train
from rartrack.training.objective import ClipLoss
from rartrack.training.remember import Memorised, RememberedBatch

Changed = Callable[..., TrainingConfig]


def test_a_box_head_trains_on_remembered_features_and_tracks(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    network, tracking = config.model.network, config.model.tracking
    network, tracking = replace(network, box_channels=8), replace(tracking, scale_search="box")
    config = changed(
        config,
        model=replace(config.model, network=network, tracking=tracking),
        data={"contexts": 0, "zoom": 0.2, "aspect": 0.2},
        optimization={"learns": "box", "backbone_rate": 0.0, "remembered": 8},
    )
    outcome = train(config, say=silent)
    assert {"loss", "hits", "overlap"} <= read_curve(outcome.folder / VALIDATION)[-1].keys()
    found, begun = checkpoints.load(outcome.folder / LAST).weights, start(config).state_dict()
    moved = {name for name, value in found.items() if not torch.allclose(value, begun[name], atol=1e-3)}
    assert moved
    assert all(name.startswith("box.") for name in moved)
    load_tracker(outcome.folder / LAST, "cpu")
    pieces = replace(config, output=str(tmp_path / "pieces"))
    for _ in range(6):
        train(pieces, minutes=0, say=silent)
    assert_equal(weights(outcome.folder), weights(pieces.output))


def test_remembered_features_train_as_new_crops_do_and_survive_stops(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    config = changed(config, optimization={"backbone_rate": 0.0, "remembered": 8})
    whole = train(config, say=silent)
    losses = [row["loss"] for row in read_curve(whole.folder / TRAINING)]
    # A round of eight clips in updates of four: the mean loss of the first round is that of the clips as crops.
    clips = ClipDataset(config)
    batch = Batch.stack([clips[index] for index in range(8)])
    network = start(config)
    store = Memorised(config, network)
    measure = ClipLoss(network, config.model)
    with torch.no_grad():
        assert float(measure(batch.crops, batch.label).mean()) == pytest.approx(sum(losses[:2]) / 2, rel=0.3)
        features = RememberedBatch.stack([store[index] for index in range(8)])
        order = [batch.names.index(name) for name in features.names]
        crops, peak = batch.crops[order], batch.label[order]
        remembered = measure(features.inputs, features.label)
        torch.testing.assert_close(remembered, measure(crops, peak), rtol=0.02, atol=0.02)
    pieces = replace(config, output=str(tmp_path / "pieces"))
    for _ in range(6):
        train(pieces, minutes=0, say=silent)
    assert_equal(weights(whole.folder), weights(pieces.output))


def test_a_run_that_goes_on_finds_the_features_of_its_own_backbone(
    config: TrainingConfig, changed: Changed, tmp_path: Path
) -> None:
    first = train(changed(config, optimization={"steps": 0}, seed=5), say=silent)  # another backbone than the seed's
    begun = replace(config, start=str(first.folder / LAST), output=str(tmp_path / "second"))
    begun = changed(begun, optimization={"backbone_rate": 0.0, "remembered": 8})
    for _ in range(2):
        train(begun, minutes=0, say=silent)
    assert len(list((tmp_path / "cache" / "features").iterdir())) == 1


def test_features_go_where_the_cache_is_and_a_name_may_be_any_bytes(
    config: TrainingConfig, changed: Changed, videos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    for name in ("clip_a", "held_out"):
        shutil.copytree(videos / name, folder / f"{name}\udce9")
        shutil.copy(videos / f"{name}.txt", folder / f"{name}\udce9.txt")
    config = changed(config, data={"sources": {"made": SourceConfig(str(folder))}})
    config = changed(config, optimization={"backbone_rate": 0.0, "remembered": 4, "steps": 1})
    train(config, say=silent)
    (store,) = (tmp_path / "cache" / "features").iterdir()
    assert len(list(store.iterdir())) == 4
    assert Memorised(config, start(config))[0].name.startswith("made/clip_a\udce9:")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/cache/features/\w+: no folder can be made there .* see data\.cache"):
        Memorised(changed(config, data={"cache": str(tmp_path / "file" / "cache")}), start(config)).fill(
            start(config), ClipDataset(config), [0], 0, silent, lambda: False
        )


def test_every_round_has_every_remembered_clip_once_in_a_new_order(config: TrainingConfig, changed: Changed) -> None:
    config = changed(config, optimization={"backbone_rate": 0.0, "remembered": 8, "steps": 0})
    train(config, say=silent)
    store = Memorised(config, start(config))
    rounds = [[store[8 * turn + position].name for position in range(8)] for turn in range(3)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(rounds[2])
    assert rounds[0] != rounds[1]


def test_runs_share_remembered_features_if_their_backbones_are_the_same(
    config: TrainingConfig, changed: Changed
) -> None:
    network = start(config)
    own = Memorised(config, network).folder
    shape = config.model.network
    without = changed(config, model=replace(config.model, network=replace(shape, attention=False)))
    assert Memorised(without, network).folder == own
    deeper = changed(config, model=replace(config.model, network=replace(shape, levels=(3,))))
    assert Memorised(deeper, network).folder != own
    with torch.no_grad():
        next(network.backbone.parameters()).add_(1e-3)
    assert Memorised(config, network).folder != own


@pytest.mark.parametrize("change", ["added", "annotated", "hidden", "pictured", "removed"])
def test_features_of_other_videos_are_not_taken_whatever_their_folder_is_called(
    config: TrainingConfig, changed: Changed, videos: Path, tmp_path: Path, change: str
) -> None:
    def used(path: Path) -> TrainingConfig:
        return changed(config, data={"sources": {"made": replace(config.data.sources["made"], path=str(path))}})

    network, copy = start(config), tmp_path / "copy"
    own = Memorised(config, network).folder
    shutil.copytree(videos, copy, copy_function=shutil.copyfile)  # with times of its own
    assert Memorised(used(copy), network).folder == own
    lines = (copy / "clip_a.txt").read_text().splitlines()
    if change == "added":
        write_sequence(copy, "clip_e", *moving_square(9))
    elif change == "annotated":
        (copy / "clip_a.txt").write_text("\n".join(["49,40,28,24", *lines[1:]]))
    elif change == "hidden":
        (copy / "clip_a.txt").write_text("\n".join([*lines[:-1], "nan,nan,nan,nan"]))
    elif change == "pictured":
        (copy / "clip_a" / "0003.png").write_bytes((copy / "clip_b" / "0003.png").read_bytes())
    else:
        (copy / "clip_d.txt").unlink()
    assert Memorised(used(copy), network).folder != own


def test_features_of_other_photographs_are_not_taken(
    config: TrainingConfig, changed: Changed, stills: Path, tmp_path: Path
) -> None:
    def used(path: Path) -> TrainingConfig:
        return changed(config, data={"sources": {"photographs": SourceConfig(str(path), "stills")}})

    network, copy = start(config), tmp_path / "copy"
    own = Memorised(used(stills), network).folder
    shutil.copytree(stills, copy, copy_function=shutil.copyfile)
    assert Memorised(used(copy), network).folder == Memorised(used(copy / "instances.json"), network).folder == own
    (copy / "images" / "1.png").write_bytes((copy / "images" / "2.png").read_bytes())
    pictured = Memorised(used(copy), network).folder
    content = (copy / "instances.json").read_text()
    (copy / "instances.json").write_text(content.replace("[60, 46, 41, 29]", "[60, 46, 41, 28]"))
    assert len({own, pictured, Memorised(used(copy), network).folder}) == 3


def test_features_of_other_code_are_not_taken(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    network = start(config)
    own = Memorised(config, network).folder
    package = files("rartrack")
    assert all((package / name).is_file() for name in remember._CODE)
    monkeypatch.setattr(remember, "code_digest", lambda *_: "other")
    assert Memorised(config, network).folder != own


def test_features_of_a_backbone_that_learns_cannot_be_remembered(config: TrainingConfig, changed: Changed) -> None:
    with pytest.raises(InputError, match="features can be kept of a frozen backbone only"):
        train(changed(config, optimization={"remembered": 8}), say=silent)
