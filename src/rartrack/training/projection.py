"""Fit the refinement's starting projection over a frozen backbone: D linear channels that keep what discriminates.

The network before training is a linear projection of the backbone's levels (``Refinement.set_projection``). Principal
components keep what varies most; what the filter needs is what tells a target from its surroundings and survives to a
later frame. So the projection is chosen by the filter itself: Eq. 8's loss on clips, through the closed form, by AdamW.
The backbone's features are computed once a clip, and kept in the leading principal components of each level, which
makes the search cheap; the components then fold into the projection, so nothing of this remains in the network but the
mean of the projected features, which is taken off them: faded by the window, a constant is a bump in the middle of
every crop.

    python -m rartrack.training.projection CONFIG.yaml --output FILE.safetensors.xz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from rartrack import checkpoints
from rartrack.config import parse_settings
from rartrack.config_files import load_yaml
from rartrack.errors import InputError, one_line
from rartrack.filter.context import respond, solve_training
from rartrack.filter.fourier import gaussian_label
from rartrack.network.attention import LevelAttention
from rartrack.network.inference import prepare_for_inference
from rartrack.network.rar import RAR
from rartrack.network.weights import load_backbone_weights
from rartrack.outputs import check_output
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset
from rartrack.training.files import find
from rartrack.training.objective import label_sigma, search_label, squared_error

KEPT = {3: 96, 4: 160, 5: 160}
"""Principal components kept of each level while the projection is sought."""
_BASIS_CLIPS = 40
"""Clips whose exemplars give the principal components."""
_BATCH = 8


@dataclass(frozen=True)
class Cached:
    """Features of clips in principal components, and where the target is.

    Attributes:
        features: (N, T (1 + k) + 1, P, n, n) float16, the levels' components side by side.
        label: (N, 5), as of ``Batch``.
    """

    features: Tensor
    label: Tensor


def fit(
    config: TrainingConfig, network: RAR, clips: int, epochs: int, rate: float
) -> tuple[dict[int, Tensor], dict[int, Tensor], dict[str, Any]]:
    """Choose level -> W_l (D, C_l) for ``Refinement.set_projection``.

    Args:
        config: data, filter and geometry; ``config.seed`` fixes clips and order.
        network: tapped at the levels to project, with its backbone's weights loaded.
        clips: training clips; a quarter as many held-out ones measure the fit.
        epochs: passes over the clips; 0 leaves the principal components as they are.
        rate: AdamW's largest learning rate; it rises over a tenth of the steps and falls as a cosine.

    Returns:
        The projection; level -> mean features (C_l,); and what was measured: mean losses before (principal components)
        and after, on training and on held-out clips.
    """
    torch.manual_seed(config.seed)
    runner, levels = prepare_for_inference(network), network.backbone.levels
    train, held_out = ClipDataset(config), ClipDataset(config, "validation")
    train.prepare()
    held_out.prepare()
    bases, means = principal_components(runner, train, levels)
    data = remember(runner, train, bases, means, clips)
    check = remember(runner, held_out, bases, means, clips // 4)
    start = _start([bases[level].shape[1] for level in levels], data, config.model.network.feature_channels)
    measured = {"before": [_mean_loss(config, start, part) for part in (data, check)]}
    weight = start.clone().requires_grad_()
    steps = max(1, epochs * (clips // _BATCH))
    optimizer = torch.optim.AdamW([weight], rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    order = torch.Generator().manual_seed(config.seed)
    for epoch in range(epochs):
        for rows in torch.randperm(clips, generator=order)[: clips // _BATCH * _BATCH].reshape(-1, _BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(_loss(config, weight, data, rows).mean())
            torch.nn.utils.clip_grad_norm_([weight], 1.0)
            optimizer.step()
            schedule.step()
        measured["after"] = [_mean_loss(config, weight, part) for part in (data, check)]
        print(f"epoch {epoch + 1}: loss on training, held-out clips: {measured['after']}", file=sys.stderr, flush=True)
    edges = [0, *torch.tensor([bases[level].shape[1] for level in levels]).cumsum(0).tolist()]
    projection = {
        level: weight.detach()[:, low:high] @ bases[level].T
        for level, (low, high) in zip(levels, pairwise(edges), strict=True)
    }
    return projection, means, measured


@torch.inference_mode()
def principal_components(
    runner: RAR, clips: ClipDataset, levels: tuple[int, ...]
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Level -> (C_l, P) orthogonal columns, principal components of exemplars' features, and level -> means (C_l,).

    Each level's components are divided by the level's own size, so that no level outweighs another at the start.
    """
    sums: dict[int, Tensor] = {}
    means: dict[int, Tensor] = {}
    for index in range(_BASIS_CLIPS):
        for level, tap in runner.taps(Batch.stack([clips[index]]).crops[0, :1]).items():
            flat = tap.permute(0, 2, 3, 1).reshape(-1, tap.shape[1]).double()
            means[level] = means.get(level, 0) + flat.mean(0).float() / _BASIS_CLIPS
            flat = flat - flat.mean(0)
            sums[level] = sums.get(level, 0) + flat.T @ flat / (len(flat) * _BASIS_CLIPS)
    bases = {}
    for level in levels:
        values, vectors = torch.linalg.eigh(sums[level])
        kept = vectors.flip(1)[:, : KEPT[level]]
        bases[level] = (kept / values.sum().sqrt()).float()
    return bases, means


