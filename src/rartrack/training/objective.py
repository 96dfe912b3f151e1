"""From a batch of clips to each clip's loss: of the filter's response (Eq. 8; SPEC Sec. 9), or of the boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rartrack.config import ModelConfig
from rartrack.filter.context import respond, solve_training
from rartrack.filter.fourier import gaussian_label, subcell_peak
from rartrack.network.base import cells, target_cells
from rartrack.network.box import BoxHead, boxes_at
from rartrack.network.inference import frozen_taps
from rartrack.network.rar import RAR
from rartrack.training.config import TrainingConfig

_HIT = 1.0
"""Cells within which a peak counts as found."""

_GOOD = 0.75
"""Overlap from which a box counts as found."""

_BOX = [0, 1, 3, 4]
"""Where in a label the target's centre and size are."""

SPREAD, _WIDEST = 1.0, 3.0
"""Standard deviation in cells of the weight of boxes seen from off the centre, and how many of them count: the filter's
peak lies within a cell as a rule. Of the Gaussian that says how likely the target is in a cell, too."""

_OF_CLASSIFICATION = 0.1
"""Weight of the classification's loss, a sum over hundreds of cells, beside that of the boxes."""

_STEEPEST = 2.0
"""Largest logarithm of a side that the loss tells from others."""

_LEAST = 1e-4
"""Least probability that a teacher is believed."""

_BETA = 0.05
"""Where the Huber loss turns from square to linear: a twentieth of a size."""


