"""Trackers simple enough to be the same in the toolkit's hands and in ours; run as a script, one serves TraX.

Usage: python trackers.py still|opencv
"""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np

from rartrack.boxes import Box


class Still:
    """Never moves, hence fails wherever the target does; whole pixels, which TraX's single precision holds."""

    def init(self, frame: Any, box: Box) -> None:  # noqa: ARG002
        self.box = Box(*(float(round(value)) for value in box))

    def update(self, frame: Any) -> Box:  # noqa: ARG002
        return self.box


class OpenCV:
    """OpenCV's KCF, made anew at every start; it stays where it is when it finds nothing."""

    def init(self, frame: Any, box: Box) -> None:
        cv2.setRNGSeed(0)
        cv2.setNumThreads(1)
        self.tracker = cv2.TrackerKCF.create()
        self.box = Box(*(float(round(value)) for value in box))
        self.tracker.init(np.ascontiguousarray(frame), [int(value) for value in self.box])

    def update(self, frame: Any) -> Box:
        found, box = self.tracker.update(np.ascontiguousarray(frame))
        self.box = Box(*map(float, box)) if found else self.box
        return self.box


TRACKERS = {"still": Still, "opencv": OpenCV}

if __name__ == "__main__":
    from rartrack.evaluation.trax_server import serve

    serve(TRACKERS[sys.argv[1]](), sys.argv[1])
