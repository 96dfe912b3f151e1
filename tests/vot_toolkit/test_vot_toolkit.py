"""The real VOT toolkit drives our tracker over TraX, and our figures are held against its own.

The toolkit lives in an environment of its own, which ``make vot-toolkit`` makes (600 MB) and names in
RARTRACK_VOT_TOOLKIT; without that variable these tests are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rartrack.boxes import polygon_bounds
from rartrack.datasets import vot as layout
from rartrack.datasets.sequence import Sequence
from rartrack.evaluation.trax import TraxProgram
from rartrack.evaluation.vot import Benchmark, Trajectory, VotScores, score, unsupervised
from rartrack.evaluation.vot_protocol import run_supervised, run_unsupervised
from rartrack.evaluation.vot_results import read_trajectory
from rartrack.evaluation.vot_rules import VOT_TOOLKIT

HERE = Path(__file__).parent
FRAMES = 60
RANGE = (10, 40)
LOCAL = Benchmark("local", "Local", RANGE)

STACK = f"""
title: sequences of {FRAMES} frames
experiments:
  baseline:
    type: supervised
    repetitions: 15
    skip_initialize: 5
    analyses:
      - {{type: supervised_average_ar, name: ar, sensitivity: 30}}
      - {{type: supervised_eao_score, name: eao, low: {RANGE[0]}, high: {RANGE[1]}}}
      - {{type: supervised_eao_curve, name: curve}}
  unsupervised:
    type: unsupervised
    repetitions: 1
    analyses:
      - {{type: average_accuracy, name: accuracy, burnin: 1}}
"""

# The toolkit's environment is made and its whole evaluation run inside single tests.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="session")
def toolkit() -> Path:
    """The ``vot`` program of the toolkit's environment, made if it is not there."""
    folder = os.environ.get("RARTRACK_VOT_TOOLKIT")
    if not folder:
        pytest.skip("make vot-toolkit runs the VOT toolkit (600 MB in an environment of its own)")
    program = Path(folder).resolve() / "bin" / "vot"
    if not program.is_file():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(program.with_name("pip")), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=True)
    return program


