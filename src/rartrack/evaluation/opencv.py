"""OpenCV's trackers behind the interface of ours: RGB frames, float boxes, a box for every frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rartrack.boxes import Box, clip
from rartrack.errors import InputError, nearest
from rartrack.outputs import file_digest
from rartrack.video.images import Image

KINDS = {"csrt": "CSRT", "kcf": "KCF", "mil": "MIL", "nano": "Nano"}
"""What ``opencv:KIND`` may name, and OpenCV's word for it; ``nano`` needs a folder with its two ONNX files."""
SPELLINGS = tuple(f"{kind}[-VARIANT]:FOLDER" if kind == "nano" else kind for kind in KINDS)
"""How each is written after ``opencv:``."""


@dataclass(frozen=True)
class OpenCVTracker:
    """``opencv:csrt``, ``opencv:kcf``, ``opencv:mil`` or ``opencv:nano[-VARIANT]:FOLDER``.

    Attributes:
        name: of the results' folder.
        kind: one of ``KINDS``.
        files: ``nano``'s network files, backbone and head; else empty.
    """

    name: str
    kind: str
    files: tuple[Path, ...] = ()

    def describe(self) -> dict[str, Any]:
        """What makes its results: OpenCV's version, and the hashes of its network files."""
        hashes = {path.name: file_digest(path) for path in self.files}
        return {"tracker": f"opencv:{self.kind}", "version": cv2.__version__, "weights": hashes}

    def build(self, threads: int) -> RunningOpenCV:
        """Make the tracker; OpenCV's threads are set for the whole process."""
        return RunningOpenCV(self, threads)


class RunningOpenCV:
    """One of OpenCV's trackers at work.

    OpenCV wants BGR frames and whole pixels: colours are swapped, boxes rounded and cut to the frame here. Where OpenCV
    reports a failure (``ok`` is False, or it raises ``cv2.error``) the last box is kept; the tracker goes on with the
    next frame and may find the target again.
    """

    def __init__(self, spec: OpenCVTracker, threads: int) -> None:
        self._spec = spec
        self._tracker: Any = None
        self._box = Box(0.0, 0.0, 0.0, 0.0)
        cv2.setNumThreads(threads)

    def init(self, frame: Image, box: Box) -> None:
        """Start on an RGB frame with a box; raises ``cv2.error`` where OpenCV cannot."""
        self._tracker = _create(self._spec)
        self._tracker.init(np.ascontiguousarray(frame[..., ::-1]), _whole_pixels(box, frame))
        self._box = box

    def update(self, frame: Image) -> Box:
        """The box in the next RGB frame."""
        try:
            found, box = self._tracker.update(np.ascontiguousarray(frame[..., ::-1]))
        except cv2.error:
            found = False
        if found:
            self._box = Box(*map(float, box))
        return self._box


def parse_opencv(text: str, name: str | None) -> OpenCVTracker:
    """Read what follows ``opencv:``.

    Raises:
        InputError: an unknown kind, or ``nano`` without exactly one pair of network files.
    """
    word, _, folder = text.partition(":")
    kind, _, variant = word.partition("-")
    if kind not in KINDS or (variant and kind != "nano"):
        raise InputError(f"tracker 'opencv:{text}': OpenCV's are {', '.join(SPELLINGS)}{nearest(word, KINDS)}")
    files = _network_files(folder, variant) if kind == "nano" else ()
    return OpenCVTracker(name or f"opencv-{word}", kind, files)


def _create(spec: OpenCVTracker) -> Any:
    arguments = []
    if spec.kind == "nano":
        parameters = getattr(cv2, f"Tracker{KINDS[spec.kind]}_Params")()
        parameters.backbone, parameters.neckhead = map(str, spec.files)
        arguments.append(parameters)
    return getattr(cv2, f"Tracker{KINDS[spec.kind]}_create")(*arguments)


def _whole_pixels(box: Box, frame: Image) -> tuple[int, int, int, int]:
    height, width = frame.shape[:2]
    x, y, w, h = (round(float(value)) for value in clip(box, (width, height)))
    return x, y, max(w, 1), max(h, 1)


def _network_files(folder: str, variant: str) -> tuple[Path, ...]:
    where = Path(folder or ".").expanduser()
    found = []
    for part in ("backbone", "head"):
        files = sorted(path.resolve() for path in where.rglob("*.onnx") if variant in path.name and part in path.name)
        if len(files) != 1:
            have = ", ".join(path.name for path in files) or "none"
            raise InputError(
                f"tracker 'opencv:nano': one *{part}*.onnx of the variant is needed in {where}, found {have}; "
                "name folder and variant, for example opencv:nano-v2:FOLDER"
            )
        found += files
    return tuple(found)
