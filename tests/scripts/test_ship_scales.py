"""What makes a built-in model's files in integers, kept in the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rartrack import checkpoints

pytest.importorskip("onnxruntime", reason="needs the extra export")
onnx = pytest.importorskip("onnx", reason="needs the extra export")


def test_what_a_file_was_made_by_is_kept_beside_its_model(
    tmp_path: Path, script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rartrack.backends.onnx_file import QUANTIZED, read
    from rartrack.cli import main

    ship = script("ship_scales")
    monkeypatch.setattr(ship, "MODELS", tmp_path)
    path = tmp_path / "rar-fast.onnx"
    assert main(["export", "rar-fast", "--output", str(path)]) == 0
    monkeypatch.setattr(sys, "argv", ["ship_scales.py", str(path)])
    with pytest.raises(SystemExit, match="not a built-in model in eight-bit integers"):
        ship.main()
    known = checkpoints.calibration("rar-fast")
    model = onnx.load(path)
    model.metadata_props.add(key=QUANTIZED, value=json.dumps(known))
    onnx.save(model, path)
    assert read(path).quantized == known
    ship.main()
    written = tmp_path / "rar-fast.int8.json"
    assert capsys.readouterr().out.endswith(f"{written}\n")
    assert json.loads(written.read_text("utf-8")) == {"model": checkpoints.BUILT_IN["rar-fast"], **(known or {})}
