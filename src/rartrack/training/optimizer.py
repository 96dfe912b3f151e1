"""What each step changes, and by how much: parameter groups, rates, modes, the average of weights (SPEC Secs. 8, 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from rartrack.network.rar import RAR
from rartrack.training.config import OptimizationConfig

_BATCH_STATISTICS_FROM = 64
"""Crops in a batch from which its own statistics are steadier than the running ones (SPEC Sec. 9)."""

_WARM_UP_FROM = 0.1
"""Share of the rate that the warm-up begins with."""


def freeze(network: RAR, config: OptimizationConfig) -> None:
    """Switch off the gradients of what is not trained: conv1 and conv2_x, or the whole backbone where its rate is 0;
    the box head, or all but it."""
    network.requires_grad_(True)
    if config.freeze_early:
        network.freeze_early_stages()
    if config.backbone_rate == 0:
        network.backbone.requires_grad_(False)
    boxes = config.learns == "box"
    if boxes:
        network.requires_grad_(False)
    if network.box is not None:
        network.box.requires_grad_(boxes)


def set_modes(network: RAR, config: OptimizationConfig, crops: int) -> None:
    """Training mode, but batch norms use and keep their running statistics where they are frozen or crops are few.

    Args:
        crops: in one pass through the backbone.
    """
    own = config.batch_statistics == "batch"
    if config.batch_statistics == "auto":
        own = crops >= _BATCH_STATISTICS_FROM
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            trained = module.weight.requires_grad
            module.train(own and trained)


def build_optimizer(network: RAR, config: OptimizationConfig) -> torch.optim.Optimizer:
    """SGD or AdamW over what has gradients; each group carries its ``factor`` on the rate."""
    groups = parameter_groups(network, config)
    first = config.learning_rate[0]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=first, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=first)


def parameter_groups(network: RAR, config: OptimizationConfig) -> list[dict[str, object]]:
    """Groups by factor on the rate and by weight decay, which kernels have and vectors (biases, norms) have not."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        factor = 1.0
        if ".offset." in name:
            factor = config.offset_rate
        elif name.startswith("backbone."):
            factor = config.backbone_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((factor, decay), []).append(parameter)
    return [{"params": members, "factor": factor, "weight_decay": decay} for (factor, decay), members in groups.items()]


def rate(step: int, config: OptimizationConfig) -> float:
    """The learning rate of update ``step`` (from 0): log-spaced from first to last, under a linear warm-up."""
    first, last = config.learning_rate
    progress = step / max(1, config.steps - 1)
    value = math.exp((1 - progress) * math.log(first) + progress * math.log(last))
    if step < config.warm_up:
        value *= _WARM_UP_FROM + (1 - _WARM_UP_FROM) * step / config.warm_up
    return value


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Give every group its share of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = value * cast(float, group["factor"])


class Average:
    """Exponential average of a network's trained weights and of its statistics' latest values.

    Args:
        network: its present weights are the first average.
        decay: share kept at each update; less in the first updates, so that the start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after update ``step`` (from 0)."""
        kept = min(self.decay, (1 + step) / (10 + step))
        trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        for name, value in network.state_dict().items():
            if name in trained:
                self.tensors[name].lerp_(value, 1 - kept)
            else:
                self.tensors[name].copy_(value)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a stored average."""
        for name, value in tensors.items():
            self.tensors[name].copy_(value)
