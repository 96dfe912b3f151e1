"""The loss curves of training runs, drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "curves.py"


def test_curves_are_drawn_of_runs_that_have_them(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    words = [sys.executable, str(SCRIPT), str(run), "--output", str(tmp_path / "curves.svg")]
    missing = subprocess.run(words, capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert missing.stderr == f"{run / 'validation.csv'}: not there; give folders of runs that have validated\n"
    for name in ("training", "validation"):
        (run / f"{name}.csv").write_text("step,loss\n1,3.5\n2,1.5\n")
    subprocess.run(words, check=True, capture_output=True)
    assert (tmp_path / "curves.svg").read_text().count("<path") > 4
    (run / "validation.csv").write_text("step,overlap\n1,0.5\n2,0.6\n")  # of a run without validation.clips
    subprocess.run(words, check=True, capture_output=True)
