"""Data sets: a ``Sequence`` (name, frames, boxes, attributes) from each layout on disk; one file per layout."""

from rartrack.datasets.benchmarks import BENCHMARKS
from rartrack.datasets.dataset import Dataset
from rartrack.datasets.registry import load_dataset
from rartrack.datasets.sequence import Frames, Sequence

__all__ = ["BENCHMARKS", "Dataset", "Frames", "Sequence", "load_dataset"]
