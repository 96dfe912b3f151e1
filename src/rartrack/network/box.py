"""The box head: where the target that was first given may be, how large it is, and in what shape.

Not in the paper, whose tracker tells sizes by searching several scales and never changes a box's aspect. The head
compares a search crop with the crop that the target was given in: features of every cell are correlated with those of
the template's middle cell by cell (pixelwise correlation; Yan et al., Alpha-Refine, 2021), and convolutions turn
similarities and features into a box and a classification for every cell (Tian et al., FCOS, 2019). It reads the
backbone's levels and leaves what the filter sees as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rartrack.errors import InputError
from rartrack.network.memory import OWN, RECENT, TEMPLATE

OWN_SHAPE = (4, 1, 1)
"""Of ``own_box``, without the batch."""

_BLOCKS = 4
"""3x3 convolutions: each cell sees four cells around it, and the target has a little over five (see ``_REACH``)."""

_REACH = 15
"""Cells a side up to which the convolutions are dense; on twice as many they are dilated twice."""

_DROPPED = 0.1
"""Share of the maps that are left out at random in training: without, the loss on held-out clips is higher."""

_UNLIKELY = -4.0
"""Log-odds of every cell before training."""


class BoxHead(nn.Module):
    """Level -> phi_l (B, C_l, n, n) and the template's features to a box for each cell.

    Args:
        channels: level -> C_l.
        width: W, channels of the head.
        cells: n.

    Raises:
        InputError: n is even.
    """

    def __init__(self, channels: Mapping[int, int], width: int, cells: int) -> None:
        super().__init__()
        if cells % 2 == 0:
            raise InputError(
                f"network.input_size: a box head reads a middle cell, and {cells} x {cells} have none; "
                "take 16 i + 15 pixels, such as 127 or 255"
            )
        self.width = width
        self.side = cells // 2 | 1
        """m, cells a side of the template's middle that is compared: the target and a little around it."""
        self.laterals = nn.ModuleDict({str(level): nn.Conv2d(count, width, 1) for level, count in channels.items()})
        self.neck = nn.Conv2d(width, width, 3, padding=1)
        reach = max(1, cells // _REACH)
        enter = [width + self.side**2, *[width] * (_BLOCKS - 1)]
        self.blocks = nn.ModuleList(nn.Conv2d(c, width, 3, padding=reach, dilation=reach) for c in enter)
        self.output = nn.Conv2d(width, 5, 1)
        for block in self.blocks:
            nn.init.kaiming_normal_(cast(nn.Conv2d, block).weight, nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, cast(nn.Conv2d, block).bias))
        # Until it is trained no box changes, and no cell is likely.
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(cast(Tensor, self.output.bias))
        with torch.no_grad():
            cast(Tensor, self.output.bias)[4] = _UNLIKELY

    def features(self, taps: Mapping[int, Tensor]) -> Tensor:
        """Level -> (B, C_l, n, n) to (B, W, n, n)."""
        laterals = [cast(Tensor, self.laterals[str(level)](tap)) for level, tap in sorted(taps.items())]
        return cast(Tensor, self.neck(F.relu(torch.stack(laterals).sum(0))))

    def given(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Of the first crop's features (B, W, n, n) what is kept: template (B, W, m, m), own box (B, 4, 1, 1)."""
        template = self.middle(features)
        return template, own_box(self.compared(features, template))

    def memory_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of what is kept of crops: name, as in ``Memory.tensors``, to shape without the batch."""
        view = (self.width, self.side, self.side)
        return {TEMPLATE: view, RECENT: view, OWN: OWN_SHAPE}

    def middle(self, features: Tensor) -> Tensor:
        """Of features (B, W, n, n) the part that is compared, (B, W, m, m)."""
        start = (features.shape[-1] - self.side) // 2
        return features[:, :, start : start + self.side, start : start + self.side].contiguous()

    def forward(self, features: Tensor, template: Tensor, recent: Tensor) -> Tensor:
        """What is seen from each cell: boxes by the first template, log-odds by the one that is more likely.

        What looks like neither the first nor what was learned last is not the target; the first alone is soon unlike a
        target that turns around.

        Args:
            features: of B search crops, (B, W, n, n), see ``features``.
            template: (B, W, m, m), of the crops that the target was given in.
            recent: (B, W, m, m), of the crops that were learned last.

        Returns:
            as ``compared``.
        """
        # As one batch: on maps this small calls cost as much as what they compute.
        both = self.compared(torch.cat([features, features]), torch.cat([template, recent]))
        maps, again = both.reshape(2, -1, *both.shape[1:])
        return torch.cat([maps[:, :4], torch.maximum(maps[:, 4:], again[:, 4:])], 1)

    def compared(self, features: Tensor, template: Tensor) -> Tensor:
        """What is seen from each cell, by one template.

        Args:
            features: of B search crops, (B, W, n, n), see ``features``.
            template: (B, W, m, m), see ``middle``.

        Returns:
            (B, 5, n, n) float32: from the cell to the box's centre, x and y in sizes the target would have if it fitted
            the crop's window; the logarithms of its width and height relative to that size; and the log-odds that the
            target's centre is in the cell. Boxes are to be taken relative to what is seen in the template's own crop
            (``own_box``).
        """
        count, width, n, _ = features.shape
        kernel = template.to(features.dtype).flatten(2).transpose(1, 2)
        similar = (kernel @ features.flatten(2)).reshape(count, -1, n, n) / width
        running = F.dropout2d(torch.cat([features, similar], dim=1), _DROPPED, self.training)
        for block in self.blocks:
            running = F.relu(block(running), inplace=True)
        return cast(Tensor, self.output(running)).float()


def resampled(weight: Tensor, side: int) -> Tensor:
    """``blocks.0``'s weight for crops of another number of cells: what it makes of a similarity, place by place.

    Args:
        weight: (W, W + s^2, 3, 3), of a head that compares s x s cells of the template.
        side: m of the head to come.

    Returns:
        (W, W + m^2, 3, 3): bilinear between the places that were compared, and less in proportion as they are more.
    """
    width = len(weight)
    own, places = weight[:, :width], weight[:, width:]
    before = round(places.shape[1] ** 0.5)
    maps = places.permute(0, 2, 3, 1).reshape(-1, 1, before, before)
    maps = F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=True) * (before / side) ** 2
    places = maps.reshape(width, *weight.shape[2:], side**2).permute(0, 3, 1, 2)
    return torch.cat([own, places], 1).contiguous()


def widened(weights: Mapping[str, Tensor], head: BoxHead) -> dict[str, Tensor]:
    """A head of fewer channels as one of more, which says the same: what is new is not asked for until it has learned
    (Chen et al., Net2Net, 2016).

    Args:
        weights: of a head that compares as many cells of the template and has w channels, W or fewer; levels may lack.
        head: as it is before training, of W channels; not changed.
    """
    fewer, more = len(weights["neck.bias"]), head.width
    wide = {name: value.clone() for name, value in head.state_dict().items() if name in weights}
    for name, value in weights.items():
        here, known = wide[name], slice(0, len(value))
        if name.startswith("neck."):  # nothing new is compared at first
            here.zero_()
        if value.dim() == 1 or name.startswith("laterals."):
            here[known] = value
            continue
        here[known] = 0
        here[known, :fewer] = value[:, :fewer]
        # Similarities come after the features, divided by the channels.
        here[known, more:] = value[:, fewer:] * (more / fewer)
    return wide


def own_box(maps: Tensor) -> Tensor:
    """What the maps (B, 5, n, n) of the crop that the target was given in say of its box, (B, 4, 1, 1).

    The given box itself, so anything else is the head's error: it sees the whole where the box is around a part, say.
    Taken off what it says of later crops, a box that has not changed is left as it is.
    """
    return boxes_at(maps[:, :4], maps.new_zeros(len(maps), 2))[:, :, None, None]


def boxes_at(boxes: Tensor, shift: Tensor) -> Tensor:
    """What the maps say at places between cells.

    Args:
        boxes: (B, 4, n, n), see ``BoxHead``.
        shift: (B, 2), x and y in cells from the middle; places beyond the outermost cells count as on them.

    Returns:
        (B, 4) float32, bilinear between the four cells around.
    """
    half = (boxes.shape[-1] - 1) / 2
    grid = (shift.to(boxes) / half)[:, None, None]
    return F.grid_sample(boxes, grid, padding_mode="border", align_corners=True)[:, :, 0, 0]
