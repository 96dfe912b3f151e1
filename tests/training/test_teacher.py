"""A box head that follows another model's: the same clips in the teacher's size, its maps in the run's cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import silent, start, weights

from rartrack import checkpoints
from rartrack.errors import InputError
from rartrack.network.inference import pick_precision
from rartrack.network.rar import RAR
from rartrack.training.checks import check
from rartrack.training.config import SourceConfig, TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.loop import train
from rartrack.training.objective import BoxLoss
from rartrack.training.remember import Memorised
from rartrack.training.teacher import Teacher, at_cells, spread

Changed = Callable[..., TrainingConfig]


@pytest.fixture
def taught(config: TrainingConfig, changed: Changed, tmp_path: Path) -> TrainingConfig:
    """A run of 63 pixels whose teacher sees 127."""
    network, tracking = config.model.network, replace(config.model.tracking, scale_search="box")
    config = changed(
        config,
        model=replace(config.model, network=replace(network, box_channels=8), tracking=tracking),
        data={"contexts": 0, "zoom": 0.2, "aspect": 0.2},
        optimization={"learns": "box", "backbone_rate": 0.0, "remembered": 8, "teacher": str(tmp_path / "teacher")},
    )
    save_teacher(config, input_size=127, box_channels=12)
    return config


def save_teacher(config: TrainingConfig, padding: float | None = None, **network: Any) -> None:
    torch.manual_seed(1)
    model = replace(config.model, network=replace(config.model.network, **network))
    if padding is not None:
        model = replace(model, tracking=replace(model.tracking, padding=padding))
    made = RAR(model.network)
    if made.box is not None:
        torch.nn.init.normal_(made.box.output.weight, std=0.1)
    path = config.optimization.teacher
    assert path is not None
    checkpoints.save(Path(path), checkpoints.Checkpoint(model, made.state_dict()))


def peaks(side: int, x: float, y: float) -> torch.Tensor:
    """A Gaussian of a deviation of one cell around a place in cells from the middle, (1, 1, side, side)."""
    line = torch.arange(float(side)) - side // 2
    return (torch.exp(-0.5 * (line - y) ** 2)[:, None] * torch.exp(-0.5 * (line - x) ** 2))[None, None]


def test_a_classification_is_as_wide_on_larger_cells() -> None:
    found = at_cells(spread(peaks(31, 4.0, -6.0), 2.0), 2.0, 15)
    torch.testing.assert_close(found, peaks(15, 2.0, -3.0), atol=0.01, rtol=0)
    same = torch.rand(2, 5, 15, 15)
    torch.testing.assert_close(at_cells(same, 1.0, 15), same)
    torch.testing.assert_close(spread(same[:, 4:], 1.0), same[:, 4:])


def test_the_teacher_sees_the_same_clips_in_its_own_size(taught: TrainingConfig) -> None:
    teacher, clips = Teacher(taught, torch.device("cpu")), ClipDataset(taught)
    for index in range(4):
        own, theirs = clips[index], teacher.clips[index]
        assert theirs.name == own.name
        assert theirs.search.shape[0] == 127
        torch.testing.assert_close(
            torch.from_numpy(theirs.label[[0, 1, 3, 4]]) * 63 / 127, torch.from_numpy(own.label[[0, 1, 3, 4]])
        )


def test_a_head_that_says_what_the_teacher_says_departs_by_nothing(taught: TrainingConfig) -> None:
    save_teacher(taught)  # of the run's own size
    teacher, clips = Teacher(taught, torch.device("cpu")), ClipDataset(taught)
    batch = Batch.stack([clips[index] for index in range(3)])
    path = taught.optimization.teacher
    assert path is not None
    network = start(taught)
    network.load_state_dict(checkpoints.load(path).weights)
    precision = pick_precision("auto", torch.device("cpu"))  # as the teacher's
    measure = BoxLoss(network.requires_grad_(False), taught.clip_model, precision, teacher_weight=2.0)
    taps, maps = measure.taps(batch.crops), teacher.maps(batch.crops)
    alone, followed = measure.losses(taps, batch.label), measure.losses(taps, batch.label, maps)
    torch.testing.assert_close(followed, alone, rtol=1e-3, atol=1e-3)
    off = maps.clone()
    off[:, :4] += 1.0  # Huber: 1 - beta / 2, twice over by 4 and the weight
    torch.testing.assert_close(
        measure.losses(taps, batch.label, off) - alone, torch.full((3,), 8 * 0.975), rtol=1e-3, atol=0
    )
    likely = maps.clone()
    likely[:, 4] = 1 - likely[:, 4]
    assert (measure.losses(taps, batch.label, likely) > alone + 0.1).all()


def test_a_run_follows_its_teacher_and_keeps_what_that_says(taught: TrainingConfig, changed: Changed) -> None:
    alone = changed(taught, optimization={"teacher": None}, output=taught.output + "-alone")
    train(replace(taught, workers=1), say=silent)  # other processes read what the teacher has said
    train(alone, say=silent)
    one, other = weights(taught.output), weights(alone.output)
    assert any(not torch.equal(one[name], other[name]) for name in one.keys() & other.keys())
    network, teacher = start(taught), Teacher(taught, torch.device("cpu"))
    store = Memorised(taught, network, teacher)
    assert store.folder != Memorised(alone, network).folder
    assert not store.missing()
    kept = store[0].taught
    assert kept is not None
    clips = [teacher.clips[index] for index in range(8)]
    said = teacher.maps(Batch.stack(clips).crops)
    names = [clip.name for clip in clips]
    torch.testing.assert_close(kept, said[names.index(store[0].name)], rtol=2e-3, atol=2e-3)


def test_videos_are_decoded_in_the_teachers_size_once_before_workers_share_them(
    taught: TrainingConfig, changed: Changed, films: Path
) -> None:
    config = changed(taught, data={"sources": {"films": SourceConfig(str(films))}})
    cache = Path(str(config.data.cache))
    for count in range(1, 8):  # three that train and one held out; three as the teacher sees them
        train(config, minutes=0, say=silent)
        assert len(list(cache.glob("*.safetensors"))) == count
    assert not list(cache.glob("features/*/*"))
    train(config, minutes=0, say=silent)
    assert list(cache.glob("features/*/*"))
    assert len(list(cache.glob("*.safetensors"))) == 7


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"box_channels": 0}, "has no box head"),
        ({"padding": 3.0}, "sees other windows"),
        ({"input_size": 47}, "sees fewer pixels"),
    ],
)
def test_teachers_that_cannot_teach_are_refused(taught: TrainingConfig, teacher: Any, message: str) -> None:
    save_teacher(taught, **teacher)
    with pytest.raises(InputError, match=message):
        Teacher(taught, torch.device("cpu"))


def test_teachers_teach_box_heads_on_remembered_clips(taught: TrainingConfig, changed: Changed) -> None:
    for wrong in ({"remembered": 0}, {"learns": "features"}):
        with pytest.raises(InputError, match=r"optimization\.teacher"):
            check(changed(taught, optimization=wrong), 1)
