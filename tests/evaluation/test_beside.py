"""What a report takes from the side files of our own results."""

from __future__ import annotations

import json
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
    def test_what_is_given_must_not_contradict_it(self, folder, tmp_path, protocol, capsys):
        run(folder, tmp_path / "out", "Still", settings=Settings(protocol))
        words = ["report", str(tmp_path / "out"), "--dataset", str(folder), "--protocol", protocol.name]
        assert main([*words, "--boxes", "0-based"]) == 0
        capsys.readouterr()
        assert main([*words, "--boxes", "1-based"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("rartrack: --boxes 1-based: ")
        assert "counts from 0, as a" in error
        assert error.count("\n") == 1

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
        with pytest.raises(InputError, match=r"--boxes 0-based: .*b\.txt counts from 1"):
            figures(tmp_path / "out", folder, given_origin=0)


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
