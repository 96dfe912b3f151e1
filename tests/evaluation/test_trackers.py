"""From a word on the command line to a tracker that gets RGB frames and gives 0-based boxes."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from types import SimpleNamespace

import cv2
import fake_trackers
import numpy as np
import pytest
import torch

from rartrack.boxes import Box, iou
from rartrack.config import PRESETS
from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation import trackers
from rartrack.evaluation.opencv import OpenCVTracker, RunningOpenCV
from rartrack.evaluation.trackers import CallableTracker, RarTracker, TraxTracker, parse_tracker
from rartrack.tuning.trial import TrialTracker


class TestParse:
    @pytest.mark.parametrize(
        ("text", "kind", "name"),
        [
            ("opencv:csrt", OpenCVTracker, "opencv-csrt"),
            ("package.module:Tracker", CallableTracker, "module.Tracker"),
            ("some/where/mine.py:Tracker", CallableTracker, "mine.Tracker"),
            ("trax:python tracker.py --fast", TraxTracker, "python"),
            ("rar-fast", RarTracker, "rar-fast"),
            ("runs/night-3.safetensors", RarTracker, "night-3"),
            ("ours=rar-fast", RarTracker, "ours"),
            ("rar-fast@quality", RarTracker, "rar-fast-quality"),
            ("_mine:Tracker", CallableTracker, "mine.Tracker"),
            ("theirs=trax:python tracker.py --x=1", TraxTracker, "theirs"),
        ],
    )
    def test_kinds_and_the_folders_they_are_given(self, text, kind, name):
        spec = parse_tracker(text)
        assert isinstance(spec, kind)
        assert spec.name == name

    def test_an_existing_checkpoint_is_a_model_whatever_its_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("a:b").write_bytes(b"")
        assert isinstance(parse_tracker("a:b"), RarTracker)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "empty"),
            ("opencv:", "empty"),
            ("trax:", "empty"),
            ('trax:python "x', "no closing quotation in its command"),
            ("opencv:ksrt", "did you mean 'csrt'"),
            ("opencv:csrt-v2", r"OpenCV's are csrt, kcf, mil, nano\[-VARIANT\]:FOLDER"),
            ("rar-fast@best", "preset 'best': expected quality, balanced, fast"),
            ("opencv:nano:/nowhere", r"one \*backbone\*\.onnx"),
        ],
    )
    def test_what_cannot_be_understood_is_said_in_a_line(self, text, said):
        with pytest.raises(InputError, match=said):
            parse_tracker(text)

    def test_settings_go_before_a_preset(self):
        spec = parse_tracker("rar-fast@quality", settings={"tracking.update_interval": 7})
        assert PRESETS["quality"]["tracking.update_interval"] != 7
        assert dict(spec.settings) == {**PRESETS["quality"], "tracking.update_interval": 7}

    def test_a_whole_section_of_settings_is_refused(self):
        spec = parse_tracker("rar-fast", settings={"tracking": {"update_interval": 7}})
        trial = TrialTracker(1, "rar-fast", "cpu", spec.settings)
        for say in (spec.describe, trial.describe, lambda: trial.build(1)):
            with pytest.raises(InputError, match="settings: 'tracking' is a section"):
                say()

    def test_a_spec_travels_to_other_processes(self):
        for text in ("opencv:mil", "rar-fast", "a.b:c", "trax:x y"):
            settings = {"filter.form": "shared", "tracking.size_limits": [0.5, 2.0]}
            spec = parse_tracker(text, settings=settings)
            assert pickle.loads(pickle.dumps(spec)) == spec
            assert hash(spec) == hash(parse_tracker(text, settings=settings))

    def test_threads_are_all_libraries(self):
        before = torch.get_num_threads(), cv2.getNumThreads()
        try:
            parse_tracker("rar-fast").build(1)
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
        finally:
            torch.set_num_threads(before[0])
            cv2.setNumThreads(before[1])


class TestCallable:
    def test_the_module_is_imported_by_name_or_from_its_file(self):
        assert isinstance(parse_tracker("fake_trackers:Still").build(1), fake_trackers.Still)
        assert type(parse_tracker(fake_trackers.spec("Still")).build(1)).__name__ == "Still"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("no_such_module:Tracker", "not found; give its file"),
            ("/no/such/file.py:Tracker", "no such file"),
            ("fake_trackers:Nobody", "no callable 'Nobody'"),
        ],
    )
    def test_what_is_not_there(self, text, said):
        with pytest.raises(InputError, match=said):
            parse_tracker(text).describe()

    def test_the_description_changes_with_the_code(self, tmp_path):
        (tmp_path / "mine.py").write_text("__version__ = '1.2'\ndef make(): ...\n")
        spec = parse_tracker(f"{tmp_path}/mine.py:make")
        before = spec.describe()
        assert before["version"] == "1.2"
        (tmp_path / "mine.py").write_text("__version__ = '1.2'\ndef make(): pass\n")
        assert spec.describe()["code"] != before["code"]

    def test_the_description_changes_with_the_code_that_a_package_takes_from_elsewhere(self, tmp_path, monkeypatch):
        package = tmp_path / "their_package"
        package.mkdir()
        (package / "__init__.py").write_text("from their_package.inside import Theirs\n")
        (package / "inside.py").write_text("class Theirs:\n    speed = 1\n")
        monkeypatch.syspath_prepend(tmp_path)
        spec = parse_tracker("their_package:Theirs")
        before = spec.describe()["code"]
        (package / "inside.py").write_text("class Theirs:\n    speed = 2\n")
        assert spec.describe()["code"] != before

    def test_the_description_changes_with_what_its_file_imports_from_its_folder(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "near").mkdir()
        (tmp_path / "near/deep.py").write_text("speed = 1\n")
        (tmp_path / "near/__init__.py").write_text("def late():\n    from . import deep\n")
        (tmp_path / "nearby.py").write_text("import near\nspeed = 1\n")
        (tmp_path / "unrelated.py").write_text("")
        (tmp_path / "mine.py").write_text("from nearby import speed\ndef make(): ...\n")
        (tmp_path / "other.py").write_text("import near.deep, nearby, unrelated\ndef make(): ...\n")
        spec = parse_tracker(f"{tmp_path}/mine.py:make")
        before = spec.describe()["code"]
        parse_tracker(f"{tmp_path}/other.py:make").describe()
        (tmp_path / "unrelated.py").write_text("speed = 2\n")
        assert spec.describe()["code"] == before
        for name in ("nearby.py", "near/deep.py"):
            (tmp_path / name).write_text("import near\nspeed = 2\n")
            after = spec.describe()["code"]
            assert after != before
            before = after

    def test_what_is_installed_beside_it_is_not_its_code(self, tmp_path, monkeypatch):
        installed = tmp_path / "venv/lib/site-packages"
        installed.mkdir(parents=True)
        monkeypatch.syspath_prepend(installed)
        (installed / "their_library.py").write_text("")
        (tmp_path / "mine.py").write_text("import json, numpy, their_library\ndef make(): ...\n")
        spec = parse_tracker(f"{tmp_path}/mine.py:make")
        before = spec.describe()["code"]
        (installed / "their_library.py").write_text("speed = 2\n")
        assert spec.describe()["code"] == before == hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()

    def test_what_it_says_of_itself_counts(self, tmp_path):
        (tmp_path / "mine.py").write_text(
            "from pathlib import Path\nclass Mine:\n    version = Path(__file__).with_name('weights.pt').read_text()\n"
        )
        (tmp_path / "weights.pt").write_text("one")
        assert parse_tracker(f"{tmp_path}/mine.py:Mine").describe()["own_version"] == "one"


class Recorder:
    """Stands in for one of OpenCV's trackers."""

    def __init__(self, answers):
        self.answers, self.frames = answers, []

    def init(self, frame, box):
        self.frames.append(frame)
        self.box = box

    def update(self, frame):
        self.frames.append(frame)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class TestOpenCVEdge:
    def make(self, monkeypatch, *answers):
        recorder = Recorder(list(answers))
        monkeypatch.setattr("rartrack.evaluation.opencv._create", lambda _: recorder)
        return recorder, RunningOpenCV(OpenCVTracker("opencv-kcf", "kcf"), threads=1)

    def test_frames_are_turned_to_bgr(self, monkeypatch):
        recorder, tracker = self.make(monkeypatch, (True, (1, 2, 3, 4)))
        red = np.zeros((20, 30, 3), np.uint8)
        red[..., 0] = 255
        tracker.init(red, Box(1, 2, 3, 4))
        tracker.update(red)
        assert all(frame[0, 0].tolist() == [0, 0, 255] for frame in recorder.frames)

    @pytest.mark.parametrize(
        ("box", "given"),
        [
            ((1.6, 2.4, 3.6, 4.6), (2, 2, 4, 5)),
            ((-5, -5, 10, 12), (0, 0, 5, 7)),
            ((25, 15, 10, 10), (25, 15, 5, 5)),
            ((3, 3, 0.2, 0.2), (3, 3, 1, 1)),
        ],
    )
    def test_boxes_are_rounded_and_cut_to_the_frame(self, monkeypatch, box, given):
        recorder, tracker = self.make(monkeypatch)
        tracker.init(np.zeros((20, 30, 3), np.uint8), Box(*box))
        assert recorder.box == given

    def test_after_a_failure_the_last_box_is_kept(self, monkeypatch):
        answers = [(True, (5, 6, 7, 8)), (False, (0, 0, 0, 0)), cv2.error("no"), (True, (9, 9, 9, 9))]
        _, tracker = self.make(monkeypatch, *answers)
        frame = np.zeros((20, 30, 3), np.uint8)
        tracker.init(frame, Box(1, 2, 3, 4))
        found = [tracker.update(frame) for _ in range(4)]
        assert found == [(5, 6, 7, 8), (5, 6, 7, 8), (5, 6, 7, 8), (9, 9, 9, 9)]

    def test_a_failure_in_the_first_frame_leaves_the_box_given(self, monkeypatch):
        _, tracker = self.make(monkeypatch, (False, (0, 0, 0, 0)))
        frame = np.zeros((20, 30, 3), np.uint8)
        tracker.init(frame, Box(1.5, 2, 3, 4))
        assert tracker.update(frame) == (1.5, 2, 3, 4)


