"""The refinement: linear until trained, exact when a projection is set, coarse to fine (SPEC Sec. 7.5)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rartrack.network.refinement import Refinement

CHANNELS = {3: 6, 4: 10, 5: 14}


@pytest.fixture
def features() -> dict[int, Tensor]:
    return {level: torch.randn(2, channels, 9, 9) for level, channels in CHANNELS.items()}


def projections(levels: tuple[int, ...]) -> dict[int, Tensor]:
    return {level: torch.randn(4, CHANNELS[level]) for level in levels}


def test_transcription_of_the_top_down_path(perturb, features):
    """s = block(lat_5), s = block(s + lat_4), s = block(s + lat_3), then the output."""
    refinement = perturb(Refinement(CHANNELS, 8, 4))
    w = refinement.state_dict()
    s = torch.zeros(2, 8, 9, 9)
    for level in (5, 4, 3):
        s = s + F.conv2d(features[level], w[f"laterals.{level}.weight"])
        inner = F.relu(F.conv2d(s, w[f"blocks.{level}.first.weight"], w[f"blocks.{level}.first.bias"], padding=1))
        s = s + F.conv2d(inner, w[f"blocks.{level}.last.weight"], w[f"blocks.{level}.last.bias"], padding=1)
    expected = F.conv2d(s, w["output.weight"], w["output.bias"])
    assert torch.allclose(refinement(features), expected, atol=1e-5)


def test_is_linear_and_place_by_place_until_trained(features):
    refinement = Refinement(CHANNELS, 8, 4)
    doubled = refinement({level: 2 * value for level, value in features.items()})
    assert torch.allclose(doubled, 2 * refinement(features), atol=1e-5)
    pixel = {level: value[..., 3:4, 5:6] for level, value in features.items()}
    assert torch.allclose(refinement(pixel), refinement(features)[..., 3:4, 5:6], atol=1e-6)


@pytest.mark.parametrize("levels", [(3, 4, 5), (4,), (3, 5), ()])
@pytest.mark.parametrize("width", [4, 8])
def test_set_projection_is_exact(perturb, features, levels, width):
    """Whatever the refinement was before, it computes sum_l W_l a_l, levels that are absent adding nothing."""
    refinement = perturb(Refinement(CHANNELS, width, 4))
    chosen = projections(levels)
    refinement.set_projection(chosen)
    expected = torch.zeros(2, 4, 9, 9)
    for level, weight in chosen.items():
        expected += torch.einsum("dc,bchw->bdhw", weight, features[level])
    assert torch.allclose(refinement(features), expected, atol=1e-5)


def test_means_are_taken_off_before_the_projection(perturb, features):
    refinement = perturb(Refinement(CHANNELS, 8, 4))
    chosen, mean = projections((3, 4)), torch.randn(CHANNELS[4])
    refinement.set_projection(chosen, {4: mean})
    expected = torch.einsum("dc,bchw->bdhw", chosen[3], features[3])
    expected += torch.einsum("dc,bchw->bdhw", chosen[4], features[4] - mean[:, None, None])
    assert torch.allclose(refinement(features), expected, atol=1e-5)


def test_a_level_without_projection_cannot_spoil_the_others(features):
    refinement = Refinement(CHANNELS, 8, 4)
    refinement.set_projection(projections((4,)))
    before = refinement(features)
    features[5] = 1e3 * torch.randn_like(features[5])
    assert torch.equal(refinement(features), before)


def test_it_can_still_learn_after_a_projection(features):
    """Levels at zero, blocks at the identity and spare channels: all of them leave their start in a few steps."""
    refinement = Refinement(CHANNELS, 8, 4)
    refinement.set_projection(projections((3, 4)))
    start = {name: value.clone() for name, value in refinement.state_dict().items()}
    for _ in range(3):
        refinement.zero_grad()
        refinement(features).square().mean().backward()
        with torch.no_grad():
            for parameter in refinement.parameters():
                parameter -= 1e-2 * parameter.grad
    assert [name for name, value in refinement.state_dict().items() if torch.equal(value, start[name])] == []


@pytest.mark.parametrize(
    ("width", "weights", "message"),
    [
        (3, {}, "3 channels cannot carry a projection to 4"),
        (8, {2: torch.zeros(4, 6)}, r"levels \[2\] are not tapped"),
        (8, {3: torch.zeros(4, 7)}, r"projection of level 3 is \(4, 7\), \(4, 6\) expected"),
    ],
)
def test_projections_that_do_not_fit(width, weights, message):
    with pytest.raises(ValueError, match=message):
        Refinement(CHANNELS, width, 4).set_projection(weights)
