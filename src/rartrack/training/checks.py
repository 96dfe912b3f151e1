"""What a run needs to be so before it begins: settings that fit each other, a precision the device has."""

from __future__ import annotations

from rartrack.errors import InputError
from rartrack.training.config import TrainingConfig


def check(config: TrainingConfig, world: int) -> None:
    """Refuse settings that cannot work together, before anything is read.

    Args:
        config: of the run.
        world: processes that train together.

    Raises:
        InputError: it names the setting.
    """
    settings = config.optimization
    share = world * settings.accumulation
    if settings.batch % share or settings.batch < share:
        raise InputError(
            f"optimization.batch: {settings.batch} clips cannot be shared by {world} processes "
            f"in {settings.accumulation} parts each; use a multiple of {share}"
        )
    if config.optimization.remembered and config.optimization.backbone_rate != 0:
        raise InputError("optimization.remembered: features can be kept of a frozen backbone only; set backbone_rate=0")
    if settings.learns == "box" and not (config.model.network.box_channels and settings.backbone_rate == 0):
        raise InputError(
            "optimization.learns: a box head learns over a network that stays as it is; "
            "set model.network.box_channels=64, optimization.backbone_rate=0"
        )
    if settings.teacher is not None and not (settings.learns == "box" and settings.remembered):
        raise InputError(
            "optimization.teacher: it teaches box heads, on clips that are remembered; set optimization.learns=box and "
            "optimization.remembered"
        )
    if config.model.tracking.scale_search == "box" and not config.model.network.box_channels:
        raise InputError(
            "model.tracking.scale_search: sizes by a box head, and the network has none; set "
            "model.network.box_channels=64, or use pyramid"
        )
    if config.model.tracking.shared_context:
        raise InputError("model.tracking.shared_context: clips are cut without it; leave it to tracking")
    if settings.learns == "box" and config.model.tracking.crop != "stretch":
        raise InputError("model.tracking.crop: the box head tells sides by windows of the target's aspect; use stretch")
