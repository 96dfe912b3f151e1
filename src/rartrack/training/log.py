"""Curves of a run: csv files always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rartrack.outputs import make_folder, replace_file

TRAINING, VALIDATION, SKIPPED = "training.csv", "validation.csv", "skipped.txt"


class RunLog:
    """Rows of numbers by step, one csv file a kind.

    Args:
        folder: of the run.
        step: updates made so far; rows of later steps, from a run that was killed, are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        make_folder(folder)
        for name in (TRAINING, VALIDATION):
            _drop_after(folder / name, step)
        _drop_skipped_after(folder / SKIPPED, step)
        self._board = _board(folder, step)

    def row(self, name: str, step: int, values: Mapping[str, float]) -> None:
        """Append one row; the header comes with the first."""
        path = self.folder / name
        header = ["step", *values]
        fresh = not path.exists()
        if not fresh:  # the columns are the first row's, whatever was measured since
            with path.open(newline="", encoding="utf-8") as stream:
                header = next(csv.reader(stream), header)
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, header, extrasaction="ignore")
            if fresh:
                writer.writeheader()
            writer.writerow({"step": step, **{key: f"{value:.6g}" for key, value in values.items()}})
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{Path(name).stem}/{key}", value, step)

    def skipped(self, step: int, reason: str) -> None:
        """Note data that could not be used."""
        with (self.folder / SKIPPED).open("a", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(f"step {step}: {reason}\n")

    def close(self) -> None:
        """Write out what TensorBoard holds back."""
        if self._board is not None:
            self._board.close()


class Pace:
    """How fast steps go, and how long they wait for their clips; losses since the last row."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.clips, self.waiting, self.computing = 0, 0.0, 0.0
        self.start()

    def start(self) -> None:
        self._mark = time.monotonic()

    def waited(self) -> None:
        now = time.monotonic()
        self.waiting += now - self._mark
        self._mark = now

    def stepped(self, clips: int) -> None:
        now = time.monotonic()
        self.computing += now - self._mark
        self._mark = now
        self.clips += clips

    def take(self) -> tuple[float, float, float]:
        """Mean loss, clips a second, and the share of time spent waiting, since the last call."""
        seconds = max(1e-9, self.waiting + self.computing)
        taken = float(np.mean(self.losses)), self.clips / seconds, self.waiting / seconds
        self.losses, self.clips, self.waiting, self.computing = [], 0, 0.0, 0.0
        return taken


def _drop_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    header = rows[0] if rows else []
    # A row that a crash cut short is dropped with the later ones.
    kept = [row for row in rows[1:] if len(row) == len(header) and int(row[0]) <= step]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *kept] if kept else [])
    if kept:
        replace_file(path, text.getvalue().encode())
    else:
        path.unlink()


def _drop_skipped_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    numbered = ((re.match(rb"step (\d+): .*\n", line), line) for line in lines)
    kept = [line for found, line in numbered if found and int(found[1]) <= step]
    if kept:
        replace_file(path, b"".join(kept))
    else:
        path.unlink()


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
