"""``rartrack tune`` from the command line: what is tracked, chosen, written and said; killed and gone on with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rartrack import checkpoints
from rartrack.cli import progress
from rartrack.cli.main import main
from rartrack.config import ModelConfig
from rartrack.config_files import load_yaml
from rartrack.datasets import otb
from rartrack.evaluation import run
from rartrack.evaluation.execute import execute
from rartrack.evaluation.provenance import code_version, machine

FRAMES = 5
RATE = "filter.learning_rate=0.001:0.9:log"


def write_video(folder: Path, name: str, seed: int) -> None:
    """A textured square that moves over noise, as a folder of images."""
    generator = np.random.default_rng(seed)
    ground = generator.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    target = generator.integers(0, 256, (14, 16, 3), dtype=np.uint8)
    (folder / name).mkdir(parents=True)
    lines = []
    for t in range(FRAMES):
        frame = ground.copy()
        x, y = 20 + 3 * t, 15 + (1 + seed) * t
        frame[y : y + 14, x : x + 16] = target
        cv2.imwrite(str(folder / name / f"{t:04d}.png"), frame)
        lines.append(f"{x},{y},16,14\n")
    (folder / f"{name}.txt").write_text("".join(lines))


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences with names that are held out from training, and one with another."""
    folder = tmp_path_factory.mktemp("tune") / "videos"
    for seed, name in enumerate(["davis_dog", "uav_car10", "mine"]):
        write_video(folder, name, seed)
    return folder


@pytest.fixture
def tune(model: Path, videos: Path, tmp_path: Path):
    """Run the command with the least it needs; later options win."""

    def command(*options: str, space: str = RATE) -> int:
        fixed = ["tune", str(model), "--data", str(videos), "--output", str(tmp_path / "out"), "--device", "cpu"]
        return main([*fixed, "--space", space, "--trials", "2", *options])

    return command


@pytest.fixture
def in_this_process(monkeypatch) -> None:
    """Do runs in this process, as starting another takes longer than such short videos."""
    monkeypatch.setattr(run, "run_job", lambda job: execute(job, job.tracker.build(1), lambda: None))
    monkeypatch.setattr(
        run,
        "describe",
        lambda tracker, *_: {"tracker": tracker.describe(), "code": code_version(), "machine": machine()},
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def overlaps(path: Path) -> list[tuple[str, str, str]]:
    return [(row["trial"], row["sequence"], row["overlap"]) for row in rows(path)]


def test_every_trial_is_tracked_on_the_same_held_out_sequences(tune, tmp_path, capsys) -> None:
    assert tune() == 0
    out = tmp_path / "out"
    runs = rows(out / "results.csv")
    assert [(row["trial"], row["sequence"]) for row in runs] == [
        (trial, name) for trial in "012" for name in ("davis_dog", "uav_car10")
    ]
    assert {row["frames"] for row in runs} == {str(FRAMES - 1)}
    assert all(float(row["ms"]) > 0 and 0 <= float(row["overlap"]) <= 1 for row in runs)

    trials = rows(out / "trials.csv")
    assert trials[0]["filter.learning_rate"] == "0.01"  # the model's own
    assert (trials[0]["ratio"], trials[0]["difference"]) == ("1.000", "0.000000")
    mean = np.mean([float(row["overlap"]) for row in runs if row["trial"] == "1"])
    assert float(trials[1]["overlap"]) == pytest.approx(mean, abs=1e-6)
    assert sum("best" in row["standing"] for row in trials) == 1

    said = capsys.readouterr()
    assert "2 settings beside the current, all frames of 2 sequences" in said.out
    assert "NOT DISTINGUISHABLE FROM ZERO" in said.out or "NO BETTER settings" in said.out
    assert "warning" not in said.err
    best = next(row for row in trials if "best" in row["standing"])
    config = load_yaml(ModelConfig, out / "best.yaml")
    assert config.filter.learning_rate == float(best["filter.learning_rate"])
    assert "# current settings: overlap" in (out / "best.yaml").read_text()


@pytest.mark.usefixtures("in_this_process")
def test_an_interrupted_search_ends_as_an_uninterrupted_one(tune, tmp_path, monkeypatch) -> None:
    assert tune("--trials", "3", "--output", str(tmp_path / "whole")) == 0

    finished = progress.Progress.finished
    seen: list[str] = []

    def stop_after_three(self, job, outcome) -> None:
        finished(self, job, outcome)
        seen.append(str(job))
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "finished", stop_after_three)
    assert tune("--trials", "3") == 130
    kept = rows(tmp_path / "out" / "results.csv")
    assert len(kept) == 3
    assert tune("--trials", "3") == 0
    assert len(seen) == len(set(seen)) == 8  # four trials on two sequences, none twice
    assert overlaps(tmp_path / "out/results.csv") == overlaps(tmp_path / "whole/results.csv")
    assert rows(tmp_path / "out/results.csv")[:3] == kept


