"""Made-up videos and photographs as fixtures, and a run small enough to take a second."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from training_data import MODEL, SIZE, moving_square, texture, write_sequence

from rartrack.training.config import DataConfig, OptimizationConfig, SourceConfig, TrainingConfig, ValidationConfig
from rartrack.video.writing import VideoWriter


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sequences to train on, one held out."""
    folder = tmp_path_factory.mktemp("videos")
    for index, name in enumerate(["clip_a", "clip_b", "clip_c", "clip_d", "held_out"]):
        write_sequence(folder, name, *moving_square(index))
    return folder


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> Path:
    """The same sequences as video files, all but one that trains."""
    folder = tmp_path_factory.mktemp("films")
    for index, name in enumerate(["clip_a", "clip_b", "clip_c", "held_out"]):
        shutil.copy(videos / f"{name}.txt", folder)
        with VideoWriter(folder / f"{name}.mp4", 25, SIZE) as writer:
            for frame in moving_square(index)[0]:
                writer.write(frame)
    return folder


@pytest.fixture(scope="session")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs of two collections, each with one elliptic object that has a mask, as a COCO file."""
    folder = tmp_path_factory.mktemp("stills")
    (folder / "images").mkdir()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(1, 7):
        image = texture(50 + index, 120, 160)
        mask = np.zeros((120, 160), np.uint8)
        cv2.ellipse(mask, (80, 60), (20, 14), 0, 0, 360, (1,), -1)
        image[mask > 0] = (220, 30, 30)
        cv2.imwrite(str(folder / "images" / f"{index}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        runs = np.flatnonzero(np.diff(np.concatenate([[0], mask.flatten(order="F"), [0]]).astype(int)))
        counts = np.diff(np.concatenate([[0], runs, [mask.size]]))
        images.append(
            {"id": index, "file_name": f"{index}.png", "width": 160, "height": 120, "source": f"set{index % 2}"}
        )
        annotations.append(
            {
                "id": index,
                "image_id": index,
                "category_id": 1,
                "bbox": [60, 46, 41, 29],
                "area": 1000,
                "iscrowd": 0,
                "segmentation": {"size": [120, 160], "counts": counts.tolist()},
            }
        )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "blob"}]}
    (folder / "instances.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def config(videos: Path, tmp_path: Path) -> TrainingConfig:
    """Six steps on the made-up videos; validation after every third."""
    return TrainingConfig(
        model=MODEL,
        data=DataConfig(
            sources={"made": SourceConfig(str(videos))},
            held_out=("held_*",),
            cache=str(tmp_path / "cache"),
        ),
        optimization=OptimizationConfig(
            optimizer="sgd",
            steps=6,
            batch=4,
            warm_up=2,
            freeze_early=False,
            backbone_rate=1.0,
            batch_statistics="running",
            average=0.9,
            precision="float32",
        ),
        validation=ValidationConfig(interval=3, clips=2, frames=3),
        output=str(tmp_path / "run"),
        workers=0,
        device="cpu",
        threads=1,
        log_interval=1,
    )


@pytest.fixture
def changed() -> Callable[..., TrainingConfig]:
    """A config with parts replaced: ``changed(config, optimization={"steps": 3}, seed=1)``."""

    def change(config: TrainingConfig, **parts: Any) -> TrainingConfig:
        new = {key: replace(getattr(config, key), **v) if isinstance(v, dict) else v for key, v in parts.items()}
        return replace(config, **new)

    return change