class TestOpenCVOnRealFrames:
    @pytest.mark.parametrize("kind", ["csrt", "kcf", "mil", "nano-v1", "nano-v2"])
    def test_it_follows_a_pedestrian_for_ten_frames(self, shared, kind):
        word = f"opencv:{kind}" + (f":{shared}/peers/nanotrack" if "nano" in kind else "")
        sequence = load_dataset(shared / "otb-layout", sequences=["Crossing"])[0]
        cv2.setRNGSeed(0)  # MIL draws; what ran before must not matter
        tracker = parse_tracker(word).build(1)
        tracker.init(sequence.frames[0], Box(*sequence.boxes[0]))
        found = [tracker.update(sequence.frames[index]) for index in range(1, 10)]
        assert iou(found, sequence.boxes[1:10]).mean() > 0.5

    def test_variants_of_nano_must_be_told_apart(self, shared):
        with pytest.raises(InputError, match="name folder and variant"):
            parse_tracker(f"opencv:nano:{shared}/peers/nanotrack")

    def test_the_description_holds_the_networks_hashes(self, shared):
        described = parse_tracker(f"opencv:nano-v2:{shared}/peers/nanotrack").describe()
        assert sorted(described["weights"]) == ["nanotrackv2_backbone.onnx", "nanotrackv2_head.onnx"]
        assert described["version"] == cv2.__version__


@pytest.mark.parametrize("path", ["C:\\work\\mine.py", "C:\\Program Files (x86)\\mine.py", "/home/x (y)/mine.py"])
def test_a_file_is_named_as_any_system_names_it(path: str) -> None:
    spec = parse_tracker(f"{path}:make")
    assert isinstance(spec, CallableTracker)
    assert (spec.module, spec.attribute) == (str(Path(path).resolve()), "make")


def test_a_command_on_windows_keeps_its_backslashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "os", SimpleNamespace(name="nt"))
    spec = parse_tracker('one=trax:C:\\tools\\tracker.exe "C:\\my models\\a.bin"')
    assert isinstance(spec, TraxTracker)
    assert spec.command == ("C:\\tools\\tracker.exe", "C:\\my models\\a.bin")
