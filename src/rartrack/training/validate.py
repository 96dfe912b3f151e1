"""What a network is worth while it trains: its loss on held-out clips, its overlap in held-out videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from rartrack.boxes import iou
from rartrack.config import ModelConfig
from rartrack.datasets import Sequence as Video
from rartrack.errors import InputError
from rartrack.network.inference import prepare_for_inference
from rartrack.network.rar import RAR
from rartrack.tracking.tracker import Tracker
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.objective import BoxLoss, ClipLoss
from rartrack.training.split import matches
from rartrack.training.videos import VideoSource


@torch.no_grad()
def clip_scores(measure: ClipLoss | BoxLoss, clips: ClipDataset, indices: Iterable[int]) -> tuple[float, float]:
    """Sum of the losses of these clips, and how many are hits."""
    measure.eval()
    loss, hits = 0.0, 0.0
    for index in indices:
        batch = Batch.stack([clips[index]])
        label = batch.label.to(measure.network.device)
        losses, found = measure.judge(measure.taps(batch.crops.to(label.device)), label)
        loss += float(losses.sum())
        hits += float(found.sum())
    return loss, hits


def overlap(prepared: RAR, config: ModelConfig, video: Video, frames: int) -> float:
    """Mean overlap with the annotation over the first ``frames`` frames after the first visible one.

    Args:
        prepared: see ``prepare_for_inference``.
        config: of the tracker.
        video: a held-out sequence.
        frames: tracked at most.

    Raises:
        InputError: a frame cannot be read, or no frame after the first has a box.
    """
    assert video.frames is not None
    start = int(np.flatnonzero(video.visible)[0])
    stop = min(len(video), start + 1 + frames)
    if not video.visible[start + 1 : stop].any():
        raise InputError(f"{video.name}: no visible box in frames {start + 1} to {stop - 1}")
    tracker = Tracker(prepared, config)
    tracker.init(video.frames[start], tuple(video.boxes[start]))
    overlaps = []
    for index in range(start + 1, stop):
        result = tracker.update(video.frames[index])
        if video.visible[index]:
            overlaps.append(float(iou(result.box, video.boxes[index])))
    return float(np.mean(overlaps))


def mean_overlaps(
    network: RAR,
    config: ModelConfig,
    videos: Sequence[Video],
    frames: int,
    precision: torch.dtype = torch.float32,
) -> tuple[dict[str, float], list[str]]:
    """Overlap by sequence, tracked in the given precision, and why some have none."""
    prepared = prepare_for_inference(network, precision)
    found, reasons = {}, []
    for video in videos:
        try:
            found[video.name] = overlap(prepared, config, video, frames)
        except InputError as error:
            reasons.append(str(error))
    return found, reasons


def held_out_clips(config: TrainingConfig) -> ClipDataset | None:
    """Clips for validation, or None where nothing is held out: then the last weights are the best."""
    if not config.data.held_out:
        return None
    return ClipDataset(replace(config, data=replace(config.data, exemplars=1)), "validation")


def held_out_videos(clips: ClipDataset, patterns: tuple[str, ...]) -> list[Video]:
    """The held-out sequences to be tracked, each once though several sources may share a folder, in order of name."""
    videos = {
        video.name: video
        for source in clips.sources
        if isinstance(source, VideoSource)
        for video in source.sequences
        if matches(video.name, patterns)
    }
    return [videos[name] for name in sorted(videos)]