@pytest.mark.usefixtures("in_this_process")
def test_more_trials_lengthen_a_search_other_settings_are_refused(tune, tmp_path, capsys) -> None:
    assert tune("--first", "3", "--sequences", "mine") == 0
    assert "1 of 1 sequences are not on the list held out from training" in capsys.readouterr().err
    before = overlaps(tmp_path / "out/results.csv")
    assert tune("--first", "3", "--sequences", "mine", "--trials", "3") == 0
    assert "to do: 1, there already: 3" in capsys.readouterr().err
    assert overlaps(tmp_path / "out/results.csv")[:3] == before

    assert tune("--first", "4", "--sequences", "mine") == 2
    assert "holds another search: frames was 3, is now 4" in capsys.readouterr().err
    assert tune("--first", "3", "--sequences", "mine", space="filter.learning_rate=0.001:0.8:log") == 2
    assert "space.filter.learning_rate was 0.001:0.9:log, is now" in capsys.readouterr().err


@pytest.mark.usefixtures("in_this_process")
def test_halvings_give_up_the_worse_half_but_never_the_current_settings(tune, tmp_path, capsys) -> None:
    assert tune("--trials", "4", "--halvings", "1") == 0
    trials = rows(tmp_path / "out/trials.csv")
    assert [row["sequences"] for row in trials].count("2") == 3
    assert trials[0]["sequences"] == "2"
    given_up = [row for row in trials if row["standing"] == "given up"]
    assert [row["sequences"] for row in given_up] == ["1", "1"]
    said = capsys.readouterr()
    assert "2 settings beside the current" in said.out
    assert ("by which no trial was given up, and which alone judge" in said.out) == ("difference " in said.out)
    counts = [line.split()[0] for line in said.err.splitlines() if "trial-" in line]
    assert counts == ["1/5", "2/5", "3/5", "4/5", "5/5", "1/3", "2/3", "3/3"]  # each round by itself


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_another_library_may_run_the_network(tune, tmp_path, monkeypatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert tune("--sequences", "mine", "--first", "3", "--trials", "1", "--backend", "onnx") == 0
    about = json.loads((tmp_path / "out/search.json").read_text())
    assert about["model"]["backend"].startswith("onnxruntime")
    assert about["threads"] == 1


@pytest.mark.usefixtures("in_this_process")
def test_settings_that_fail_are_left_out_and_say_why(tune, tmp_path) -> None:
    assert tune("--sequences", "mine", space="tracking.scale_search=pyramid,box") == 0
    trials = rows(tmp_path / "out/trials.csv")
    failed = next(row for row in trials if row["tracking.scale_search"] == "box")
    assert failed["standing"].startswith("failed: mine: ")
    assert "the network has no box head" in failed["standing"]
    run = next(row for row in rows(tmp_path / "out/results.csv") if row["trial"] == failed["trial"])
    assert run["overlap"] == ""
    assert "the network has no box head" in run["failure"]


@pytest.mark.usefixtures("in_this_process")
def test_the_model_with_the_best_settings_can_be_saved(tune, model, tmp_path, capsys, monkeypatch) -> None:
    file = tmp_path / "tuned.safetensors"
    # A random network may have nothing to gain; what is tested is the writing.
    monkeypatch.setattr("rartrack.tuning.choice.ranked", lambda found: sorted(found, key=lambda each: -each.number))
    assert tune("--sequences", "mine", "--first", "3", "--save", str(file)) == 0
    tuned, before = checkpoints.load(file), checkpoints.load(model)
    best = load_yaml(ModelConfig, tmp_path / "out/best.yaml").filter.learning_rate
    assert tuned.config.filter.learning_rate == best != before.config.filter.learning_rate
    assert tuned.config.network == before.config.network
    assert all(weight.equal(before.weights[name]) for name, weight in tuned.weights.items())
    about = tuned.provenance["tuned"][0]
    assert about["sequences"] == ["mine"]
    assert about["test_sequences"] is False

    capsys.readouterr()
    assert tune("--sequences", "mine", "--first", "3", "--save", str(file)) == 2
    assert "exists already; give another name, or --overwrite" in capsys.readouterr().err


@pytest.mark.usefixtures("in_this_process")
def test_test_sequences_are_refused_or_recorded(tune, tmp_path, capsys) -> None:
    write_video(tmp_path / "data", otb.members("otb2015")[0], 0)
    options = ("--data", str(tmp_path / "data"), "--sequences", "*", "--first", "3")
    assert tune(*options) == 2
    assert "OTB and VOT are for testing, never for tuning; give other sequences, or --allow-test" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
    assert tune(*options, "--allow-test") == 0
    assert "CHOSEN ON TEST SEQUENCES" in capsys.readouterr().out
    assert "CHOSEN ON TEST SEQUENCES" in (tmp_path / "out/best.yaml").read_text()
    assert json.loads((tmp_path / "out/search.json").read_text())["test_sequences"] is True


def test_copies_of_test_sequences_are_refused_too(tune, tmp_path, capsys) -> None:
    write_video(tmp_path / "data", "tld_car", 0)
    options = ("--data", str(tmp_path / "data"), "--sequences", "tld_*", "--first", "3")
    assert tune(*options) == 2
    assert "tld_car: test sequences of OTB or VOT under other names; give other sequences" in capsys.readouterr().err


def test_test_sequences_are_refused_among_others_too(tune, tmp_path, capsys) -> None:
    folder = tmp_path / "mixed"
    name = otb.members("otb2015")[0]
    for number, each in enumerate([name, "mine", "second", "third"]):
        write_video(folder, each, number % 2)
    assert tune("--data", str(folder), "--sequences", name) == 2
    assert "never for tuning" in capsys.readouterr().err


@pytest.mark.usefixtures("in_this_process")
def test_the_time_limit_bounds_the_choice_alone(tune, tmp_path, capsys) -> None:
    assert tune("--sequences", "mine", "--first", "3", "--max-ms", "0.0001") == 2
    assert "no trial is within the time limit; the fastest" in capsys.readouterr().err
    assert [row["standing"] for row in rows(tmp_path / "out/trials.csv")] == ["current, too slow"] + 2 * ["too slow"]
    assert tune("--sequences", "mine", "--first", "3", "--slower", "100") == 0
    assert "to do: 0, there already: 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--space", "filter.lerning_rate=1:2"], "did you mean 'filter.learning_rate'?"),
        (["--space", "filter.label_sigma=1"], "expected KEY=LOW:HIGH"),
        (["--space", "filter.label_sigma=0.2:0.1"], "0.2 is not below 0.1"),
        (["--space", RATE], "given twice"),
        (["--trials", "0"], "--trials: '0' is not a whole number from 1 on"),
        (["--first", "1"], "--first 1: at least 2"),
        (["--halvings", "2"], "--halvings 2: 0, or as many as trials (2) and sequences (2) can be halved"),
        (["--halvings", "-1"], "--halvings: '-1' is not a whole number from 0 on"),
        (["--workers", "0"], "--workers: '0' is not a whole number from 1 on"),
        (["--threads", "0"], "--threads: '0' is not a whole number from 1 on"),
        (["--slower", "0"], "--slower 0: must be above 0"),
        (["--max-ms", "nan"], "--max-ms nan: must be above 0"),
        (["--sequences", "uav_bike*"], "no sequence of"),
        (["--sequences", ""], "--sequences '' names nothing"),
        (["--sequences", "davis_dgo"], "did you mean 'davis_dog'?"),
        (["--data", "nowhere"], "nowhere"),
        (["--device", "nonsense"], "device 'nonsense'"),
        (["--save", "tuned.pt"], "unknown ending '.pt'"),
        (["--backend", "cuda"], "--backend"),
    ],
)
def test_wrong_use_is_one_line_and_status_two(tune, tmp_path, capsys, options, said) -> None:
    assert tune(*options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_exported_network_is_tuned_by_its_checkpoint(tmp_path, capsys) -> None:
    (tmp_path / "small.onnx").write_bytes(b"")
    options = ["--data", str(tmp_path), "--space", RATE, "--output", str(tmp_path / "out")]
    assert main(["tune", str(tmp_path / "small.onnx"), *options]) == 2
    assert "give the checkpoint it was made from" in capsys.readouterr().err


def test_without_held_out_sequences_the_choice_is_the_users(tune, tmp_path, capsys) -> None:
    write_video(tmp_path / "data", "mine", 0)
    assert tune("--data", str(tmp_path / "data")) == 2
    assert "none of the sequences held out from training is there; give --sequences" in capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(tune, tmp_path, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert tune() == 2
    assert "holds something else than a search" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_sequence_of_which_nothing_can_be_scored_is_named(tune, tmp_path, capsys) -> None:
    write_video(tmp_path / "data", "mine", 0)
    path = tmp_path / "data/mine.txt"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, *["nan,nan,nan,nan"] * len(rest)]))
    assert tune("--data", str(tmp_path / "data"), "--sequences", "mine") == 2
    assert "mine: no visible box in frames 1 to 4; give more --first, or leave it out" in capsys.readouterr().err