@torch.inference_mode()
def remember(
    runner: RAR, clips: ClipDataset, bases: Mapping[int, Tensor], means: Mapping[int, Tensor], count: int
) -> Cached:
    """Features of the first ``count`` clips, less their means."""
    features, labels = [], []
    for index in range(count):
        batch = Batch.stack([clips[index]])
        taps = runner.taps(batch.crops[0])
        kept = [
            torch.einsum("bchw,cp->bphw", taps[level] - means[level][:, None, None], basis)
            for level, basis in bases.items()
        ]
        features.append(torch.cat(kept, dim=1).half())
        labels.append(batch.label[0])
        if index % 50 == 49:
            print(f"{index + 1} of {count} clips read", file=sys.stderr, flush=True)
    return Cached(torch.stack(features), torch.stack(labels))


def _start(widths: list[int], data: Cached, channels: int) -> Tensor:
    """(D, P): the leading principal components over all levels together."""
    sample = data.features[: _BASIS_CLIPS * 2, 0].float().permute(0, 2, 3, 1).reshape(-1, sum(widths))
    sample = sample - sample.mean(0)
    _, vectors = torch.linalg.eigh((sample.T @ sample).double())
    leading: Tensor = vectors.flip(1)[:, :channels].T.float().contiguous()
    return leading


def _loss(config: TrainingConfig, weight: Tensor, data: Cached, rows: Tensor) -> Tensor:
    """Eq. 8 of the clips ``rows``, (len(rows),)."""
    features = torch.einsum("nbphw,dp->nbdhw", data.features[rows].float(), weight)
    crops = 1 + config.clip_model.filter.contexts
    templates = features[:, :-1].reshape(len(rows), -1, crops, *features.shape[2:])
    filtering, sigma = config.model.filter, label_sigma(config.model)
    cells = features.shape[-1]
    solved = solve_training(templates[:, :, 0], templates[:, :, 1:], gaussian_label(cells, sigma), filtering)
    response = respond(solved, features[:, -1:])[:, 0]
    return squared_error(response, search_label(cells, sigma, data.label[rows]))


@torch.no_grad()
def _mean_loss(config: TrainingConfig, weight: Tensor, data: Cached) -> float:
    rows = torch.chunk(torch.arange(len(data.label)), -(-len(data.label) // _BATCH))
    return round(float(torch.cat([_loss(config, weight, data, part) for part in rows]).mean()), 4)


def main(arguments: list[str] | None = None) -> None:
    """Fit, and write a checkpoint of the untrained network."""
    parser = argparse.ArgumentParser(description="Fit the starting projection of an untrained network.")
    parser.add_argument("config", type=Path, help="a training configuration; it names the backbone's weights")
    parser.add_argument("changes", metavar="KEY=VALUE", nargs="*", help="settings changed")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--levels", type=int, nargs="+", help="levels projected, all by default; others stay silent")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rate", type=float, default=3e-3)
    options = parser.parse_intermixed_args(arguments)
    check_output(options.output, overwrite=True)
    if options.clips < _BATCH:
        raise InputError(f"--clips {options.clips}: at least {_BATCH}")
    config = load_yaml(TrainingConfig, options.config, parse_settings(options.changes))
    if config.backbone is None:
        raise InputError(f"{options.config}: 'backbone' names no weights")
    weights = find(config.backbone)
    torch.manual_seed(config.seed)
    network = RAR(config.model.network)
    load_backbone_weights(network.backbone, weights)
    levels = tuple(options.levels or config.model.network.levels)
    tapped = RAR(replace(config.model.network, levels=levels))  # computes no deeper stage than it needs
    load_backbone_weights(tapped.backbone, weights)
    projection, means, measured = fit(config, tapped, options.clips, options.epochs, options.rate)
    gains = {int(level): cast(LevelAttention, part).neutral_gain() for level, part in network.attention.items()}
    attended = {level: cast(float, gains.get(level, 1.0)) * mean for level, mean in means.items()}
    network.refinement.set_projection(projection, attended)
    about = {
        "trained": "projection only",
        "backbone": weights.name,
        "levels": list(levels),
        "clips": options.clips,
        "epochs": options.epochs,
        "rate": options.rate,
        "seed": config.seed,
        "loss": measured,
    }
    print(checkpoints.save(options.output, checkpoints.Checkpoint(config.model, network.state_dict(), about)))


if __name__ == "__main__":
    with one_line():
        main()
