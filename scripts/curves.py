"""Draw the loss curves of training runs that follow one another: SVG or PNG.

python scripts/curves.py runs/resnet50 runs/resnet50-more --output docs/models/rar-resnet50-training.svg
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    """Read the runs' tables, draw one panel a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()
    if missing := [path for run in options.runs if not (path := run / "validation.csv").is_file()]:
        sys.exit(f"{missing[0]}: not there; give folders of runs that have validated")
    count = len(options.runs)
    figure, panels = plt.subplots(1, count, figsize=(3 * count, 2.6), sharey=True, squeeze=False, layout="constrained")
    for panel, run in zip(panels[0], options.runs, strict=True):
        for table, style in (("training", "-"), ("validation", "o--")):
            steps, losses = columns(run / f"{table}.csv")
            panel.plot(steps, losses, style, label=table, markersize=4)
        panel.set(title=run.name, xlabel="step")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("loss a clip")
    panels[0][0].legend()
    figure.savefig(options.output, dpi=120, metadata={"Date": None} if options.output.suffix == ".svg" else None)


def columns(path: Path) -> tuple[list[int], list[float]]:
    """Steps and losses of a run's table."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if row.get("loss")]
    return [int(row["step"]) for row in rows], [float(row["loss"]) for row in rows]


if __name__ == "__main__":
    main()
