"""Runs: what is written, what is refused, and how badly behaved trackers are lived with."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace

import fake_trackers
import numpy as np
import pytest
from evaluation_runs import SHARED_PROCESS, names_of, run, texts

import rartrack.evaluation.run
from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.protocols import OPE, SRE, TRE, VOT, VOT_REALTIME, VOT_UNSUPERVISED
from rartrack.evaluation.run import Observer, Settings, evaluate, plan
from rartrack.evaluation.trackers import parse_tracker

pytestmark = pytest.mark.usefixtures("one_process")


class TestFiles:
    def test_a_line_a_frame_the_first_being_the_given_box(self, folder, tmp_path):
        run(folder, tmp_path / "out")
        boxes = np.loadtxt(tmp_path / "out/drifter/a.txt", delimiter=",")
        assert boxes.shape == (12, 4)
        assert boxes[0].tolist() == [4, 5, 8.5, 6]
        assert (np.diff(boxes[:, 0]) >= 0).all()

    def test_one_based_files_are_one_more_and_say_so(self, folder, tmp_path):
        run(folder, tmp_path / "zero")
        run(folder, tmp_path / "one", settings=Settings(origin=1))
        zero, one = (np.loadtxt(tmp_path / each / "drifter/a.txt", delimiter=",") for each in ("zero", "one"))
        np.testing.assert_allclose(one - zero, np.tile([1, 1, 0, 0], (12, 1)), atol=1e-9)
        assert json.loads((tmp_path / "one/drifter/a.json").read_text())["boxes"] == "x,y,w,h, 1-based"

    def test_times_have_init_apart(self, folder, tmp_path):
        run(folder, tmp_path / "out", "SlowDrifter", sequences=["a"])
        seconds = np.loadtxt(tmp_path / "out/slowdrifter/a_time.txt")
        assert len(seconds) == 12
        assert (seconds[1:] >= 0.02).all()
        about = json.loads((tmp_path / "out/slowdrifter/a.json").read_text())["milliseconds"]
        assert set(about) == {"init", "mean", "median", "p95"}
        assert about["median"] == pytest.approx(np.median(seconds[1:]) * 1000, rel=1e-3)
        assert about["init"] == pytest.approx(seconds[0] * 1000, abs=1e-2)

    def test_the_side_file_says_what_made_it(self, folder, tmp_path):
        run(folder, tmp_path / "out", settings=Settings(seed=3, first=5))
        about = json.loads((tmp_path / "out/drifter/a.json").read_text())
        assert about["made_by"]["seed"] == 3
        assert about["made_by"]["first"] == 5
        assert about["made_by"]["tracker"]["code"]
        assert about["machine"]["python"]

    def test_segments_and_disturbances_lie_in_folders_of_their_own(self, tmp_path):
        folder = fake_trackers.make_sequences(tmp_path / "data", "a", frames=40)
        run(folder, tmp_path / "out", settings=Settings(TRE))
        run(folder, tmp_path / "out", settings=Settings(SRE))
        lengths = [len((tmp_path / f"out/drifter/tre/a_{n:02d}.txt").read_text().splitlines()) for n in (1, 20)]
        assert lengths == [40, 20]
        boxes = np.loadtxt(tmp_path / "out/drifter/sre/a_01.txt", delimiter=",")
        assert boxes[0].tolist() == [3, 5, 8.5, 6]  # left by a tenth of 8.5, rounded up
        assert len(list((tmp_path / "out/drifter/sre").glob("a_[0-9][0-9].txt"))) == 12

    def test_lines_before_the_target_is_first_seen_hold_no_box(self, folder, tmp_path):
        lines = (folder / "a.txt").read_text().splitlines()
        (folder / "a.txt").write_text("\n".join(["nan,nan,nan,nan"] * 2 + lines[2:]))
        run(folder, tmp_path / "out", sequences=["a"])
        boxes = np.loadtxt(tmp_path / "out/drifter/a.txt", delimiter=",")
        assert np.isnan(boxes[:2]).all()
        assert boxes[2].tolist() == [6, 5, 8.5, 6]

    def test_speed_lists_every_run_of_the_folder(self, folder, tmp_path):
        run(folder, tmp_path / "out", sequences=["a"])
        run(folder, tmp_path / "out", sequences=["b", "c"])
        lines = (tmp_path / "out/drifter/speed.csv").read_text().splitlines()
        assert [line.split(",")[1] for line in lines] == ["sequence", "a", "b", "c"]


class TestVot:
    def test_a_run_that_repeats_itself_has_three_files(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still", settings=Settings(VOT), sequences=["a"])
        assert sorted(texts(tmp_path / "out")) == [f"still/a/a_00{number}.txt" for number in (1, 2, 3)]
        lines = (tmp_path / "out/still/a/a_001.txt").read_text().splitlines()
        # The target moves a pixel a frame; in pixels the box reaches from 4 to 13, so that it is left in frame 10.
        assert lines == ["1", *["4,5,8.5,6"] * 9, "2", "0"]

    def test_one_that_does_not_has_fifteen_by_fifteen_seeds(self, folder, tmp_path):
        run(folder, tmp_path / "out", settings=Settings(VOT), sequences=["a"])
        assert len(set(texts(tmp_path / "out").values())) == 15

    def test_other_experiments_lie_beside_it(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still", settings=Settings(VOT_UNSUPERVISED), sequences=["a"])
        run(folder, tmp_path / "out", "Still", settings=Settings(VOT_REALTIME), sequences=["a"])
        assert (tmp_path / "out/still/unsupervised/a/a_003.txt").read_text().splitlines()[-1] == "4,5,8.5,6"
        assert (tmp_path / "out/still/realtime/a/a_001.txt").exists()
        about = json.loads((tmp_path / "out/still/realtime/a/a.json").read_text())
        assert about["made_by"]["rate"] == 20  # whatever the video's own
        assert not (tmp_path / "out/still/realtime/a/a_002.txt").exists()

    def test_files_count_from_0_also_where_the_data_set_counts_from_1(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still", settings=Settings(VOT, origin=1), sequences=["a"])
        assert "4,5,8.5,6" in (tmp_path / "out/still/a/a_001.txt").read_text().splitlines()
        about = json.loads((tmp_path / "out/still/a/a.json").read_text())
        assert (about["boxes"], about["made_by"]["boxes"]) == ("x,y,w,h, 0-based", "0-based")

    def test_first_frames_only(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still", settings=Settings(VOT, first=4), sequences=["a"])
        assert (tmp_path / "out/still/a/a_001.txt").read_text().splitlines() == ["1", *["4,5,8.5,6"] * 3]

    def test_a_box_that_is_not_finite_is_a_failure_of_the_run(self, folder, tmp_path):
        summary = run(folder, tmp_path / "out", "NotANumber", settings=Settings(VOT))
        assert [job.sequence.name for job, _ in summary.failed] == ["b"]
        assert "not finite" in summary.failed[0][1].reason


class TestBadTrackers:
    @pytest.mark.parametrize(
        ("name", "reason", "details"),
        [
            ("Raising", "frame 5: RuntimeError: no idea", "Traceback"),
            ("NotANumber", r"frame 5: the tracker returned a box that is not finite: \(nan, 1.0, 2.0, 3.0\)", ""),
            (
                "Negative",
                r"frame 5: the tracker returned a box of negative width or height: \(1.0, 2.0, -3.0, 4.0\)",
                "",
            ),
            ("ThreeNumbers", r"frame 5: the tracker returned \(1.0, 2.0, 3.0\), expected x,y,w,h", ""),
            ("Crashing", r"its process ended \(signal SIGABRT\)", "last words"),
        ],
    )
    def test_one_bad_sequence_is_reported_and_the_others_are_done(self, folder, tmp_path, name, reason, details):
        summary = run(folder, tmp_path / "out", name)
        assert sorted(names_of(summary.done)) == ["a", "c"]
        [(job, failure)] = summary.failed
        assert job.sequence.name == "b"
        assert re.match(reason, failure.reason), failure.reason
        assert details in (tmp_path / f"out/{name.lower()}/b.error").read_text()
        assert not (tmp_path / f"out/{name.lower()}/b.txt").exists()

    @pytest.mark.parametrize(
        ("protocol", "written"), [(OPE, "nan,nan,nan,nan"), (VOT, "2"), (VOT_UNSUPERVISED, "nan,nan,nan,nan")]
    )
    def test_four_nan_are_no_box(self, folder, tmp_path, protocol, written):
        summary = run(folder, tmp_path / "out", "Nothing", settings=Settings(protocol), sequences=["b"])
        assert not summary.failed
        assert {text.decode().splitlines()[5] for text in texts(tmp_path / "out").values()} == {written}

    def test_one_that_hangs_is_ended_after_the_time_limit(self, folder, tmp_path):
        begin = time.monotonic()
        summary = run(folder, tmp_path / "out", "Hanging", settings=Settings(time_limit=1.0))
        assert time.monotonic() - begin < 60
        assert sorted(names_of(summary.done)) == ["a", "c"]
        assert [failure.reason for _, failure in summary.failed] == ["no answer for 1 s; its process was ended"]
        assert "going to sleep" in summary.failed[0][1].details

    def test_what_one_printed_before_it_failed_stands_behind_its_error(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Raising")
        text = (tmp_path / "out/raising/b.error").read_text()
        assert text.index("Traceback") < text.index("It printed last:\n\nframe 1\nframe 2\n")
        assert text.endswith("frame 5\n")

    @pytest.mark.usefixtures("own_processes")
    def test_the_same_command_tries_a_failed_sequence_again_and_its_error_goes_when_it_works(self, folder, tmp_path):
        source, broken = tmp_path / "mine.py", tmp_path / "broken"
        once = f"return 1 / 0 if Path({str(broken)!r}).exists() else self.box"
        source.write_text(fake_trackers.HERE.read_text().replace('raise RuntimeError("no\\nidea")', once))
        tracker = parse_tracker(f"mine={source}:Raising")
        broken.touch()
        evaluate(load_dataset(folder), [tracker], tmp_path / "out", workers=1)
        assert (tmp_path / "out/mine/b.error").exists()
        broken.unlink()
        summary = evaluate(load_dataset(folder), [tracker], tmp_path / "out", workers=1)
        assert (names_of(summary.done), sorted(names_of(summary.kept)), summary.failed) == (["b"], ["a", "c"], [])
        assert (tmp_path / "out/mine/b.txt").exists()
        assert not (tmp_path / "out/mine/b.error").exists()

    def test_one_that_cannot_be_loaded_fails_every_sequence(self, folder, tmp_path):
        summary = run(folder, tmp_path / "out", "Unloadable", "Drifter")
        assert len(summary.failed) == 3
        assert "weights are gone" in summary.failed[0][1].reason
        assert len(summary.done) == 3

    def test_one_that_is_not_there_is_an_error_before_anything_runs(self, folder, tmp_path):
        with pytest.raises(InputError, match="no callable 'Missing'"):
            run(folder, tmp_path / "out", "Drifter", "Missing")
        assert not texts(tmp_path / "out")

    def test_missing_frames_are_a_failure_of_the_sequence(self, folder, tmp_path):
        class RemoveFrame(Observer):
            def begin(self, *_):
                (folder / "b" / "0007.png").write_bytes(b"not an image")

        summary = run(folder, tmp_path / "out", observer=RemoveFrame())
        assert [job.sequence.name for job, _ in summary.failed] == ["b"]
        assert "0007.png" in summary.failed[0][1].reason


class TestPlan:
    def test_nothing_to_do(self, folder):
        with pytest.raises(InputError, match="nothing to evaluate"):
            plan(load_dataset(folder), [], Settings())

    @pytest.mark.parametrize("other", ["opencv:kcf", "OpenCV-KCF=opencv:kcf"])
    def test_two_trackers_of_one_name_as_folders_may_have_them(self, folder, other):
        trackers = [parse_tracker("opencv:kcf"), parse_tracker(other)]
        with pytest.raises(InputError, match="two trackers are named 'opencv-kcf'"):
            plan(load_dataset(folder), trackers, Settings())

    def test_two_sequences_of_one_name(self, folder):
        dataset = load_dataset(folder, sequences=["a", "a"])  # asked for twice, it is there once
        assert dataset.names == ("a",)
        twice = replace(dataset, entries=dataset.entries * 2)
        with pytest.raises(InputError, match="two sequences are named 'a'"):
            plan(twice, [parse_tracker("opencv:kcf")], Settings())

    def test_a_sequence_where_anothers_times_go(self, folder):
        dataset = load_dataset(folder, sequences=["a"])
        again = replace(dataset[0], name="a_time")
        with pytest.raises(InputError, match="a_time is a sequence, and where a's times go; rename one"):
            plan([dataset[0], again], [parse_tracker("opencv:kcf")], Settings())

    def test_a_tracker_whose_results_would_not_be_found_again(self, folder):
        with pytest.raises(InputError, match="tracker name '_m'"):
            plan(load_dataset(folder), [parse_tracker("_m=opencv:kcf")], Settings())

    def test_no_frames(self, folder):
        for image in (folder / "a").iterdir():
            image.unlink()
        (folder / "a").rmdir()
        with pytest.raises(InputError, match="a: only its annotation is there"):
            plan(load_dataset(folder), [parse_tracker("opencv:kcf")], Settings())

    @pytest.mark.usefixtures("own_processes")
    def test_a_workers_model_is_loaded_once(self, folder, tmp_path, monkeypatch):
        monkeypatch.setenv("FAKE_TRACKER_PIDS", str(tmp_path / "pids"))
        run(folder, tmp_path / "out", workers=1)
        pids = (tmp_path / "pids").read_text().split()
        assert len(pids) == 3
        assert len(set(pids)) == 1
        assert int(pids[0]) != os.getpid()


class TestExecutors:
    def test_any_futures_executor_will_do(self, folder, tmp_path):
        run(folder, tmp_path / "own", executor=SHARED_PROCESS)
        run(folder, tmp_path / "given", workers=1)
        assert texts(tmp_path / "own") == texts(tmp_path / "given")

    def test_unknown_words_and_silent_schedulers_are_named(self, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(rartrack.evaluation.executors, "_CONNECT_SECONDS", 0.1)
        with pytest.raises(InputError, match="executor 'slurm'"):
            run(folder, tmp_path / "out", executor="slurm")
        with pytest.raises(InputError, match="the scheduler does not answer"):
            run(folder, tmp_path / "out", executor="dask://127.0.0.1:9")

    @pytest.mark.usefixtures("own_processes")
    def test_an_interrupted_run_leaves_no_process_behind(self, folder, tmp_path, monkeypatch):
        monkeypatch.setenv("FAKE_TRACKER_PIDS", str(tmp_path / "pids"))

        class Interrupt(Observer):
            def finished(self, *_):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(folder, tmp_path / "out", "SlowDrifter", observer=Interrupt(), workers=2)
        for pid in {int(pid) for pid in (tmp_path / "pids").read_text().split()}:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert run(folder, tmp_path / "out", "SlowDrifter").kept
