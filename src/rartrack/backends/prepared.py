"""From a checkpoint to the network that tracks: what torch runs, and what is exported for the others."""

from __future__ import annotations

from pathlib import Path

import torch

from rartrack.checkpoints import Checkpoint
from rartrack.errors import InputError
from rartrack.network.inference import prepare_for_inference
from rartrack.network.rar import RAR


def prepared_network(checkpoint: Checkpoint, model: str | Path, precision: torch.dtype = torch.float32) -> RAR:
    """The checkpoint's network, prepared for inference, on the CPU.

    Args:
        checkpoint: weights and settings.
        model: the checkpoint's name or path, for messages.
        precision: of the network's weights and maps.

    Raises:
        InputError: the weights are not those of the network that the settings describe.
    """
    network = RAR(checkpoint.config.network)
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{model}: the weights do not fit the checkpoint's own settings: {reason}") from None
    return prepare_for_inference(network, precision)
