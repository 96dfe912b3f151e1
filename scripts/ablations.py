"""The paper's ablations (Table 3) and two of our own: the same data, budget and seeds for each, by one command.

    python scripts/ablations.py configs/fast.yaml --data DIR --seeds 0,1 --output ablations optimization.steps=600

Each variant is CONFIG with its own switch changed, trained anew, then tracked on the videos held out from training (or
``--dataset``), the first ``--first`` frames of each. ``--output`` has ``SEED/VARIANT`` (runs),
``SET/results-SEED/VARIANT`` (raw results, which ``rartrack report --table table3`` reads too) and
``SET/ablations.csv``, where SET is ``held-out`` or the data set's name. Printed are means over seeds and sequences, and
each variant's paired difference from RAR with a bootstrap interval over sequences.

The same command goes on where it was stopped; what is there is not made again, so that with another ``--dataset`` it
tracks what it has trained. RAR_DSST is not trained: RAR's weights with the settings of ``configs/ablation-dsst.yaml``.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rartrack import checkpoints
from rartrack.cli import main as rartrack
from rartrack.cli.names import listed
from rartrack.config import flat, override, parse_settings
from rartrack.config_files import load_yaml, read_yaml
from rartrack.datasets import load_dataset
from rartrack.errors import one_line
from rartrack.evaluation.statistics import bootstrap, compare
from rartrack.training.config import TrainingConfig
from rartrack.training.split import matches

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

SWITCHES: dict[str, dict[str, Any]] = {
    "RAR": {},
    "RAR_NAA": {"model.network.attention": False},
    "RAR_NTA": {"model.network.inter_frame": False},
    "RAR_NCA": {"model.network.channel": False},
    "RAR_NSA": {"model.network.spatial": False},
    "RAR_NHF": {},
    "RAR_VGG": {
        "backbone": None,
        "model.network.backbone": "vggm",
        "model.network.deformable": [],
        "optimization.freeze_early": False,
        "optimization.backbone_rate": 1.0,
        "optimization.remembered": 0,
    },
    "RAR_DSST": {},
    "RAR_SHARED": {"model.filter.form": "shared"},
    "RAR_CONTEXTS": {},
}
"""Variant -> what it changes. RAR_NHF keeps the last level alone. RAR_SHARED has the filter with one denominator for
all channels; RAR_CONTEXTS has four contexts where CONFIG has none, and none where it has some. Both are trained
through."""

DEFAULT = [name for name in SWITCHES if name != "RAR_VGG"]
"""VGG-M's weights are not at hand: from chance, with the budget of the others, it says nothing of VGG."""


@one_line()
def main() -> None:
    """Train, track, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="settings changed in every variant")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of the videos, of which those held out are tracked")
    parser.add_argument("--dataset", help="track on this data set instead of the held-out videos")
    parser.add_argument("--variants", default=",".join(DEFAULT), help=f"default: {','.join(DEFAULT)}")
    parser.add_argument("--seeds", default="0", metavar="A,B")
    parser.add_argument("--first", type=int, default=80, metavar="N", help="frames of each sequence")
    parser.add_argument("--workers", type=int, default=1, help="processes that track")
    options = parser.parse_intermixed_args()
    ablate(options, parser)


def ablate(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Train, track and compare the variants asked for."""
    names = listed("--variants", options.variants)
    if unknown := [name for name in names if name not in SWITCHES]:
        sys.exit(f"--variants: unknown {', '.join(unknown)}; known are {', '.join(SWITCHES)}")
    where = options.dataset or str(options.data or parser.error("--data or --dataset is needed"))
    wanted = sequences(options, where)
    scores: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for seed in listed("--seeds", options.seeds):
        trained = {  # RAR_DSST last, for it has RAR's weights
            name: train(options, name, seed, options.output / seed / name)
            for name in sorted(names, key=lambda name: name == "RAR_DSST")
        }
        models = {name: trained[name] for name in names}
        for name, found in track(options, models, seed, where, wanted).items():
            scores[name].append(found)
    table(scores, tracked(options) / "ablations.csv")


def sequences(options: argparse.Namespace, where: str) -> list[str]:
    """Names of those that are tracked."""
    known = list(load_dataset(where).names)
    if options.dataset:
        return known
    held_out = load_yaml(TrainingConfig, options.config, parse_settings(options.changes)).data.held_out
    if not (found := [name for name in known if matches(name, held_out)]):
        sys.exit(f"{where}: none of its {len(known)} sequences is held out by data.held_out, {', '.join(held_out)}")
    return found


