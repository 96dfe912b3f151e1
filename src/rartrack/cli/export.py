"""``rartrack export``: write a model's network as an ONNX file, for programs without torch or Python, or what its
eight-bit integers stand for."""

from __future__ import annotations

import argparse
import json
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
  rartrack export rar-fast --precision int8 --output rar-fast-int8.onnx
  rartrack export mine.safetensors --format scales --calibrate VIDEOS
  rartrack track video.mp4 --box 120,80,60,40 --model rar-fast.onnx --backend onnx
"""
_CROPS = 96


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.epilog, parser.formatter_class = _EXAMPLES, argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("model", metavar="MODEL", help="a built-in model's name or a checkpoint's path")
    add(
        "--format",
        choices=("onnx", "scales"),
        default="onnx",
        help="onnx: the network; scales: what its maps' integers stand for, by which every backend tracks in int8 "
        "(default: onnx)",
    )
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="the file to write, FILE.onnx; scales are looked for beside the model, NAME.int8.json (their default)",
    )
    add("--crops", choices=("uint8", "float32"), help="type of the crops that a network takes (default: uint8)")
    add(
        "--precision",
        choices=("float32", "int8"),
        help="of the backbone; int8 needs --calibrate, or scales beside the model (default: float32; of scales int8)",
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
    add("--seed", type=count, metavar="N", help="of the crops drawn (default: 0)")
    add("--overwrite", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Export, run the export beside torch, quantise it if asked to, write it."""
    scales = options.format == "scales"
    if scales and (options.precision == "float32" or options.calibrate is None):
        raise InputError("--format scales: is for --precision int8, and needs --calibrate DIR")
    if scales and options.crops is not None:
        raise InputError(f"--crops {options.crops}: is for --format onnx")
    integers = scales or options.precision == "int8"
    if options.output is None and not scales:
        raise InputError("--output FILE.onnx: is needed")
    if options.output is not None:
        check_output(options.output, options.overwrite, (".json" if scales else ".onnx",))
    if options.calibrate is None and (options.calibration_crops is not None or options.seed is not None):
        raise InputError("--calibration-crops, --seed: are for --calibrate DIR")
    if options.calibrate is not None and not integers:
        raise InputError(f"--calibrate {options.calibrate}: is for --precision int8")

    import torch

    from rartrack import checkpoints
    from rartrack.backends.onnx_file import export, read
    from rartrack.backends.prepared import prepared_network
    from rartrack.network.integers import IntegerResNet
    from rartrack.tracking.load import is_exported

    if is_exported(options.model):
        origin = read(options.model).fingerprint
        names = [name for name, digest in checkpoints.BUILT_IN.items() if digest == origin]
        source = names[0] if names else "the checkpoint it was made from"
        raise InputError(f"{options.model}: exported already; to export it in another way, give {source}")
    checkpoint = checkpoints.load(options.model)
    output = options.output
    if output is None and options.model in checkpoints.BUILT_IN:
        raise InputError(f"{options.model}: its scales come with it; to measure them again, give --output FILE.json")
    if output is None:
        output = check_output(checkpoints.calibration_path(options.model), options.overwrite)
    known = checkpoints.calibration(options.model) if integers and options.calibrate is None else None
    if integers and options.calibrate is None and known is None:
        raise InputError(
            f"{options.model}: --precision int8 needs --calibrate DIR, training videos that show what the integers "
            f"must hold: it is known of {', '.join(checkpoints.BUILT_IN)}, of others where --format scales noted it"
        )
    calibration = None if options.calibrate is None else _calibration(checkpoint.config, options)
    network = prepared_network(checkpoint, options.model)
    fingerprint = checkpoints.fingerprint(options.model)
    content, difference = export(network, checkpoint, fingerprint, options.crops or "uint8")
    print(f"largest difference between torch and onnxruntime, relative to the largest value: {difference:.1e}")
    if integers:
        content, about = _quantized(content, calibration, known)
    if scales:
        assert calibration is not None
        try:
            IntegerResNet(network.backbone, network.normalised(torch.from_numpy(calibration[0][:1])), about["scales"])
        except InputError as error:
            print(f"for the backends onnx and openvino alone: {error}")
            about["torch"] = False
        content = (json.dumps({"model": fingerprint, **about}, indent=1) + "\n").encode()
    replace_file(output, content)
    print(output)
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
) -> tuple[bytes, dict[str, Any]]:
    """The network in eight-bit integers, by crops or by what is known of it, and that; prints what it costs."""
    from rartrack.backends.quantize import CHECKED, quantize, quantize_again

    if calibration is not None:
        content, about = quantize(content, *calibration)
    else:
        assert known is not None
        content, about = quantize_again(content, known), known
    print(f"calibrated on {about['crops']} crops of {len(about['sequences'])} sequences of {about['data']}")
    print(f"error of the features, int8 against float32, on {CHECKED} further crops: {about['error']:.1%}")
    return content, about
