"""``rartrack export``: write a model's network as an ONNX file, for programs without torch or Python."""

from __future__ import annotations

import argparse
from pathlib import Path

from rartrack.outputs import check_output, replace_file

_EXAMPLES = """
example:
  rartrack export rar-fast --format onnx --output rar-fast.onnx
  rartrack track video.mp4 --box 120,80,60,40 --model rar-fast.onnx --backend onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.epilog, parser.formatter_class = _EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", metavar="MODEL", help="a built-in model's name or a checkpoint's path")
    parser.add_argument("--format", choices=("onnx",), default="onnx", help="of the file (default: onnx)")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.onnx", help="the file to write")
    parser.add_argument(
        "--crops", choices=("uint8", "float32"), default="uint8", help="type of the crops it takes (default: uint8)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Export, run the export beside torch, write it."""
    check_output(options.output, options.overwrite, (".onnx",))

    from rartrack import checkpoints
    from rartrack.backends.onnx_file import export
    from rartrack.backends.prepared import prepared_network

    checkpoint = checkpoints.load(options.model)
    network = prepared_network(checkpoint, options.model)
    content, difference = export(network, checkpoint, checkpoints.fingerprint(options.model), options.crops)
    replace_file(options.output, content)
    print(f"largest difference between torch and onnxruntime, relative to the largest value: {difference:.1e}")
    print(options.output)
    return 0
