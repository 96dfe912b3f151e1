"""Results that are there: which are kept, which are refused, and what is left of runs that were ended."""

from __future__ import annotations

import errno
import os

import fake_trackers
import pytest
from evaluation_runs import names_of, run, texts

from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.protocols import TRE, VOT
from rartrack.evaluation.run import Settings, evaluate
from rartrack.evaluation.store import locked
from rartrack.evaluation.trackers import parse_tracker

pytestmark = pytest.mark.usefixtures("one_process")


class TestKeeping:
    def test_what_is_there_is_kept(self, folder, tmp_path):
        run(folder, tmp_path / "out", sequences=["a"])
        before = (tmp_path / "out/drifter/a.txt").stat().st_mtime_ns
        summary = run(folder, tmp_path / "out")
        assert names_of(summary.kept) == ["a"]
        assert sorted(names_of(summary.done)) == ["b", "c"]
        assert (tmp_path / "out/drifter/a.txt").stat().st_mtime_ns == before

    def test_order_and_number_of_workers_change_nothing(self, folder, tmp_path):
        run(folder, tmp_path / "one")
        run(folder, tmp_path / "two", sequences=["c", "b", "a"], workers=2)
        assert texts(tmp_path / "one") == texts(tmp_path / "two")

    @pytest.mark.parametrize(
        ("change", "said"), [({"seed": 1}, "seed was 0, is now 1"), ({"first": 5}, "first was None, is now 5")]
    )
    def test_results_made_otherwise_are_refused_with_the_difference(self, folder, tmp_path, change, said):
        run(folder, tmp_path / "out", sequences=["a"])
        with pytest.raises(InputError, match=said) as error:
            run(folder, tmp_path / "out", settings=Settings(**change))
        assert "a.txt" in str(error.value)
        assert "--overwrite" in str(error.value)
        assert not (tmp_path / "out/drifter/b.txt").exists()

    def test_other_sequences_results_made_otherwise_are_refused_too(self, folder, tmp_path):
        run(folder, tmp_path / "out", sequences=["a"])
        with pytest.raises(
            InputError, match=r"a\.json: made differently: seed was 0, is now 1; results of one tracker"
        ):
            run(folder, tmp_path / "out", settings=Settings(seed=1), sequences=["b"])
        assert not (tmp_path / "out/drifter/b.txt").exists()
        run(folder, tmp_path / "out", sequences=["b"])
        with pytest.raises(InputError, match=r"a\.json: made differently"):
            run(folder, tmp_path / "out", settings=Settings(seed=1), sequences=["b"], overwrite=True)
        assert (tmp_path / "out/drifter/b.txt").exists()  # nothing is deleted before it is clear
        run(folder, tmp_path / "out", settings=Settings(TRE, seed=1), sequences=["b"])  # scored apart
        run(folder, tmp_path / "out", settings=Settings(seed=1), overwrite=True)
        assert names_of(run(folder, tmp_path / "out", settings=Settings(seed=1)).kept) == ["a", "b", "c"]

    def test_another_data_set_may_count_pixels_otherwise(self, folder, tmp_path):
        run(folder, tmp_path / "out", sequences=["a"])
        run(folder, tmp_path / "out", settings=Settings(origin=1), sequences=["b"])

    def test_repetitions_of_a_run_that_was_killed_are_not_left_beside_the_next(self, folder, tmp_path):
        place = tmp_path / "out/still/a"
        place.mkdir(parents=True)
        for number in range(4, 16):
            (place / f"a_{number:03d}.txt").write_text("1\n")
        run(folder, tmp_path / "out", "Still", settings=Settings(VOT), sequences=["a"])
        assert sorted(path.name for path in place.glob("a_0*.txt")) == [f"a_{number:03d}.txt" for number in (1, 2, 3)]

    @pytest.mark.usefixtures("own_processes")
    def test_after_a_failure_the_tracker_is_loaded_anew(self, folder, tmp_path):
        (tmp_path / "mine.py").write_text(
            "from pathlib import Path\n"
            "class Broken:\n"
            "    def __init__(self):\n"
            "        self.made = Path(__file__).with_name('made.txt')\n"
            "        self.made.write_text(self.made.read_text() + 'x' if self.made.exists() else 'x')\n"
            "        self.broken = self.made.read_text() == 'x'\n"
            "    def init(self, frame, box):\n"
            "        if self.broken: raise RuntimeError('no more')\n"
            "        self.box = box\n"
            "    def update(self, frame): return self.box\n"
        )
        trackers = [parse_tracker(f"{tmp_path / 'mine.py'}:Broken")]
        summary = evaluate(load_dataset(folder), trackers, tmp_path / "out", workers=1)
        assert [job.sequence.name for job, _ in summary.failed] == ["a"]
        assert sorted(names_of(summary.done)) == ["b", "c"]
        assert (tmp_path / "made.txt").read_text() == "xx"

    @pytest.mark.usefixtures("own_processes")
    def test_another_trackers_code_is_noticed(self, folder, tmp_path):
        source = tmp_path / "mine.py"
        source.write_text(fake_trackers.HERE.read_text())
        trackers = [parse_tracker(f"{source}:Drifter")]
        evaluate(load_dataset(folder), trackers, tmp_path / "out", workers=1)
        source.write_text(source.read_text() + "\n# changed\n")
        with pytest.raises(InputError, match=r"tracker\.code was"):
            evaluate(load_dataset(folder), trackers, tmp_path / "out", workers=1)

    def test_another_annotation_is_noticed(self, folder, tmp_path):
        run(folder, tmp_path / "out")
        (folder / "a.txt").write_text((folder / "a.txt").read_text().replace("4,5", "3,5", 1))
        with pytest.raises(InputError, match=r"sequence\.annotation was"):
            run(folder, tmp_path / "out")

    def test_somebodys_results_are_not_taken_for_ours(self, folder, tmp_path):
        (tmp_path / "out/drifter").mkdir(parents=True)
        (tmp_path / "out/drifter/a.txt").write_text("1,2,3,4\n")
        with pytest.raises(InputError, match=r"no \.json beside it"):
            run(folder, tmp_path / "out")

    def test_a_result_changed_by_hand_is_noticed(self, folder, tmp_path):
        run(folder, tmp_path / "out")
        (tmp_path / "out/drifter/a.txt").write_text("1,2,3,4\n")
        with pytest.raises(InputError, match="changed since"):
            run(folder, tmp_path / "out")

    def test_overwrite_redoes_them(self, folder, tmp_path):
        run(folder, tmp_path / "out")
        summary = run(folder, tmp_path / "out", settings=Settings(seed=1), overwrite=True)
        assert sorted(names_of(summary.done)) == ["a", "b", "c"]
        run(folder, tmp_path / "fresh", settings=Settings(seed=1))
        assert texts(tmp_path / "out") == texts(tmp_path / "fresh")

    def test_a_second_run_into_the_same_folder_is_refused(self, folder, tmp_path):
        with locked(tmp_path / "out"), pytest.raises(InputError, match="another run is writing here"):
            run(folder, tmp_path / "out")
        assert run(folder, tmp_path / "out", sequences=["a"]).done

    def test_half_written_files_are_removed(self, folder, tmp_path):
        (tmp_path / "out/drifter").mkdir(parents=True)
        (tmp_path / "out/drifter/a.txt.9.partial").write_text("1,2")
        os.utime(tmp_path / "out/drifter/a.txt.9.partial", (0, 0))
        run(folder, tmp_path / "out", sequences=["a"])
        assert not list((tmp_path / "out").rglob("*.partial"))

    @pytest.mark.parametrize("full_at", ["b.txt", "b.json", "speed.csv"])
    def test_a_full_disk_is_said_with_the_file_and_keeps_what_was_done(self, folder, tmp_path, monkeypatch, full_at):
        sync = os.fsync

        def full(descriptor):
            if any(path.name.startswith(full_at) for path in tmp_path.rglob("*.partial")):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(InputError) as error:
                run(folder, tmp_path / "out")
        path = tmp_path / "out/drifter" / full_at
        assert str(error.value) == f"{path}: cannot write: No space left on device; what was there before is kept"
        assert not path.exists()
        assert not list(tmp_path.rglob("*.partial"))
        assert "a" in names_of(run(folder, tmp_path / "out").kept)
