"""The mean of trained checkpoints of one network, weight by weight (Wortsman et al., "Model soups", ICML 2022).

    python scripts/mean.py rar-fast runs/fast-box-coarse/last.safetensors --output runs/mean.safetensors

Of a head that went on from the other's weights the mean lies between both: less of what was learned last, less of what
was forgotten. Settings and provenance are the last one's.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from rartrack import checkpoints
from rartrack.errors import InputError, one_line


@one_line()
def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="NAME|PATH")
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()
    found = [checkpoints.load(name) for name in options.checkpoints]
    for name, other in zip(options.checkpoints, found, strict=True):
        if other.config.network != found[-1].config.network:
            raise InputError(f"{name}: another network than {options.checkpoints[-1]}'s")
    about = {**found[-1].provenance, "mean_of": [Path(name).name for name in options.checkpoints]}
    checkpoints.save(options.output, replace(found[-1], weights=mean(found), provenance=about))


def mean(found: list[checkpoints.Checkpoint]) -> dict[str, torch.Tensor]:
    """Each weight's mean, in the precision of the last; what all have alike stays as it is, to the bit."""
    weights = {}
    for name, last in found[-1].weights.items():
        every = [checkpoint.weights[name] for checkpoint in found]
        same = all(torch.equal(each, last) for each in every) or not last.is_floating_point()
        weights[name] = last if same else torch.stack([each.float() for each in every]).mean(0).to(last.dtype)
    return weights


if __name__ == "__main__":
    main()
