"""Keep what was measured on a built-in model's maps in the package, for files in eight-bit integers without videos.

rartrack export rar-fast --precision int8 --calibrate DIR/train --output rar-fast-int8.onnx
python scripts/ship_scales.py rar-fast-int8.onnx
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ship import MODELS

from rartrack import checkpoints
from rartrack.backends.onnx_file import read
from rartrack.errors import InputError, one_line


@one_line()
def main() -> None:
    """Write the file beside the model's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE.onnx")
    ship(parser.parse_args().file)


def ship(file: Path) -> None:
    """Find which model it was made from, write what it was calibrated on and by what.

    Raises:
        InputError: the file is in floats, or of no model that is built in now.
    """
    exported = read(file)
    names = [name for name, digest in checkpoints.BUILT_IN.items() if digest == exported.fingerprint]
    if exported.quantized is None or not names:
        raise InputError(f"{file}: not a built-in model in eight-bit integers; export one with --calibrate")
    path = MODELS / f"{names[0]}.int8.json"
    path.write_text(json.dumps({"model": exported.fingerprint, **exported.quantized}, indent=1) + "\n", "utf-8")
    print(path)


if __name__ == "__main__":
    main()
