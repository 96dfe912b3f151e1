"""The weights a run starts from: a backbone's, a whole checkpoint's, or chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rartrack import checkpoints
from rartrack.errors import InputError
from rartrack.network.box import resampled
from rartrack.network.rar import RAR
from rartrack.network.weights import load_backbone_weights
from rartrack.training.config import TrainingConfig
from rartrack.training.files import find

_COMPARISON = "box.blocks.0.weight"
"""The one weight of a network that depends on the number of a crop's cells."""


def starting_network(config: TrainingConfig, say: Callable[[str], None] | None = None) -> RAR:
    """Build the network with the weights that ``backbone`` and ``start`` name, else random ones.

    Args:
        config: of the run.
        say: takes a line about what was loaded; None when a stored state will replace it anyway.

    Raises:
        InputError: a file is missing or damaged, or nothing in it fits.
    """
    network = RAR(config.model.network)
    if say is None:
        return network
    if config.backbone is not None:
        load_backbone_weights(network.backbone, find(config.backbone))
        say(f"backbone: {config.backbone}")
    if config.start is not None:
        found, expected = dict(checkpoints.load(_start(config.start)).weights), network.state_dict()
        head = network.box
        if head is not None and _COMPARISON in found and len(found[_COMPARISON]) == head.width:
            found[_COMPARISON] = resampled(found[_COMPARISON], head.side)
        fitting = {k: v for k, v in found.items() if k in expected and expected[k].shape == v.shape}
        if not fitting:
            raise InputError(f"start: {config.start}: none of its weights fits this network; compare model.network")
        network.load_state_dict(fitting, strict=False)
        fresh = len(expected) - len(fitting)
        say(f"start: {config.start}: {len(fitting)} tensors taken, {len(found) - len(fitting)} not; {fresh} start anew")
    if config.backbone is None and config.start is None and config.optimization.freeze_early:
        raise InputError(
            "optimization.freeze_early: nothing to freeze without pre-trained weights; "
            "name them by 'backbone' or 'start', or set optimization.freeze_early=false"
        )
    return network


def _start(name: str) -> str | Path:
    """A built-in model's name as it is, a file wherever it lies."""
    return name if name in checkpoints.BUILT_IN else find(name)
