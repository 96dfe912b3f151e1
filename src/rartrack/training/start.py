"""The weights a run starts from: a backbone's, a whole checkpoint's, or chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from rartrack import checkpoints
from rartrack.errors import InputError
from rartrack.network.box import BoxHead, resampled, widened
from rartrack.network.rar import RAR
from rartrack.network.weights import load_backbone_weights
from rartrack.training.config import TrainingConfig
from rartrack.training.files import find

_HEAD = "box."
_COMPARISON = "blocks.0.weight"
"""The one weight of the box head, and of the network, that depends on the number of a crop's cells."""


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
        found, expected = dict(checkpoints.load(checkpoint_of(config.start)).weights), network.state_dict()
        if network.box is not None:
            found |= _fitted_head(found, network.box)
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


def _fitted_head(found: Mapping[str, Tensor], head: BoxHead) -> dict[str, Tensor]:
    """The box head's weights among those found, for the cells and channels of this one, but for levels that it does not
    have; empty where it has fewer channels."""
    expected = head.state_dict()
    weights = {name.removeprefix(_HEAD): value for name, value in found.items() if name.startswith(_HEAD)}
    weights = {
        name: value
        for name, value in weights.items()
        if name in expected and (not name.startswith("laterals.") or value.shape[1:] == expected[name].shape[1:])
    }
    if _COMPARISON not in weights or len(weights[_COMPARISON]) > head.width:
        return {}
    weights[_COMPARISON] = resampled(weights[_COMPARISON], head.side)
    if len(weights[_COMPARISON]) < head.width:
        weights = widened(weights, head)
    return {_HEAD + name: value for name, value in weights.items()}


def checkpoint_of(name: str, data: str | Path | None = None) -> str | Path:
    """A built-in model's name as it is, a file wherever it lies (``data`` as of ``find``)."""
    return name if name in checkpoints.BUILT_IN else find(name, data)
