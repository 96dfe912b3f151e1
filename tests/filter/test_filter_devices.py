"""Every tensor the filter makes is made where its arguments are; the device without storage refuses any other."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from rartrack.config import FilterConfig
from rartrack.filter.context import blend, learn, respond, solve, solve_training
from rartrack.filter.fourier import displacement_window, gaussian_label, hann_window
from rartrack.filter.scale import ScaleConfig, best_scale, learn_scale, respond_scale


def empty(*shape: int) -> Tensor:
    return torch.empty(*shape, device="meta")


@pytest.mark.parametrize("form", ["exact", "shared"])
def test_contextual_filter(form: Literal["exact", "shared"]) -> None:
    config = FilterConfig(form=form)
    template, around, label = empty(2, 3, 9, 9), empty(2, 4, 3, 9, 9), gaussian_label(9, 1.0, empty(2, 2))
    statistics = learn(template, around, label, config)
    statistics = blend(blend(statistics, statistics, 0.1), statistics, empty(2))
    response = respond(solve(statistics, config), template[:, None])
    trained = solve_training(template[:, None], around[:, None], label, config, torch.ones(1))
    made = [response, trained, hann_window(9, device="meta"), displacement_window(9, device="meta")]
    assert {tensor.device.type for tensor in made} == {"meta"}


def test_scale_filter() -> None:
    config = ScaleConfig()
    statistics = learn_scale(empty(2, 33, 5), config)
    factor = best_scale(respond_scale(statistics, empty(2, 33, 5), config), config)
    assert factor.device.type == "meta"
