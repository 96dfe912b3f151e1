"""Made-up videos, and a network small enough for a step to take milliseconds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from rartrack.config import FilterConfig, ModelConfig, NetworkConfig

FRAMES = 12
SIZE = (160, 120)

MODEL = ModelConfig(
    network=NetworkConfig(
        backbone="resnet18",
        width_divisor=16,
        levels=(3, 4),
        deformable=(),
        input_size=63,
        hidden_channels=4,
        reduction=4,
        refinement_channels=8,
        feature_channels=4,
    ),
    filter=FilterConfig(label_sigma=0.3, regularization=1e-2),
)
"""Seven cells a side, a sixteenth of the widths; a label wide enough for so coarse a grid."""


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth coloured noise, RGB uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def moving_square(seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """A textured square that crosses another texture; frames and boxes."""
    ground, target = texture(seed, SIZE[1], SIZE[0]), texture(seed + 1000, 24, 28)
    frames, boxes = [], []
    for t in range(FRAMES):
        frame = ground.copy()
        x, y = 50 + 3 * t, 40 + t
        frame[y : y + 24, x : x + 28] = target
        frames.append(frame)
        boxes.append((x, y, 28, 24))
    return frames, np.array(boxes, dtype=float)


def write_sequence(folder: Path, name: str, frames: list[np.ndarray], boxes: np.ndarray) -> None:
    """One sequence of images in the folder layout."""
    (folder / name).mkdir(parents=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / name / f"{number:04d}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    lines = "\n".join(",".join(f"{value:g}" for value in box) for box in boxes)
    (folder / f"{name}.txt").write_text(lines + "\n")
