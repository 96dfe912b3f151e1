"""Make a trained checkpoint a built-in model: its tracking settings, its provenance, its file in the package.

    python scripts/ship.py runs/fast/last.safetensors rar-fast --licence "BSD-3-Clause (backbone), Apache-2.0" \
        --trained "17,000 clips" filter.learning_rate=0.02 tracking.update_interval=5

Prints the line that ``BUILT_IN`` in ``rartrack/checkpoints.py`` must have.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rartrack import checkpoints
from rartrack.config import change_model, parse_settings
from rartrack.errors import one_line

MODELS = Path(__file__).resolve().parents[1] / "src" / "rartrack" / "models"


@one_line()
def main() -> None:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("name", choices=checkpoints.BUILT_IN)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="settings of the filter and the loop")
    parser.add_argument("--licence", required=True)
    parser.add_argument("--trained", required=True, help="what it was trained on, in a few words")
    options = parser.parse_intermixed_args()
    ship(options)


def ship(options: argparse.Namespace) -> None:
    """Write the file, print its digest."""
    found = checkpoints.load(options.checkpoint)
    config = change_model(found.config, parse_settings(options.changes))
    about = {"licence": options.licence, "trained": options.trained}
    training = dict(found.provenance.get("training", {}))
    for key in training.keys() & {"start", "output"}:  # the run's own places say nothing elsewhere
        training[key] = training[key] and Path(training[key]).name
    provenance = {**found.provenance, "training": training, **about}
    path = MODELS / f"{options.name}.safetensors.xz"
    digest = checkpoints.save(path, replace(found, config=config, provenance=provenance))
    print(f"{path.stat().st_size / 1e6:.1f} MB")
    print(f'    "{options.name}": "{digest}",')


if __name__ == "__main__":
    main()