def tracked(options: argparse.Namespace) -> Path:
    """The folder of what comes of tracking a data set."""
    output: Path = options.output
    return output / (Path(options.dataset).name if options.dataset else "held-out")


def train(options: argparse.Namespace, name: str, seed: str, folder: Path) -> Path:
    """Train one variant, or take it as it is."""
    base = load_yaml(TrainingConfig, options.config, parse_settings(options.changes))
    changes = [f"seed={seed}", f"output={folder}"]
    if name == "RAR_DSST":
        return dsst(options.output / seed / "RAR" / "last.safetensors", folder)
    switches = dict(SWITCHES[name])
    if name == "RAR_NHF":
        switches["model.network.levels"] = [max(base.model.network.levels)]
    if name == "RAR_CONTEXTS":
        count = 0 if base.model.filter.contexts else 4
        switches |= {"model.filter.contexts": count, "data.contexts": count}
    changes += [
        f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}" for key, value in switches.items()
    ]
    print(f"{name}, seed {seed}", flush=True)
    if (status := rartrack(["train", str(options.config), *options.changes, *changes])) != 0:
        sys.exit(status)
    last, steps = folder / "last.safetensors", base.optimization.steps
    if not last.exists() or checkpoints.load(last).provenance["step"] < steps:
        sys.exit(f"{name}, seed {seed}: stopped before step {steps}; the same command goes on from there")
    return last


def dsst(source: Path, folder: Path) -> Path:
    """RAR's weights with DSST's settings."""
    path = folder / "last.safetensors"
    if not source.is_file():
        sys.exit(f"RAR_DSST needs RAR's weights, {source}; add RAR to --variants")
    if not path.exists():  # a file made anew would not be the same to the last byte, and its results made again
        settings = flat(read_yaml(CONFIGS / "ablation-dsst.yaml")["model"])
        checkpoint = checkpoints.load(source)
        config = override(checkpoint.config, {key: settings[key] for key in DSST_SETTINGS})
        folder.mkdir(parents=True, exist_ok=True)
        checkpoints.save(path, replace(checkpoint, config=config))
    return path


DSST_SETTINGS = (
    "filter.form",
    "filter.contexts",
    "filter.context_weight",
    "filter.regularization",
    "filter.label_sigma",
    "filter.learning_rate",
    "tracking.scale_search",
)


def track(
    options: argparse.Namespace, models: Mapping[str, Path], seed: str, where: str, wanted: list[str]
) -> dict[str, np.ndarray]:
    """AUC by sequence (S,) of every variant."""
    results, report = tracked(options) / f"results-{seed}", tracked(options) / f"report-{seed}"
    first = ["--first", str(options.first)]
    trackers = [word for name, path in models.items() for word in ("--tracker", f"{name}={path}")]
    chosen = ["--sequences", ",".join(wanted)]
    words = ["evaluate", "--dataset", where, "--output", str(results), "--workers", str(options.workers)]
    if (status := rartrack([*words, *trackers, *first, *chosen])) != 0:
        sys.exit(status)
    words = [
        "report",
        str(results),
        "--dataset",
        where,
        *first,
        "--partial",
        "--rules",
        "toolkit",
        "--output",
        str(report),
    ]
    if (status := rartrack(words)) != 0:
        sys.exit(status)
    with (report / "sequences.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "auc" and row["rules"] == "toolkit"]
    found = {(row["tracker"], row["sequence"]): float(row["value"]) for row in rows}
    scored = sorted({sequence for _, sequence in found})
    return {name: np.array([found[name, sequence] for sequence in scored]) for name in models}


def table(scores: Mapping[str, list[np.ndarray]], path: Path) -> None:
    """Print and keep means over seeds and sequences, and differences from RAR."""
    means = {name: np.mean(values, axis=0) for name, values in scores.items()}
    columns = ("variant", "seeds", "sequences", "auc", "low", "high", "difference", "from", "to", "p")
    rows: list[list[str]] = []
    for name, values in means.items():
        interval = bootstrap(values)
        row: list[Any] = [name, len(scores[name]), len(values), values.mean(), interval.low, interval.high]
        if "RAR" in means and name != "RAR":
            against = compare(values, means["RAR"])
            row += [against.difference, against.interval.low, against.interval.high, against.p_value]
        rows.append([f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((columns, *rows))
    for line in (columns, *rows):
        print("".join(f"{cell:>14s}" for cell in line))


if __name__ == "__main__":
    main()
