"""A trial as a tracker that evaluation runs: a model with some settings changed, loaded once in each worker."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rartrack import checkpoints
from rartrack.config import ModelConfig, change_model, to_dict
from rartrack.evaluation.trackers import RarTracker
from rartrack.tracking.load import arithmetic_of, load, pick_device
from rartrack.tracking.threads import use_threads
from rartrack.tracking.tracker import Tracker


@dataclass(frozen=True)
class TrialTracker:
    """A model with settings of the filter and the loop changed.

    Attributes:
        number: of the trial; 0 has the model's own settings.
        model: built-in name or path.
        device: ``auto``, ``cpu``, ``cuda``, ...
        settings: dotted names of ``ModelConfig`` and their values.
        backend: which library runs the network, see ``rartrack.backends``.
    """

    number: int
    model: str
    device: str
    settings: tuple[tuple[str, Any], ...]
    backend: str = "torch"

    @property
    def name(self) -> str:
        """Name of the folder its results go to."""
        return trial_name(self.number)

    def describe(self) -> dict[str, Any]:
        """As ``RarTracker.describe`` of a tracker with these settings."""
        config = change_model(_config(self.model), dict(self.settings))
        described = {**_described(self.model, self.device, self.backend), "config": to_dict(config)}
        described.pop("integers", None)  # of the model's own precision
        return described | arithmetic_of(self.model, config, self.backend, pick_device(self.device, self.backend))

    def build(self, threads: int) -> Tracker:
        """Give the settings to the network that this process holds; threads are set for the whole process."""
        use_threads(threads)
        precision = dict(self.settings).get("tracking.precision", _config(self.model).tracking.precision)
        base = _loaded(self.model, self.device, self.backend, precision)
        return Tracker(base.model.network, change_model(base.config, dict(self.settings)))


def trial_name(number: int) -> str:
    """Name of a trial's tracker and of the folder of its results."""
    return f"trial-{number:03d}"


def describe_model(model: str, device: str, backend: str) -> dict[str, Any]:
    """What makes the results of a model with its own settings; see ``RarTracker.describe``."""
    return RarTracker(name="model", model=model, device=device, backend=backend).describe()


# A worker lives for one call of ``evaluate``, in which the files of its model are taken not to change.
_described = cache(describe_model)


@cache
def _config(model: str) -> ModelConfig:
    return checkpoints.load(model).config


@cache
def _loaded(model: str, device: str, backend: str, precision: str) -> Tracker:
    """A model that has run a little: what libraries set up at first use must not count as the first trial's time."""
    tracker = load(model, device, {"tracking.precision": precision}, backend)
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    tracker.init(frame, (24, 24, 16, 16))
    for _ in range(tracker.config.tracking.update_interval + 1):  # in one of which it learns, and once after
        tracker.update(frame)
    tracker.synchronize()
    return tracker
