"""Clips by index: reproducible, held out where they must be, and forgiving of bad files."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_data import FRAMES, moving_square, write_sequence

from rartrack.datasets import Dataset, Sequence, load_dataset, vot
from rartrack.datasets.dataset import Entry
from rartrack.errors import InputError
from rartrack.training import dataset
from rartrack.training import stills as module
from rartrack.training.cache import surroundings
from rartrack.training.clips import Clip
from rartrack.training.config import AugmentConfig, SourceConfig, TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset, Share, batches
from rartrack.training.split import HELD_OUT, is_test, matches, refuse_tests
from rartrack.training.stills import StillSource
from rartrack.video.writing import VideoWriter

Changed = Callable[..., TrainingConfig]


@pytest.fixture
def mixed(config: TrainingConfig, stills: Path, changed: Changed) -> TrainingConfig:
    """Videos and photographs."""
    sources = {**config.data.sources, "photographs": SourceConfig(str(stills), "stills", weight=2.0)}
    return changed(config, data={"sources": sources, "exemplars": 2})


def same(a: Clip, b: Clip) -> bool:
    return (
        a.name == b.name
        and np.array_equal(a.label, b.label)
        and np.array_equal(a.crops(), b.crops())
        and a.skipped == b.skipped
    )


def test_a_clip_has_the_shapes_it_says(mixed: TrainingConfig) -> None:
    clip = ClipDataset(mixed)[0]
    assert clip.exemplars.shape == (2, 63, 63, 3)
    assert clip.contexts.shape == (2, 4, 63, 63, 3)
    assert clip.search.shape == (63, 63, 3)
    assert clip.search.dtype == np.uint8
    assert np.abs(clip.label[:2]).max() <= 48 / 255 * 63 / 8


def test_search_crops_are_turned_in_training_alone(mixed: TrainingConfig, changed: Changed) -> None:
    plain = AugmentConfig(flip=0, grey=0, brightness=0, contrast=0, saturation=0, tint=0, drift=0, blur=0)
    upright, turned = (changed(mixed, data={"augment": plain, "turned": share}) for share in (0.0, 1.0))
    for index in range(4):
        before, after = ClipDataset(upright)[index], ClipDataset(turned)[index]
        assert any(same(after, before.turned(quarters)) for quarters in (1, 2, 3))
        assert same(ClipDataset(upright, "validation")[index], ClipDataset(turned, "validation")[index])


def test_a_clip_depends_on_seed_and_index_alone(mixed: TrainingConfig) -> None:
    first, second = ClipDataset(mixed), ClipDataset(mixed)
    for index in (7, 2, 9, 0):  # in any order
        assert same(first[index], second[index])
    assert same(first[2], second[2])
    other = ClipDataset(replace(mixed, seed=1))
    assert not any(same(first[index], other[index]) for index in range(4))
    assert len({first[index].name for index in range(20)}) > 10


def test_a_share_of_the_photographs_targets_are_parts_of_objects(mixed: TrainingConfig) -> None:
    def kinds(part: float, smallest: float = 8.0) -> list[str]:
        source = replace(mixed.data.sources["photographs"], smallest=smallest)
        pseudo = replace(mixed.data.pseudo, part=part)
        clips = ClipDataset(replace(mixed, data=replace(mixed.data, sources={"photographs": source}, pseudo=pseudo)))
        return [clips[index].name.rpartition(":")[2] for index in range(24)]

    assert set(kinds(0.0)) == {"camera", "composed"}
    assert set(kinds(0.5)) == {"camera", "composed", "part"}
    assert set(kinds(1.0)) == {"part"}
    assert "part" not in kinds(1.0, smallest=30.0)  # the objects have 34 pixels, their parts fewer than 28


def test_a_share_of_the_windows_lies_at_other_objects(mixed: TrainingConfig) -> None:
    data = replace(mixed.data, shift=0.1)
    far, near = (
        [np.abs(ClipDataset(replace(mixed, data=replace(data, elsewhere=share)))[i].label[:2]).max() for i in range(40)]
        for share in (1.0, 0.0)
    )
    reach = 0.1 * mixed.model.network.input_size / 8
    assert max(near) <= reach
    assert 0.1 < np.mean(np.array(far) > reach) < 0.9  # videos know of no others


def test_workers_cut_the_same_clips(mixed: TrainingConfig) -> None:
    clips = ClipDataset(mixed)
    share = Share(batch=4, rank=0, world=1, parts=1, start=0, stop=3)
    alone = list(batches(clips, share, workers=0))
    shared = list(batches(clips, share, workers=2))
    for one, two in zip(alone, shared, strict=True):
        assert one.names == two.names
        assert one.crops.equal(two.crops)
        assert one.label.equal(two.label)


def test_there_are_no_more_workers_than_processors(mixed: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "available_processors", lambda: 1)
    before = set(multiprocessing.active_children())
    cut = batches(ClipDataset(mixed), [[0], [1]], workers=3)
    try:
        next(cut)
        assert len(set(multiprocessing.active_children()) - before) == 1
    finally:
        cut.close()


class Dying:
    """A clip whose cutting is ended from outside."""

    def __getitem__(self, index: int) -> Clip:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_what_goes_wrong_in_a_worker_is_said_in_one_line(
    config: TrainingConfig, changed: Changed, videos: Path
) -> None:
    useless = {"x": SourceConfig(str(videos), area_ratio=(0.7, 0.75))}
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"\A50 draws in a row .*\Z"):
            next(batches(ClipDataset(changed(config, data={"sources": useless})), [[0]], workers))
    with pytest.raises(InputError, match=r"\Aa process that cuts clips was ended from outside .*\Z"):
        next(batches(Dying(), [[0]], 1))


@pytest.mark.parametrize(("world", "parts"), [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_processes_and_parts_share_the_clips_of_an_update(world: int, parts: int) -> None:
    updates: dict[int, list[int]] = {}
    for rank in range(world):
        for number, indices in enumerate(Share(8, rank, world, parts, start=3, stop=5)):
            updates.setdefault(3 + number // parts, []).extend(indices)
    assert updates == {3: list(range(24, 32)), 4: list(range(32, 40))}


def test_a_batch_has_each_exemplar_with_its_contexts_and_the_search_last(mixed: TrainingConfig) -> None:
    clips = [ClipDataset(mixed)[index] for index in range(2)]
    batch = Batch.stack(clips)
    assert batch.crops.shape == (2, 2 * 5 + 1, 3, 63, 63)
    for clip, crops in zip(clips, batch.crops.permute(0, 1, 3, 4, 2).numpy(), strict=True):
        np.testing.assert_array_equal(crops[[0, 5]], clip.exemplars)
        np.testing.assert_array_equal(crops[1:5], clip.contexts[0])
        np.testing.assert_array_equal(crops[10], clip.search)


def test_an_object_is_never_pasted_beside_itself(
    config: TrainingConfig, stills: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = replace(
        config.data, pseudo=replace(config.data.pseudo, compose=1.0, distractor=1.0, occlusion=0.0, part=0.0)
    )
    source = StillSource("photographs", SourceConfig(str(stills), "stills"), data)
    read: list[Path] = []
    photograph = module._read
    monkeypatch.setattr(module, "_read", lambda still: read.append(still.path) or photograph(still))
    for seed in range(40):
        read.clear()
        source.draw(np.random.default_rng(seed))
        target, background, distractor = read
        assert target != background
        assert target != distractor


def test_a_source_that_gives_nothing_to_train_on_is_named(
    config: TrainingConfig, changed: Changed, videos: Path, tmp_path: Path
) -> None:
    made = SourceConfig(str(videos))
    typo = {"made": made, "mine": replace(made, include=("clp_*",))}
    with pytest.raises(InputError, match=r"data\.sources\.mine: no sequence to train on in .*include and exclude"):
        ClipDataset(changed(config, data={"sources": typo}))
    hidden = tmp_path / "hidden"
    shutil.copytree(videos / "clip_a", hidden / "clip_a")
    first, *others = (videos / "clip_a.txt").read_text().splitlines()
    (hidden / "clip_a.txt").write_text("\n".join([first, *["nan,nan,nan,nan"] * len(others)]))
    empty = {"made": made, "mine": SourceConfig(str(hidden))}
    with pytest.raises(InputError, match=r"data\.sources\.mine: .* \(clip_a: no 2 frames in a row"):
        ClipDataset(changed(config, data={"sources": empty}))
    unused = {"made": made, "mine": SourceConfig(str(hidden), weight=0)}
    assert len(ClipDataset(changed(config, data={"sources": unused})).sources) == 1
    held = {"made": made, "theirs": replace(made, include=("held_*",))}  # a source of held-out videos is one
    assert len(ClipDataset(changed(config, data={"sources": held})).sources) == 1
    assert len(ClipDataset(changed(config, data={"sources": held}), "validation").sources) == 2


def test_held_out_sequences_never_train_and_alone_validate(config: TrainingConfig) -> None:
    train, validation = ClipDataset(config), ClipDataset(config, "validation")
    assert {train[i].name.split("/")[1].split(":")[0] for i in range(40)} == {"clip_a", "clip_b", "clip_c", "clip_d"}
    assert {validation[i].name.split("/")[1].split(":")[0] for i in range(10)} == {"held_out"}


def test_the_held_out_list_names_what_the_data_has(shared: Path) -> None:
    names = load_dataset(shared / "train").names
    held = {name for name in names if matches(name, HELD_OUT)}
    for pattern in HELD_OUT:
        assert any(matches(name, [pattern]) for name in names), pattern
    runs = {name for name in names if name.startswith("fod_")}
    assert held & runs == {name for name in runs if name.split("_")[1].endswith("7")}
    assert len(held - runs) == 11


def test_benchmarks_are_refused(config: TrainingConfig, changed: Changed, tmp_path: Path) -> None:
    for name in ("Basketball", "Bolt", "mine"):
        write_sequence(tmp_path / "copy", name, *moving_square(1))
    with pytest.raises(InputError, match="OTB and VOT are for testing"):
        ClipDataset(changed(config, data={"sources": {"x": SourceConfig(str(tmp_path / "copy"))}}))


def test_what_a_source_includes_is_asked_too(config: TrainingConfig, changed: Changed, tmp_path: Path) -> None:
    for name in ("Basketball", "Bolt", "mine1", "mine2", "mine3", "tld_car"):
        write_sequence(tmp_path / "mixed", name, *moving_square(1))
    taken = {"x": SourceConfig(str(tmp_path / "mixed"), include=("B*",))}
    with pytest.raises(InputError, match="OTB and VOT are for testing"):
        ClipDataset(changed(config, data={"sources": taken}))
    taken = {"x": SourceConfig(str(tmp_path / "mixed"), include=("mine*", "tld*"))}
    clips = ClipDataset(changed(config, data={"sources": taken}))
    assert clips.left_out == {"x/tld_car": "a test sequence of OTB or VOT under another name"}
    assert {clips[index].name.partition("/")[2].partition(":")[0] for index in range(30)} == {"mine1", "mine2", "mine3"}


@pytest.mark.parametrize(
    ("names", "test"),
    [
        (("ants1", "Drone-Across", "gymnastics1", "motocross1", "zebrafish1"), True),
        (("ants1", "Drone-Across", "gymnastics1", "motocross1", "zebrafish1", "a", "b", "c", "d"), True),
        (("ants1", "Drone-Across", "gymnastics1", "motocross1", "zebrafish1", "a", "b", "c", "d", "e"), False),
        (("agility", "dribble", "lamb", "sphere", "tunnel"), False),  # three of one year, two of another
        (("bag", "car1", "car2", "road"), False),
        (("bag",), False),
        (("Basketball", "Bolt", "mine"), True),
    ],
)
def test_a_test_is_known_by_its_sequences_names_in_any_layout(names: tuple[str, ...], test: bool) -> None:
    def unread() -> Sequence:
        raise AssertionError

    entries = tuple(Entry(name, unread) for name in names)
    assert is_test(Dataset("copy", entries, "folder", "ope", 0, Path("copy"))) == test


@pytest.mark.parametrize("year", ["vot2016", "vot2017", "vot2018", "vot2019"])
def test_every_year_of_vot_is_a_test_in_any_layout(year: str, tmp_path: Path) -> None:
    for name in vot.members(year):
        (tmp_path / f"{name}.txt").write_text("1,2,3,4\n")
        (tmp_path / f"{name}.mp4").touch()
    dataset = load_dataset(tmp_path)
    assert dataset.layout == "folder"
    with pytest.raises(InputError, match="OTB and VOT are for testing"):
        refuse_tests(dataset)


def test_the_training_videos_are_no_test(shared: Path) -> None:
    assert not is_test(load_dataset(shared / "train"))


def test_weights_share_the_clips(mixed: TrainingConfig) -> None:
    clips = ClipDataset(mixed)
    share = np.mean([clips[index].name.startswith("photographs") for index in range(150)])
    assert 0.54 < share < 0.79  # 2 of 3


def test_what_never_trains_may_validate(mixed: TrainingConfig) -> None:
    sources = {
        name: replace(source, weight=0.0 if source.kind == "video" else 1.0)
        for name, source in mixed.data.sources.items()
    }
    config = replace(mixed, data=replace(mixed.data, sources=sources))
    assert all(ClipDataset(config)[index].name.startswith("photographs") for index in range(8))
    assert not ClipDataset(config, "validation")[0].name.startswith("photographs")


@pytest.mark.parametrize(
    ("name", "boxes", "reason"),
    [
        ("single", [(50, 40, 28, 24)], "no 2 frames in a row with a visible box"),
        ("gone", [(np.nan,) * 4] * FRAMES, "no 2 frames in a row with a visible box"),
        ("flat", [(50, 40, 0, 24)] * FRAMES, "no 2 frames in a row with a visible box"),
        ("blinking", [(50, 40, 28, 24), (np.nan,) * 4] * (FRAMES // 2), "no 2 frames in a row with a visible box"),
    ],
)
def test_sequences_that_cannot_give_clips_are_left_out_with_a_reason(
    config: TrainingConfig, changed: Changed, tmp_path: Path, name: str, boxes: list[tuple[float, ...]], reason: str
) -> None:
    frames, good = moving_square(0)
    write_sequence(tmp_path / "bad", "good", frames, good)
    write_sequence(tmp_path / "bad", name, frames[: len(boxes)], np.array(boxes))
    clips = ClipDataset(changed(config, data={"sources": {"x": SourceConfig(str(tmp_path / "bad"))}}))
    assert clips.left_out == {f"x/{name}": reason}
    assert clips[0].name.startswith("x/good")


def test_a_sequence_whose_annotation_is_malformed_is_left_out(
    config: TrainingConfig, changed: Changed, videos: Path, tmp_path: Path
) -> None:
    shutil.copytree(videos, tmp_path / "copy")
    (tmp_path / "copy" / "clip_b.txt").write_text("1,2,3\n")
    clips = ClipDataset(changed(config, data={"sources": {"x": SourceConfig(str(tmp_path / "copy"))}}))
    assert "line 1 has 3 numbers" in clips.left_out["x/clip_b"]


def test_a_corrupt_image_is_skipped_and_reported(
    config: TrainingConfig, changed: Changed, videos: Path, tmp_path: Path
) -> None:
    shutil.copytree(videos, tmp_path / "copy")
    damaged = tmp_path / "copy" / "clip_a" / "0006.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    clips = ClipDataset(changed(config, data={"sources": {"x": SourceConfig(str(tmp_path / "copy"))}}))
    reasons = [reason for index in range(60) for reason in clips[index].skipped]
    assert reasons
    assert all(str(damaged) in reason for reason in reasons)


def test_a_data_set_of_which_nothing_can_be_used_says_so(
    config: TrainingConfig, changed: Changed, videos: Path
) -> None:
    too_small = SourceConfig(str(videos), area_ratio=(0.7, 0.75))
    with pytest.raises(InputError, match="50 draws in a row"):
        ClipDataset(changed(config, data={"sources": {"x": too_small}}))[0]
    with pytest.raises(InputError, match="no sequence to train on"):
        ClipDataset(changed(config, data={"sources": {"x": SourceConfig(str(videos), include=("none*",))}}))


@pytest.mark.parametrize("name", ["clip_a", "clip_c"])
def test_crops_from_the_cache_are_those_from_the_frames(
    config: TrainingConfig, tmp_path: Path, name: str, videos: Path
) -> None:
    frames, boxes = moving_square({"clip_a": 0, "clip_c": 2}[name])
    folder = tmp_path / "films"
    folder.mkdir()
    with VideoWriter(folder / f"{name}.mp4", 25, (160, 120)) as writer:
        for frame in frames:
            writer.write(frame)
    shutil.copy(videos / f"{name}.txt", folder)
    film = load_dataset(folder)[0]
    cached = surroundings(film, config.model, config.data)
    direct = surroundings(load_dataset(videos, sequences=[name])[0], config.model, config.data)
    assert cached.frame_size == direct.frame_size == (160, 120)
    assert cached.present.all()
    for frame in (0, 5, 11):
        centre = boxes[frame, None, :2] + boxes[frame, None, 2:] / 2
        for offset in ((0, 0), (0, -1), (1, 0)):
            places = centre + np.array(offset) * boxes[frame, 2:]
            one = cached.shot(frame).crops(places, 3 * boxes[frame, None, 2:], 63)
            two = direct.shot(frame).crops(places, 3 * boxes[frame, None, 2:], 63)
            assert np.abs(one.astype(int) - two).mean() < 10  # H.264's loss and JPEG's
    again = surroundings(film, config.model, config.data)
    np.testing.assert_array_equal(again.shot(3).image, cached.shot(3).image)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_cache_shrinks_what_crops_would_shrink_anyway(config: TrainingConfig, tmp_path: Path) -> None:
    frames, boxes = moving_square(0)
    large = [np.repeat(np.repeat(frame, 6, axis=0), 6, axis=1) for frame in frames[:3]]
    write_sequence(tmp_path / "large", "a", large, 6 * boxes[:3])
    sequence = load_dataset(tmp_path / "large")[0]
    data = replace(config.data, cache_images=True)
    cached, direct = surroundings(sequence, config.model, data), surroundings(sequence, config.model, config.data)
    shot = cached.shot(1)
    assert shot.image.size < direct.shot(1).image.size / 4
    centre, window = 6 * (boxes[1, None, :2] + boxes[1, None, 2:] / 2), 18 * boxes[1, None, 2:]
    one, two = shot.crops(centre, window, 63), direct.shot(1).crops(centre, window, 63)
    assert np.abs(one.astype(int) - two).mean() < 6


def test_images_that_changed_are_cached_anew(config: TrainingConfig, videos: Path, tmp_path: Path) -> None:
    shutil.copytree(videos, tmp_path / "copy")
    data = replace(config.data, cache_images=True)

    def shot() -> np.ndarray:
        return surroundings(load_dataset(tmp_path / "copy")[0], config.model, data).shot(3).image

    before = shot()
    np.testing.assert_array_equal(shot(), before)
    shutil.copy(videos / "clip_b" / "0003.png", tmp_path / "copy" / "clip_a")
    assert np.abs(shot().astype(int) - before).mean() > 20


def test_a_cache_that_cannot_be_written_is_an_input_error(config: TrainingConfig, videos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    data = replace(config.data, cache=str(tmp_path / "file" / "cache"), cache_images=True)
    with pytest.raises(InputError, match="cannot write"):
        surroundings(load_dataset(videos)[0], config.model, data)
