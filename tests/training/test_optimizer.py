"""What a step changes, and by how much."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn
from training_data import MODEL

from rartrack.config import NetworkConfig
from rartrack.network.rar import RAR
from rartrack.training.config import OptimizationConfig
from rartrack.training.optimizer import Average, build_optimizer, freeze, parameter_groups, rate, set_modes, set_rate

SETTINGS = OptimizationConfig(steps=1000, warm_up=100)
DEFORMABLE = replace(MODEL.network, deformable=("layer3.0",))


def made(config: NetworkConfig = DEFORMABLE, settings: OptimizationConfig = SETTINGS) -> RAR:
    network = RAR(config)
    freeze(network, settings)
    return network


def names_of(network: RAR, parameters: object) -> set[str]:
    wanted = {id(parameter) for parameter in parameters}  # type: ignore[attr-defined]
    return {name for name, parameter in network.named_parameters() if id(parameter) in wanted}


def test_conv1_and_conv2_are_frozen_and_everything_else_is_in_one_group() -> None:
    network = made()
    groups = parameter_groups(network, SETTINGS)
    grouped = [name for group in groups for name in names_of(network, group["params"])]
    frozen = set(network.frozen_parameters())
    assert frozen
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {name for name, _ in network.named_parameters()} - frozen


def test_rates_and_decay_by_kind() -> None:
    network = made()
    for group in parameter_groups(network, SETTINGS):
        for name in names_of(network, group["params"]):
            expected = 0.1 if name.startswith("backbone.") else 1.0
            assert group["factor"] == expected, name
            vector = network.get_parameter(name).ndim == 1
            assert group["weight_decay"] == (0 if vector else 5e-4), name


def test_a_backbone_rate_of_zero_freezes_all_of_it_but_what_is_frozen_is_not_decayed() -> None:
    network = made(settings=replace(SETTINGS, backbone_rate=0))
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    assert all(parameter.requires_grad for parameter in network.refinement.parameters())


def test_nothing_is_frozen_where_nothing_is_asked_to_be() -> None:
    network = made(settings=replace(SETTINGS, freeze_early=False, backbone_rate=1.0))
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("statistics", "crops", "own"),
    [("auto", 63, False), ("auto", 64, True), ("running", 96, False), ("batch", 6, True)],
)
def test_batch_norms_use_the_batch_where_it_is_large_and_never_in_frozen_stages(
    statistics: str, crops: int, own: bool
) -> None:
    settings = replace(SETTINGS, batch_statistics=statistics)  # type: ignore[arg-type]
    network = made(settings=settings)
    set_modes(network, settings, crops)
    assert network.training
    early = network.backbone.early
    for name, module in network.backbone.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.training == (own and name.partition(".")[0] not in early), name


def test_the_rate_falls_log_spaced_under_a_warm_up() -> None:
    first, last = SETTINGS.learning_rate
    rates = [rate(step, SETTINGS) for step in range(1000)]
    assert rates[0] == pytest.approx(first / 10)
    assert rates[999] == pytest.approx(last)
    assert max(rates) < first
    ratios = [b / a for a, b in pairwise(rates[100:])]
    assert max(ratios) - min(ratios) < 1e-9
    assert ratios[0] == pytest.approx((last / first) ** (1 / 999))


def test_groups_follow_the_rate_by_their_factor() -> None:
    optimizer = build_optimizer(made(), SETTINGS)
    set_rate(optimizer, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5, 0.05}
    assert isinstance(optimizer, torch.optim.SGD)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.9}


def test_the_average_forgets_its_start_and_follows_statistics_at_once() -> None:
    network = made()
    average = Average(network, 0.5)
    with torch.no_grad():
        network.refinement.output.bias.fill_(1.0)
        network.backbone.get_buffer("layer2.0.bn1.running_mean").fill_(7.0)
    average.update(network, 0)
    value = float(average.tensors["refinement.output.bias"][0])
    assert value == pytest.approx(0.9)  # 1 - 1 / 10 in the first update
    for step in range(1, 60):
        average.update(network, step)
    assert float(average.tensors["refinement.output.bias"][0]) == pytest.approx(1.0)
    assert float(average.tensors["backbone.layer2.0.bn1.running_mean"][0]) == 7.0
    assert network.refinement.output.bias[0].item() == 1.0
