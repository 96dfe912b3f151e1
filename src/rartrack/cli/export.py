"""``rartrack export``: write a model's network as an ONNX file, for programs without torch or Python."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rartrack.cli.numbers import count, positive
from rartrack.config import ModelConfig
from rartrack.errors import InputError
from rartrack.outputs import check_output, replace_file

_EXAMPLES = """
example:
  rartrack export rar-fast --format onnx --output rar-fast.onnx
  rartrack export rar-fast --precision int8 --calibrate VIDEOS --output rar-fast-int8.onnx
  rartrack track video.mp4 --box 120,80,60,40 --model rar-fast.onnx --backend onnx
"""
_CROPS = 96


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.epilog, parser.formatter_class = _EXAMPLES, argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("model", metavar="MODEL", help="a built-in model's name or a checkpoint's path")
    add("--format", choices=("onnx",), default="onnx", help="of the file (default: onnx)")
    add("--output", required=True, type=Path, metavar="FILE.onnx", help="the file to write")
    add("--crops", choices=("uint8", "float32"), default="uint8", help="type of the crops it takes (default: uint8)")
    add(
        "--precision",
        choices=("float32", "int8"),
        default="float32",
        help="of the backbone; int8 needs --calibrate (default: float32)",
    )
    add(
        "--calibrate",
        metavar="DIR",
        help="for int8: training videos, a folder of sequences or a data set's name; sequences held out are left out",
    )
    add(
        "--calibration-crops",
        type=positive,
        default=_CROPS,
        metavar="N",
        help=f"crops cut from the videos to calibrate on (default: {_CROPS})",
    )
    add(
        "--weight-bits",
        type=int,
        choices=(7, 8),
        help="for int8: 7 for processors without VNNI, whose sums 8 overflow (default: what errs less on this one)",
    )
    add("--seed", type=count, default=0, metavar="N", help="of the crops drawn (default: 0)")
    add("--overwrite", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Export, run the export beside torch, quantise it if asked to, write it."""
    check_output(options.output, options.overwrite, (".onnx",))
    if options.weight_bits is not None and options.precision != "int8":
        raise InputError(f"--weight-bits {options.weight_bits}: is for --precision int8")
    if (options.precision == "int8") != (options.calibrate is not None):
        raise InputError(
            "--precision int8 and --calibrate DIR go together: the videos show what the integers must hold"
        )

    from rartrack import checkpoints
    from rartrack.backends.onnx_file import export, read
    from rartrack.backends.prepared import prepared_network
    from rartrack.tracking.load import is_exported

    if is_exported(options.model):
        origin = read(options.model).fingerprint
        names = [name for name, digest in checkpoints.BUILT_IN.items() if digest == origin]
        source = names[0] if names else "the checkpoint it was made from"
        raise InputError(f"{options.model}: exported already; to export it in another way, give {source}")
    checkpoint = checkpoints.load(options.model)
    calibration = _calibration(checkpoint.config, options) if options.precision == "int8" else None
    network = prepared_network(checkpoint, options.model)
    content, difference = export(network, checkpoint, checkpoints.fingerprint(options.model), options.crops)
    print(f"largest difference between torch and onnxruntime, relative to the largest value: {difference:.1e}")
    if calibration is not None:
        content = _quantized(content, *calibration, options.weight_bits)
    replace_file(options.output, content)
    print(options.output)
    return 0


def _calibration(config: ModelConfig, options: argparse.Namespace) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Crops of videos that neither test nor validate, and what they are."""
    from rartrack.backends.quantize import CHECKED
    from rartrack.datasets import load_dataset
    from rartrack.tracking.calibration import calibration_crops
    from rartrack.training.split import HELD_OUT, matches, refuse_tests, without_copies

    dataset = load_dataset(options.calibrate)
    refuse_tests(dataset, "calibration", "give training videos")
    training = without_copies(dataset).entries
    sequences = [entry.read() for entry in training if not matches(entry.name, HELD_OUT)]
    count = options.calibration_crops
    crops, drawn = calibration_crops(sequences, config, count + CHECKED, options.seed)
    return crops, {
        "data": dataset.name,
        "crops": count,
        "seed": options.seed,
        "sequences": Counter(sorted(drawn[:count])),
    }


def _quantized(content: bytes, crops: NDArray[np.uint8], about: dict[str, Any], weight_bits: int | None) -> bytes:
    """The network in eight-bit integers; prints what that costs."""
    from rartrack.backends.quantize import CHECKED, quantize

    content, found = quantize(content, crops, about, weight_bits)
    print(f"calibrated on {about['crops']} crops of {len(about['sequences'])} sequences of {about['data']}")
    kind = f"int8 with weights of {found['weight_bits']} bits"
    print(f"error of the features, {kind}, against float32, on {CHECKED} further crops: {found['error']:.1%}")
    return content
