"""What a report takes from the side files of our own results."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_runs import run

from rartrack.cli.main import main
from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.protocols import OPE, TRE, VOT, VOT_REALTIME
from rartrack.evaluation.run import Settings
from rartrack.evaluation.scoreboard import score_results

pytestmark = pytest.mark.usefixtures("one_process")


def figures(results: Path, folder: Path, **options) -> dict[str, float]:
    return dict(score_results(results, load_dataset(folder), **options).main[0].figures)


class TestFirstPixel:
    @pytest.mark.parametrize("protocol", [OPE, TRE])
    def test_it_is_what_is_said_beside_the_result(self, folder, tmp_path, protocol):
        for origin in (0, 1):
            run(folder, tmp_path / f"{origin}", "Still", settings=Settings(protocol, origin=origin))
        from_0, from_1 = (figures(tmp_path / name, folder, protocol=protocol.name) for name in ("0", "1"))
        assert from_0 == from_1

    def test_a_data_set_that_counts_from_1_takes_results_that_count_from_0(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still")
        counted_from_1 = replace(load_dataset(folder), origin=1)
        score = score_results(tmp_path / "out", counted_from_1).main[0]
        np.testing.assert_allclose(score.boxes["a"], np.loadtxt(tmp_path / "out/still/a.txt", delimiter=","))

    @pytest.mark.parametrize("protocol", [OPE, TRE])
    def test_what_is_given_is_of_other_results(self, folder, tmp_path, protocol):
        run(folder, tmp_path / "out", "Still", settings=Settings(protocol))
        given = [figures(tmp_path / "out", folder, protocol=protocol.name, given_origin=origin) for origin in (0, 1)]
        assert given[0] == given[1]

    @pytest.mark.parametrize("text", ["{}", "[1]", '{"boxes": [1], "files": {"a.txt": ""}}', "no json"])
    def test_a_side_file_of_somebody_elses_says_nothing(self, folder, tmp_path, text):
        run(folder, tmp_path / "out", "Still", settings=Settings(origin=1))
        right = figures(tmp_path / "out", folder)
        for path in (tmp_path / "out/still").glob("*.json"):
            path.write_text(text)
        assert figures(tmp_path / "out", folder) != right
        assert figures(tmp_path / "out", folder, given_origin=1) == right

    def test_it_is_of_the_files_it_names_alone(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still", settings=Settings(origin=1))
        side = tmp_path / "out/still/a.json"
        side.write_text(json.dumps({**json.loads(side.read_text()), "files": {"other.txt": ""}}))
        right = figures(tmp_path / "out", folder, given_origin=1)
        assert figures(tmp_path / "out", folder, given_origin=0) != right


class TestFailures:
    @pytest.mark.parametrize("protocol", [OPE, TRE, VOT, VOT_REALTIME])
    def test_a_tracker_that_failed_on_every_sequence_is_said_to_be_left_out(self, folder, tmp_path, protocol, capsys):
        run(folder, tmp_path / "out", "Still", "Raising", settings=Settings(protocol), sequences=["b"])
        assert not list((tmp_path / "out/raising").rglob("*.txt"))
        words = ["--dataset", str(folder), "--sequences", "b", "--protocol", protocol.name]
        assert main(["report", str(tmp_path / "out"), *words]) == 0
        said = capsys.readouterr().err
        assert "rartrack: raising: left out, failed on 1 of 1 (raising/" in said
        assert ".error: " in said
        assert "RuntimeError: no idea)\n" in said

    def test_where_a_tracker_failed_on_some_the_reason_is_said(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Raising")
        board = score_results(tmp_path / "out", load_dataset(folder), partial=True)
        assert board.remarks == (
            "raising: no result for 1 (b) of 3 sequences",
            "raising: failed on 1 of 3 (raising/b.error: frame 5: RuntimeError: no idea)",
        )

    def test_where_all_failed_that_is_why_nothing_can_be_scored(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Raising", sequences=["b"])
        with pytest.raises(InputError, match=r"raising: left out, failed on 1 of 1 \(raising/b\.error: frame 5: "):
            score_results(tmp_path / "out", load_dataset(folder, sequences=["b"]))


class TestFirstFrames:
    @pytest.mark.parametrize("protocol", [OPE, TRE, VOT])
    @pytest.mark.parametrize("first", [5, 11])
    def test_that_results_are_of_the_first_frames_alone_is_said_once_a_tracker(self, folder, tmp_path, protocol, first):
        run(folder, tmp_path / "out", "Still", "Drifter", settings=Settings(protocol, first=first))
        with pytest.raises(InputError) as error:
            figures(tmp_path / "out", folder, protocol=protocol.name)
        for name in ("still", "drifter"):
            why = f"{name}: left out, no complete results for 3 of 3 sequences"
            assert str(error.value).count(f"{why} (made with --first {first}: give --first {first})") == 1
        assert ".txt" not in str(error.value)
        assert figures(tmp_path / "out", folder, protocol=protocol.name, first=first)

    def test_it_is_said_too_where_other_trackers_are_scored(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still")
        run(folder, tmp_path / "out", "Drifter", settings=Settings(first=5))
        board = score_results(tmp_path / "out", load_dataset(folder))
        assert board.remarks == (
            "drifter: made with --first 5: give --first 5",
            "drifter: left out, no complete results for 3 of 3 sequences",
        )

    def test_of_many_trackers_the_reasons_of_three_are_said(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still", settings=Settings(first=5))
        for number in range(4):
            shutil.copytree(tmp_path / "out/still", tmp_path / f"out/still{number}")
        with pytest.raises(InputError, match=r"; 2 more$") as error:
            figures(tmp_path / "out", folder)
        assert str(error.value).count("give --first 5") == 3


class TestNested:
    @pytest.mark.parametrize("protocol", [VOT_REALTIME, TRE])
    def test_folders_of_our_own_protocols_are_no_trackers(self, folder, tmp_path, protocol):
        run(folder, tmp_path / "out", "Still", settings=Settings(protocol))
        with pytest.raises(InputError) as error:
            figures(tmp_path / "out", folder)
        assert "looks like" not in str(error.value)
        assert "(no result for 3 (a, b, c) of 3 sequences)" in str(error.value)

    def test_beside_results_the_true_reason_is_said_alone(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still")
        shutil.copytree(tmp_path / "out/still", tmp_path / "out/still/old")
        (tmp_path / "out/still/a.txt").write_text("1,2,3\n")
        with pytest.raises(InputError, match=r"1 of 3 sequences \(.*a\.txt: line 1 has 3 numbers.*scores the rest$"):
            figures(tmp_path / "out", folder)

    def test_trackers_one_folder_deeper_are_pointed_at_after_the_reason(self, folder, tmp_path):
        run(folder, tmp_path / "all/out", "Still")
        hint = rf"3 of 3 sequences \(.*; \S*still looks like a tracker's results; pass {tmp_path / 'all/out'}"
        with pytest.raises(InputError, match=hint):
            figures(tmp_path / "all", folder)


class TestChanged:
    @pytest.mark.parametrize(
        ("protocol", "name"), [(OPE, "a.txt"), (TRE, "tre/a_01.txt"), (VOT, "a/a_001.txt"), (VOT, "a/a_003.txt")]
    )
    def test_results_that_were_changed_since_are_said_to_be(self, folder, tmp_path, protocol, name):
        run(folder, tmp_path / "out", "Still", settings=Settings(protocol))
        dataset = load_dataset(folder)
        before = score_results(tmp_path / "out", dataset, protocol=protocol.name).remarks
        path = tmp_path / "out/still" / name
        path.write_text(path.read_text().replace("4,5,", "4,6,"))
        after = score_results(tmp_path / "out", dataset, protocol=protocol.name).remarks
        assert [remark for remark in after if remark not in before] == [f"{path}: changed since it was written"]

    def test_of_many_the_first_is_named(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still")
        for path in (tmp_path / "out/still").glob("?.txt"):
            path.write_text(path.read_text() + "\n")
        (remark,) = score_results(tmp_path / "out", load_dataset(folder)).remarks
        assert remark.endswith("a.txt: changed since it was written, as were 2 more of its results")

    def test_where_nothing_can_be_scored_for_it_that_is_said(self, folder, tmp_path):
        run(folder, tmp_path / "out", "Still")
        path = tmp_path / "out/still/a.txt"
        path.write_text("4,5,8.5,6\n")
        with pytest.raises(InputError, match=r"1 lines, shorter than its 12 frames; .*a\.txt: changed since it was"):
            figures(tmp_path / "out", folder)