class _Loss(nn.Module):
    """The network as a function of clips; what is trained, and what processes share.

    Args:
        network: trained in place.
        config: the filter's settings and the crops' geometry.
        precision: of a backbone that is wholly frozen; it then runs as it would for tracking.
    """

    def __init__(self, network: RAR, config: ModelConfig, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        learns = any(parameter.requires_grad for parameter in network.backbone.parameters())
        self._taps = network.taps if learns else frozen_taps(network, precision)
        self.network = network
        self.config = config
        self.cells = cells(config.network.input_size)

    def forward(
        self,
        inputs: Tensor | Mapping[int, Tensor],
        label: Tensor,
        taught: Tensor | None = None,
        other: Tensor | None = None,
    ) -> Tensor:
        """Losses (N,) float32 of N clips.

        Args:
            inputs: (N, T (1 + k) + 1, 3, S, S) RGB in 0..255, as ``Batch.crops``; or their features by level,
                (N, T (1 + k) + 1, C_l, n, n), where they are remembered.
            label: (N, 5), as of ``Batch``.
            taught: (N, 5, n, n), what a teacher says of the search crops, see ``rartrack.training.teacher``.
            other: (N,) bool, see ``follows_another``; None: all.
        """
        return self.losses(self.taps(inputs) if isinstance(inputs, Tensor) else inputs, label, taught, other)

    def losses(
        self,
        taps: Mapping[int, Tensor],
        label: Tensor,
        taught: Tensor | None = None,
        other: Tensor | None = None,
    ) -> Tensor:
        """Losses (N,) float32 from features by level."""
        raise NotImplementedError

    def judge(self, taps: Mapping[int, Tensor], label: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (N,), and which clips (N,) are hits."""
        raise NotImplementedError

    def taps(self, crops: Tensor) -> dict[int, Tensor]:
        """Level -> (N, T (1 + k) + 1, C_l, n, n): all crops of all clips pass the backbone together."""
        clips, count = crops.shape[:2]
        taps = self._taps(crops.flatten(0, 1))
        return {level: tap.reshape(clips, count, *tap.shape[1:]) for level, tap in taps.items()}

    def _as_learned(self, taps: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Features in the precision that the rest of the network computes in."""
        device = next(iter(taps.values())).device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.network.dtype
        return {level: tap.to(dtype) for level, tap in taps.items()}


class ClipLoss(_Loss):
    """Loss of the filter's response (Eq. 8). A hit: the peak lies within a cell of the target's centre."""

    def __init__(self, network: RAR, config: ModelConfig, precision: torch.dtype = torch.float32) -> None:
        super().__init__(network, config, precision)
        self.sigma = label_sigma(config)

    def losses(
        self,
        taps: Mapping[int, Tensor],
        label: Tensor,
        taught: Tensor | None = None,  # noqa: ARG002
        other: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """See the base class; teachers teach box heads alone, and other clips are nothing to the filter."""
        return squared_error(self.respond(taps), search_label(self.cells, self.sigma, label))

    def judge(self, taps: Mapping[int, Tensor], label: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class."""
        response = self.respond(taps)
        near = torch.linalg.vector_norm(subcell_peak(response)[1] - label[:, :2], dim=-1) <= _HIT
        return squared_error(response, search_label(self.cells, self.sigma, label)), near

    def respond(self, taps: Mapping[int, Tensor]) -> Tensor:
        """Responses g (N, n, n) float32 in the search crops of filters solved on the exemplars (Eqs. 5 to 7)."""
        taps = self._as_learned(taps)
        any_level = next(iter(taps.values()))
        clips, count = any_level.shape[:2]
        around = 1 + self.config.filter.contexts
        exemplars = (count - 1) // around
        memory = self.network.initial_memory(clips, any_level.device)
        templates, contexts = [], []
        for t in range(exemplars):
            part = {level: tap[:, t * around : (t + 1) * around].flatten(0, 1) for level, tap in taps.items()}
            features, after = self.network.attend(part, memory.repeat(around))
            features = features.reshape(clips, around, *features.shape[1:])
            templates.append(features[:, 0])
            contexts.append(features[:, 1:])
            # Only the template's memory goes on; its contexts read the same and leave nothing (SPEC Sec. 7, ii).
            memory = after[::around]
        search, _ = self.network.attend({level: tap[:, -1] for level, tap in taps.items()}, memory)
        label = gaussian_label(self.cells, self.sigma).to(any_level.device)
        filter = solve_training(torch.stack(templates, 1), torch.stack(contexts, 1), label, self.config.filter)
        return respond(filter, search[:, None])[:, 0]


class BoxLoss(_Loss):
    """Loss of what the box head says: of the boxes seen from the cells around the target's centre, and of where it is.

    Of boxes nearer cells weigh more; a cell's loss is 1 - GIoU (Rezatofighi et al. 2019) plus the Huber losses of the
    box's centre, in sizes of a target that fits the window, and of the logarithms of its sides. The classification's is
    the Kullback-Leibler divergence from a Gaussian around the centre, summed over the cells; and of 0 everywhere for
    the template of the clip before in the batch, where that is of another target. A hit: the box seen from the centre
    overlaps the target's by ``_GOOD``. The template is the clip's first crop.

    Where a teacher is followed, its boxes and its classification are targets besides, in the same cells and by the same
    Huber loss, twice as heavy, and divergence (Hinton et al. 2015; Chen et al., Learning Efficient Object Detection
    Models with Knowledge Distillation, 2017).

    Args:
        network, config, precision: as of the base class.
        teacher_weight: of the loss of what departs from the teacher.
    """

    def __init__(
        self,
        network: RAR,
        config: ModelConfig,
        precision: torch.dtype = torch.float32,
        teacher_weight: float = 1.0,
    ) -> None:
        super().__init__(network, config, precision)
        self.teacher_weight = teacher_weight

    def losses(
        self,
        taps: Mapping[int, Tensor],
        label: Tensor,
        taught: Tensor | None = None,
        other: Tensor | None = None,
    ) -> Tensor:
        """See the base class."""
        boxes, likely, others = self._maps(taps)
        losses = self._losses(boxes, likely, others, label, other)
        if taught is not None:
            losses = losses + self.teacher_weight * self._following(boxes, likely, taught, label)
        return losses

    def judge(self, taps: Mapping[int, Tensor], label: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class."""
        boxes, likely, others = self._maps(taps)
        centre = label[:, :2]
        seen = self._in_cells(boxes_at(boxes, centre), centre)
        return self._losses(boxes, likely, others, label), _overlap(seen, label[:, _BOX])[0] >= _GOOD

    def maps(self, taps: Mapping[int, Tensor]) -> Tensor:
        """What the head says of the search crops by their own templates, (N, 5, n, n), as ``BoxHead.compared`` but with
        boxes relative to what is seen in the template's own crop."""
        boxes, likely = self._own(*self._features(taps))
        return torch.cat([boxes, likely[:, None]], 1)

    def _maps(self, taps: Mapping[int, Tensor]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Boxes (N, 4, n, n) and log-odds (N, n, n) of the search crops by their own templates, and the log-odds by
        those of other clips; see ``rartrack.network.box``."""
        first, search = self._features(taps)
        boxes, likely = self._own(first, search)
        if len(search) == 1:
            return boxes, likely, None
        return boxes, likely, self._head.compared(search, self._head.middle(first).roll(1, 0))[:, 4]

    def _features(self, taps: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
        """The head's features (N, W, n, n) of the first crops and of the search crops."""
        taps = self._as_learned(taps)
        first, search = (self._head.features({level: tap[:, t] for level, tap in taps.items()}) for t in (0, -1))
        return first, search

    def _own(self, first: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        template, own = self._head.given(first)
        maps = self._head.compared(search, template)
        return maps[:, :4] - own, maps[:, 4]

    @property
    def _head(self) -> BoxHead:
        head = self.network.box
        assert head is not None
        return head

    def _losses(
        self, boxes: Tensor, likely: Tensor, others: Tensor | None, label: Tensor, other: Tensor | None = None
    ) -> Tensor:
        places, near, weight = self._around(label)
        seen = self._in_cells(boxes.flatten(2).transpose(1, 2), places)
        true = label[:, None, _BOX].expand_as(seen)
        each = 1 - _overlap(seen, true)[1] + 2 * _huber(self._compared(seen), self._compared(true))
        wrong = _divergence(likely.flatten(1), near)
        if others is not None:
            nowhere = _divergence(others.flatten(1), torch.zeros_like(near))
            wrong = wrong + (nowhere if other is None else nowhere * other)
        return _mean(each, weight) + _OF_CLASSIFICATION * wrong

    def _following(self, boxes: Tensor, likely: Tensor, taught: Tensor, label: Tensor) -> Tensor:
        """Loss (N,) of what departs from the teacher's boxes and probabilities."""
        _, _, weight = self._around(label)
        theirs = taught[:, 4].flatten(1).clamp(_LEAST, 1 - _LEAST)
        off = 4 * _huber(*(maps.flatten(2).transpose(1, 2) for maps in (boxes, taught[:, :4])))
        return _mean(off, weight) + _OF_CLASSIFICATION * _divergence(likely.flatten(1), theirs)

    def _around(self, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places (n n, 2) of the cells; how likely the target is there, and how much its box counts, (N, n n) each."""
        line = torch.arange(self.cells, device=label.device, dtype=torch.float32) - self.cells // 2
        y, x = torch.meshgrid(line, line, indexing="ij")
        places = torch.stack([x.flatten(), y.flatten()], 1)
        distance = (places - label[:, None, :2]).square().sum(-1)
        near = torch.exp(-0.5 * distance / SPREAD**2)
        return places, near, near * (distance < (_WIDEST * SPREAD) ** 2)

    @property
    def _fitting(self) -> float:
        """Cells a side of a target that fits the window."""
        return target_cells(self.config)

    def _in_cells(self, boxes: Tensor, places: Tensor) -> Tensor:
        """What the head says (..., 4) at places (..., 2) in cells, as centres and sizes (..., 4) in cells."""
        centre = places + boxes[..., :2] * self._fitting
        return torch.cat([centre, self._fitting * boxes[..., 2:].clamp(-_STEEPEST, _STEEPEST).exp()], -1)

    def _compared(self, boxes: Tensor) -> Tensor:
        """Centres in fitting sizes and logarithms of sides (..., 4) of boxes (..., 4) in cells."""
        return torch.cat([boxes[..., :2] / self._fitting, boxes[..., 2:].log()], -1)


def _huber(found: Tensor, wanted: Tensor) -> Tensor:
    """(...,) mean Huber loss of (..., 4)."""
    return F.smooth_l1_loss(found, wanted, beta=_BETA, reduction="none").mean(-1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted means (N,) of (N, M)."""
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1e-6)


def _divergence(odds: Tensor, likely: Tensor) -> Tensor:
    """Kullback-Leibler divergence (N,) of what log-odds (N, M) say from probabilities (N, M), summed."""
    # Not F.binary_cross_entropy, which autocast on a GPU refuses.
    most = torch.special.xlogy(likely, likely) + torch.special.xlogy(1 - likely, 1 - likely)
    divergence: Tensor = F.binary_cross_entropy_with_logits(odds, likely, reduction="none") + most
    return divergence.sum(1)


def _overlap(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (...,) of boxes (..., 4) given by centre and size."""
    low, high = one[..., :2] - one[..., 2:] / 2, one[..., :2] + one[..., 2:] / 2
    other_low, other_high = other[..., :2] - other[..., 2:] / 2, other[..., :2] + other[..., 2:] / 2
    common = (torch.minimum(high, other_high) - torch.maximum(low, other_low)).clamp(min=0).prod(-1)
    union = one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - common
    hull = (torch.maximum(high, other_high) - torch.minimum(low, other_low)).prod(-1)
    overlap = common / union
    return overlap, overlap - (hull - union) / hull


def objective(network: RAR, config: TrainingConfig, precision: torch.dtype = torch.float32) -> ClipLoss | BoxLoss:
    """The loss of what ``optimization.learns``."""
    if config.optimization.learns == "box":
        return BoxLoss(network, config.clip_model, precision, config.optimization.teacher_weight)
    return ClipLoss(network, config.clip_model, precision)


def follows_another(names: Sequence[str]) -> Tensor:
    """Which of a batch's clips (N,), by their names, follow a clip of another target; the first follows the last."""
    targets = [name.rpartition(":")[0] for name in names]
    return torch.tensor([target != targets[row - 1] for row, target in enumerate(targets)])


def label_sigma(config: ModelConfig) -> float:
    """Standard deviation of the label in cells: its share of the target's size in a crop."""
    return config.filter.label_sigma * target_cells(config)


def search_label(cells: int, sigma: float, label: Tensor) -> Tensor:
    """Labels (N, n, n) of search crops.

    Args:
        cells: n.
        sigma: see ``label_sigma``.
        label: (N, 3 or more), x, y in cells, and height, as of ``Batch``.
    """
    return gaussian_label(cells, sigma, label[:, :2]) * label[:, 2, None, None]


def squared_error(response: Tensor, label: Tensor) -> Tensor:
    """Eq. 8: the sum over cells of (g - y)^2, (N,) from (N, n, n)."""
    return (response - label).square().sum((1, 2))
