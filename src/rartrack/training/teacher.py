"""A trained model whose box head another one follows: what it says of a clip, in the other's cells.

The teacher sees the same clip in crops of its own size: clips depend on the seed and their number alone.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from rartrack import checkpoints
from rartrack.errors import InputError
from rartrack.network.backbone import cells
from rartrack.network.inference import pick_precision
from rartrack.network.rar import RAR
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import ClipDataset
from rartrack.training.objective import SPREAD, BoxLoss
from rartrack.training.start import checkpoint_of

_ENDS = 3
"""Standard deviations after which a Gaussian is cut off."""


class Teacher:
    """The model that ``optimization.teacher`` names.

    Args:
        config: of the run that it teaches.
        device: it computes there.

    Attributes:
        clips: the run's clips, as the teacher sees them.
        fingerprint: of its file.

    Raises:
        InputError: its file is missing or damaged, it has no box head, its windows are others, or it sees fewer pixels
            than the one that it teaches.
    """

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        name = config.optimization.teacher
        assert name is not None
        path = checkpoint_of(name)
        found = checkpoints.load(path)
        network, tracking = found.config.network, config.model.tracking
        if not network.box_channels:
            raise InputError(f"optimization.teacher: {name} has no box head to learn from")
        if (found.config.tracking.padding, found.config.tracking.crop) != (tracking.padding, tracking.crop):
            raise InputError(
                f"optimization.teacher: {name} sees other windows; use a model of the run's tracking.padding and crop"
            )
        if network.input_size < config.model.network.input_size:
            raise InputError(f"optimization.teacher: {name} sees fewer pixels than the run's model.network.input_size")
        sizes = replace(config.model.network, input_size=network.input_size)
        self.clips = ClipDataset(replace(config, model=replace(config.model, network=sizes)))
        self.fingerprint = checkpoints.fingerprint(path)
        model = RAR(network)
        model.load_state_dict(found.weights)
        model.to(device).eval().requires_grad_(False)
        self._measure = BoxLoss(model, replace(config.clip_model, network=network), pick_precision("auto", device))
        self._finer = network.input_size / config.model.network.input_size
        self._side = cells(config.model.network.input_size)

    @torch.no_grad()
    def maps(self, crops: Tensor) -> Tensor:
        """What it says of N search crops.

        Args:
            crops: (N, T (1 + k) + 1, 3, S, S) uint8, of its own ``clips``.

        Returns:
            (N, 5, n, n) float32 on the host, in the run's n x n cells: boxes as of ``BoxLoss.maps`` and, where that has
            log-odds, the probability that the target's centre is there, spread as widely as the run's labels are.
        """
        maps = self._measure.maps(self._measure.taps(crops.to(self._measure.network.device))).float()
        maps = torch.cat([maps[:, :4], spread(maps[:, 4:].sigmoid(), self._finer)], 1)
        return at_cells(maps, self._finer, self._side).cpu()


def spread(likely: Tensor, finer: float) -> Tensor:
    """Probabilities whose peaks are Gaussians of a deviation of a cell, as wide as on cells ``finer`` times as large.

    Args:
        likely: (N, 1, n, n).
        finer: 1 or more.

    Returns:
        (N, 1, n, n), of the same height.
    """
    deviation = SPREAD * math.sqrt(max(finer**2 - 1, 0))
    if not deviation:
        return likely
    reach = math.ceil(_ENDS * deviation)
    line = torch.arange(-reach, reach + 1, device=likely.device, dtype=likely.dtype)
    kernel = torch.exp(-0.5 * (line / deviation) ** 2)
    kernel = kernel / kernel.sum()
    rows = F.conv2d(likely, kernel[None, None, :, None], padding=(reach, 0))
    return (finer**2 * F.conv2d(rows, kernel[None, None, None], padding=(0, reach))).clamp(max=1)


def at_cells(maps: Tensor, finer: float, side: int) -> Tensor:
    """Maps (N, C, n, n) at the places of ``side`` x ``side`` cells that are ``finer`` times as large, bilinear."""
    half = (maps.shape[-1] - 1) / 2
    line = (torch.arange(side, device=maps.device, dtype=maps.dtype) - side // 2) * finer / half
    y, x = torch.meshgrid(line, line, indexing="ij")
    grid = torch.stack([x, y], -1).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=True)
