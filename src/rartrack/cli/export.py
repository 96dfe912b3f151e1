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
        help="of the backbone; int8 needs --calibrate, but for built-in models (default: float32)",
    )
    add(
        "--calibrate",
        metavar="DIR",
        help="for int8: training videos, a folder of sequences or a data set's name; sequences held out are left out",
    )
    add(
        "--calibration-crops",
        type=positive,
        metavar="N",
        help=f"crops cut from the videos to calibrate on (default: {_CROPS})",
    )
    add(
        "--weight-bits",
        type=int,
        choices=(7, 8),
        help="for int8: 8 errs less, on processors with VNNI or AMX alone; on others it overflows (default: 7)",
    )
    add("--seed", type=count, metavar="N", help="of the crops drawn (default: 0)")
    add("--overwrite", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Export, run the export beside torch, quantise it if asked to, write it."""
    check_output(options.output, options.overwrite, (".onnx",))
    if options.calibrate is None and (options.calibration_crops is not None or options.seed is not None):
        raise InputError("--calibration-crops, --seed: are for --calibrate DIR")
    if options.weight_bits is not None and options.precision != "int8":
        raise InputError(f"--weight-bits {options.weight_bits}: is for --precision int8")
    if options.calibrate is not None and options.precision != "int8":
        raise InputError(f"--calibrate {options.calibrate}: is for --precision int8")

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
    known = checkpoints.calibration(options.model)
    if options.precision == "int8" and options.calibrate is None and known is None:
        raise InputError(
            f"{options.model}: --precision int8 needs --calibrate DIR, training videos that show what the integers "
            f"must hold; only of {', '.join(checkpoints.BUILT_IN)} that is known"
        )
    calibration = None if options.calibrate is None else _calibration(checkpoint.config, options)
    network = prepared_network(checkpoint, options.model)
    content, difference = export(network, checkpoint, checkpoints.fingerprint(options.model), options.crops)
    print(f"largest difference between torch and onnxruntime, relative to the largest value: {difference:.1e}")
    if options.precision == "int8":
        content = _quantized(content, calibration, known, options.weight_bits or 7)
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
    count, seed = options.calibration_crops or _CROPS, options.seed or 0
    crops, drawn = calibration_crops(sequences, config, count + CHECKED, seed)
    return crops, {
        "data": dataset.name,
        "crops": count,
        "seed": seed,
        "sequences": Counter(sorted(drawn[:count])),
    }


def _quantized(
    content: bytes,
    calibration: tuple[NDArray[np.uint8], dict[str, Any]] | None,
    known: dict[str, Any] | None,
    weight_bits: int,
) -> bytes:
    """The network in eight-bit integers, by crops or by what is known of it; prints what that costs."""
    from rartrack.backends.quantize import CHECKED, quantize, quantize_again

    error: float | None
    if calibration is not None:
        crops, about = calibration
        content, error = quantize(content, crops, about, weight_bits)
    else:
        assert known is not None
        about, error = known, known["error"] if weight_bits == known["weight_bits"] else None
        content = quantize_again(content, known, weight_bits)
    print(f"calibrated on {about['crops']} crops of {len(about['sequences'])} sequences of {about['data']}")
    if error is not None:
        print(f"error of the features, int8 against float32, on {CHECKED} further crops: {error:.1%}")
    return content