@pytest.fixture(scope="session")
def workspace(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vot")
    source = shared / "vot-layout"
    names = (source / "list.txt").read_text().split()
    for name in names:
        _shorten(source / name, folder / "sequences" / name)
    (folder / "sequences" / "list.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "stack.yaml").write_text(STACK)
    (folder / "config.yaml").write_text("registry:\n- ./trackers.ini\nstack: ./stack.yaml\n")
    script = f"{sys.executable} {HERE / 'trackers.py'}"
    commands = {
        "still": f"{script} still",
        "opencv": f"{script} opencv",
        "rartrack": f"{Path(sys.executable).with_name('rartrack')} trax --model rar-fast --device cpu --threads 1",
    }
    (folder / "trackers.ini").write_text(
        "".join(
            f"[{name}]\nlabel = {name}\nprotocol = trax\ntimeout = 120\ncommand = {command}\n\n"
            for name, command in commands.items()
        )
    )
    return folder


@pytest.fixture(scope="session")
def evaluated(toolkit: Path, workspace: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """Let the toolkit run and analyse a tracker, once; returns its results folder and its figures."""

    @cache
    def evaluate(tracker: str) -> tuple[Path, dict[str, Any]]:
        _run(workspace, toolkit, "evaluate", tracker)
        _run(workspace, toolkit, "analysis", tracker, "--name", tracker, "--format", "json")
        figures = json.loads(next((workspace / "analysis").glob(f"**/{tracker}.json")).read_text())
        return workspace / "results" / tracker, figures

    return evaluate


@pytest.fixture(scope="session")
def sequences(workspace: Path) -> list[Sequence]:
    return [entry.read() for entry in layout.entries(workspace / "sequences")]


@pytest.mark.parametrize("tracker", ["still", "opencv", "rartrack"])
def test_our_figures_are_the_toolkits(
    evaluated: Callable[[str], tuple[Path, dict[str, Any]]], sequences: list[Sequence], tracker: str
) -> None:
    results, figures = evaluated(tracker)
    ours = score(LOCAL, sequences, _read(results / "baseline", sequences), "vot-toolkit")
    accuracy, failures, eao, curve = _figures(figures)
    # To a pixel of a frame: how a crossing at 11.999... is rounded depends on where columns are counted from.
    assert ours.accuracy == pytest.approx(accuracy, abs=1e-5)
    assert _mean_failures(ours) == pytest.approx(failures, abs=1e-9)
    assert ours.eao == pytest.approx(eao, abs=1e-5)
    np.testing.assert_allclose(ours.curve[1:], curve[1:], atol=1e-5)


@pytest.mark.parametrize("tracker", ["still", "opencv"])
def test_our_average_overlap_of_unsupervised_runs_is_the_toolkits(
    evaluated: Callable[[str], tuple[Path, dict[str, Any]]], sequences: list[Sequence], tracker: str
) -> None:
    results, figures = evaluated(tracker)
    ours = score(unsupervised(LOCAL), sequences, _read(results / "unsupervised", sequences), "vot-toolkit")
    assert ours.accuracy == pytest.approx(figures["results"]["unsupervised"]["results"][0][0][0], abs=1e-5)


def test_the_still_tracker_fails_and_deterministic_trackers_run_three_times(
    evaluated: Callable[[str], tuple[Path, dict[str, Any]]], sequences: list[Sequence]
) -> None:
    found = _read(evaluated("still")[0] / "baseline", sequences)
    assert {len(repetitions) for repetitions in found.values()} == {3}
    assert sum((repetitions[0].codes == 2).sum() for repetitions in found.values()) > 0


@pytest.mark.parametrize("tracker", ["still", "opencv"])
def test_our_protocol_gives_the_toolkits_results(
    evaluated: Callable[[str], tuple[Path, dict[str, Any]]], sequences: list[Sequence], tracker: str
) -> None:
    results, _ = evaluated(tracker)
    supervised, unsupervised = (_read(results / name, sequences) for name in ("baseline", "unsupervised"))
    for sequence in sequences:
        _same(run_supervised(_own(tracker), sequence, VOT_TOOLKIT), supervised[sequence.name][0])
        _same(run_unsupervised(_own(tracker), sequence), unsupervised[sequence.name][0])


def test_our_client_gives_the_toolkits_results(
    evaluated: Callable[[str], tuple[Path, dict[str, Any]]], sequences: list[Sequence]
) -> None:
    results, _ = evaluated("still")
    found = _read(results / "baseline", sequences)
    with TraxProgram([sys.executable, str(HERE / "trackers.py"), "still"]) as program:
        for sequence in sequences:
            _same(run_supervised(program, sequence, VOT_TOOLKIT), found[sequence.name][0])


def test_our_tracker_does_over_trax_what_it_does_from_python(
    evaluated: Callable[[str], tuple[Path, dict[str, Any]]], sequences: list[Sequence]
) -> None:
    import torch

    import rartrack

    results, _ = evaluated("rartrack")
    found = _read(results / "unsupervised", sequences)
    torch.set_num_threads(1)
    tracker = rartrack.load("rar-fast", device="cpu")
    for sequence in sequences:
        assert sequence.polygons is not None
        sent = polygon_bounds(sequence.polygons.astype(np.float32))  # TraX speaks in single precision
        ours, theirs = run_unsupervised(tracker, replace(sequence, boxes=sent)), found[sequence.name][0]
        np.testing.assert_array_equal(ours.codes, theirs.codes)
        np.testing.assert_allclose(ours.regions, theirs.regions, atol=1e-3)


def _own(tracker: str) -> Any:
    specification = importlib.util.spec_from_file_location("toolkit_trackers", HERE / "trackers.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.TRACKERS[tracker]()


def _same(ours: Trajectory, theirs: Trajectory) -> None:
    np.testing.assert_array_equal(ours.codes, theirs.codes)
    np.testing.assert_allclose(ours.regions, theirs.regions, atol=0.01)


def _shorten(source: Path, target: Path) -> None:
    """Link a sequence's images and keep the first lines of its annotation and tags."""
    target.mkdir(parents=True)
    (target / "color").mkdir()
    for path in sorted((source / "color").iterdir())[:FRAMES]:
        (target / "color" / path.name).symlink_to(path.resolve())
    for path in [source / "groundtruth.txt", *source.glob("*.tag")]:
        (target / path.name).write_text("".join(line + "\n" for line in path.read_text().splitlines()[:FRAMES]))
    lines = (source / "sequence").read_text().splitlines()
    (target / "sequence").write_text(
        "".join(f"length={FRAMES}\n" if line.startswith("length") else f"{line}\n" for line in lines)
    )


def _run(workspace: Path, toolkit: Path, *arguments: str) -> None:
    """Run the toolkit, which exits with 0 even when it failed: what it prints tells."""
    done = subprocess.run(
        [str(toolkit), *arguments],
        cwd=workspace,
        env=os.environ | {"VOT_RESULTS_BINARY": "0"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    logs = "".join(path.read_text()[-2000:] for path in sorted((workspace / "logs").glob("*.log")))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "successful" in said.replace("successfuly", "successful"), said[-3000:] + logs
    assert "interrupted" not in said, said[-3000:] + logs


def _read(folder: Path, sequences: list[Sequence]) -> dict[str, list[Trajectory]]:
    files = {sequence.name: sorted((folder / sequence.name).glob("*_[0-9][0-9][0-9].txt")) for sequence in sequences}
    return {name: [read_trajectory(path) for path in paths] for name, paths in files.items()}


def _figures(analysis: dict[str, Any]) -> tuple[float, float, float, NDArray[np.float64]]:
    """Accuracy, robustness, EAO and its curve of the only tracker, in the order in which the stack asks for them."""
    ar, eao, curve = analysis["results"]["baseline"]["results"]
    return ar[0][0], ar[0][1], eao[0][0], np.array(curve[0][0])


def _mean_failures(scores: VotScores) -> float:
    """The toolkit's robustness: failures a sequence, each sequence weighing its length."""
    entries = list(scores.per_sequence.values())
    return float(np.average([e.failures for e in entries], weights=[e.frames for e in entries]))
