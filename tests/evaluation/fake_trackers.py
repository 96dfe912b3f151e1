"""Trackers that behave well and badly, given to the runner as path/to/this/file.py:Name; and tiny sequences."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve()


class Drifter:
    """Walks at random, from the seed alone; says which process it ran in if asked to."""

    pause = 0.0

    def init(self, frame, box):
        assert frame.shape == (24, 32, 3)
        self.box = tuple(box)
        if "FAKE_TRACKER_PIDS" in os.environ:
            with Path(os.environ["FAKE_TRACKER_PIDS"]).open("a") as stream:
                stream.write(f"{os.getpid()}\n")

    def update(self, frame):
        time.sleep(self.pause)
        x, y, w, h = self.box
        self.box = (x + random.random(), y + np.random.random() + frame[0, 0, 0] / 255, w, h)
        return self.box


class SlowDrifter(Drifter):
    """Takes its time; for ever over the sequence whose first frame is brightest (named ``b``) if asked to."""

    pause = 0.02

    def update(self, frame):
        if frame[0, 0, 0] > 100 and "FAKE_TRACKER_HELD" in os.environ:
            time.sleep(3600)
        return super().update(frame)


class Still(Drifter):
    def update(self, frame):
        return self.box if frame.any() else None


class Misbehaving(Drifter):
    """Misbehaves in the fifth frame of the sequence whose first frame is brightest (named ``b``), and only there."""

    def init(self, frame, box):
        super().init(frame, box)
        self.bad, self.frames = frame[0, 0, 0] > 100, 0

    def update(self, frame):
        self.frames += 1
        return self.misbehave() if self.bad and self.frames == 5 else super().update(frame)


class Raising(Misbehaving):
    def update(self, frame):
        print("frame", self.frames + 1)
        return super().update(frame)

    def misbehave(self):
        raise RuntimeError("no\nidea")


class Hanging(Misbehaving):
    def misbehave(self):
        print("going to sleep", flush=True)
        time.sleep(3600)


class NotANumber(Misbehaving):
    def misbehave(self):
        return (float("nan"), 1.0, 2.0, 3.0)


class Nothing(Misbehaving):
    def misbehave(self):
        return [float("nan")] * 4


class Negative(Misbehaving):
    def misbehave(self):
        return (1.0, 2.0, -3.0, 4.0)


class Crashing(Misbehaving):
    def misbehave(self):
        print("last words", flush=True)
        os.abort()


class ThreeNumbers(Misbehaving):
    def misbehave(self):
        return (1.0, 2.0, 3.0)


class Unloadable:
    def __init__(self):
        raise OSError("weights are gone")


def spec(name: str) -> str:
    """What ``--tracker`` is given for one of the trackers above."""
    return f"{HERE}:{name}"


def make_sequences(folder: Path, names: str = "abc", frames: int = 12) -> Path:
    """Write sequences in the folder layout: grey frames, brightest in ``b``, and a box in each frame."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for index in range(frames):
            image = np.full((24, 32, 3), 200 if name == "b" else index % 90, dtype=np.uint8)
            cv2.imwrite(str(folder / name / f"{index + 1:04d}.png"), image)
        rows = [f"{4 + index},5,8.5,6" for index in range(frames)]
        (folder / f"{name}.txt").write_text("\n".join(rows) + "\n")
    return folder
