"""The report as a user asks for it, on a small benchmark of known figures."""

from __future__ import annotations

import csv
import errno
import html
import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from rartrack.cli.main import main
from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.scoreboard import Scoreboard, score_results
from rartrack.outputs import make_folder
from rartrack.report import catalogue, worst_frames
from rartrack.report.drawing import save
from rartrack.report.plots import speed_plot
from rartrack.report.summaries import comparisons
from rartrack.report.write import write_report

TABLE_ONLY = ("--table", "small-overall")
"""No plots, which take seconds."""
PICTURE = cv2.imencode(".jpg", np.zeros((60, 80, 3), np.uint8))[1].tobytes()
SUCCESS_OF_HALF = 0.5 * 20 / 21
"""Half of the frames have overlap 1, which is above 20 of the 21 thresholds; the rest is above none."""


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _scores(path: Path) -> dict[tuple[str, str, str], float]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["benchmark", "tracker", "rules", "metric", "value"]
    return {(row["tracker"], row["rules"], row["metric"]): float(row["value"]) for row in rows}


def test_scores_are_written_in_full(annotations: Path, results: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    arguments = ["report", str(results), "--dataset", str(annotations), "--rules", "toolkit,pysot", *TABLE_ONLY]
    assert main([*arguments, "--output", str(output)]) == 0
    found = _scores(output / "scores.csv")
    for rules in ("toolkit", "pysot"):
        assert found["perfect", rules, "auc"] == pytest.approx(20 / 21, abs=1e-15)
        assert found["perfect", rules, "dp20"] == 1
        assert found["halved", rules, "auc"] == pytest.approx(SUCCESS_OF_HALF, abs=1e-15)
        assert found["halved", rules, "dp20"] == 0.5


def test_a_report_holds_tables_plots_and_one_page_that_needs_nothing_else(
    annotations: Path, results: Path, tmp_path: Path
) -> None:
    board = score_results(results, load_dataset(annotations))
    paths = write_report([board], tmp_path / "report")
    names = {path.relative_to(tmp_path / "report").as_posix() for path in paths}
    assert {"scores.csv", "sequences.csv", "attributes.csv", "index.html"} <= names
    assert {f"tables/small-overall.{ending}" for ending in ("csv", "md", "tex")} <= names
    assert {f"plots/small-{kind}.{ending}" for kind in ("curves", "ranking") for ending in ("svg", "png")} <= names
    page = paths[-1].read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "perfect" in page
    assert "0.9524" in page


def _time(results: Path, seconds: float) -> None:
    for name in ("alpha", "beta", "gamma"):
        np.savetxt(results / "perfect" / f"{name}_time.txt", np.full(20, seconds))


def _fill(monkeypatch: pytest.MonkeyPatch, output: Path, full_at: str) -> None:
    """Let the disk be full when a file is written."""
    sync = os.fsync

    def full(descriptor: int) -> None:
        if any(path.name.startswith(full_at) for path in output.rglob("*.partial")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}


def test_a_second_report_removes_the_tables_and_plots_of_the_first(
    annotations: Path, results: Path, tmp_path: Path
) -> None:
    _time(results, 0.01)
    dataset, output = load_dataset(annotations), tmp_path / "report"
    first = score_results(results, dataset)
    write_report([first], output)
    own = {"tables/mine.csv", "plots/mine.png", "notes.txt"}
    for name in own:
        (output / name).write_text("precious")
    edited = "tables/small-comparison.tex"
    (output / edited).write_text("edited")
    assert {"plots/small-speed.svg", "tables/small-comparison.csv"} <= _names(output)
    second = write_report([score_results(results, dataset, trackers=["halved"])], output)
    written = {path.relative_to(output).as_posix() for path in second}
    assert _names(output) == written | own | {edited, "files.sha256"}
    assert "plots/small-speed.svg" not in written


@pytest.mark.parametrize("full_at", ["small-speed.png", "index.html"])
def test_what_a_report_wrote_before_it_broke_off_is_known_for_a_reports(
    annotations: Path, results: Path, tmp_path: Path, monkeypatch, full_at: str
) -> None:
    dataset, output = load_dataset(annotations), tmp_path / "report"
    _time(results, 0.01)
    write_report([score_results(results, dataset)], output)
    _time(results, 0.03)
    with monkeypatch.context() as patch:
        _fill(patch, output, full_at)
        with pytest.raises(InputError, match=f"{full_at}: cannot write"):
            write_report([score_results(results, dataset)], output)
    (output / "tables" / "small-comparison.tex").write_text("edited")
    written = write_report([score_results(results, dataset, trackers=["halved"])], output)
    names = {path.relative_to(output).as_posix() for path in written}
    assert _names(output) == names | {"tables/small-comparison.tex", "files.sha256"}


def test_chosen_tables_and_figures_are_added_to_what_is_there(annotations: Path, results: Path, tmp_path: Path) -> None:
    arguments = ["report", str(results), "--dataset", str(annotations), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--table", "small-overall"]) == 0
    assert main([*arguments, "--table", "small-comparison"]) == 0
    assert {"tables/small-overall.md", "tables/small-comparison.md"} <= _names(tmp_path / "out")
    write_report([score_results(results, load_dataset(annotations), trackers=["halved"])], tmp_path / "out")
    assert "tables/small-overall.md" in _names(tmp_path / "out")
    assert "tables/small-comparison.md" not in _names(tmp_path / "out")


def test_the_same_results_give_the_same_plot(annotations: Path, results: Path, tmp_path: Path) -> None:
    boards = [score_results(results, load_dataset(annotations))]
    draw = catalogue.choose_figure("small-ranking", boards)
    once, again = (save(draw(), make_folder(tmp_path / name), "ranking") for name in ("once", "again"))
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def drawn_lines(figure: Figure) -> int:
    """Curves and dots of all plots of a figure that have a place."""
    return sum(len(line.get_xydata()) > 0 for axis in figure.axes for line in axis.get_lines())


def assert_titles_say_the_first_frames(board: Scoreboard) -> None:
    """Of all figures of a board: that it is of the first frames only, and only if it is."""
    for first in (None, 250):
        for name, draw in catalogue.figures([replace(board, first=first)]).items():
            figure = draw()
            titles = figure.get_suptitle() + "".join(axis.get_title(loc="left") for axis in figure.axes)
            assert ("first 250 frames" in titles) == (first is not None), name


def test_every_figure_of_an_otb_board_is_drawn(annotations: Path, results: Path) -> None:
    board = score_results(results, load_dataset(annotations))
    attributes = {"alpha": ("OCC", "FM"), "beta": ("OCC",), "gamma": ("OCC",)}
    known = {name: replace(sequence, attributes=attributes[name]) for name, sequence in board.sequences.items()}
    board = replace(board, benchmark="otb2015", sequences=known)
    found = catalogue.figures([board])
    assert set(found) == {"otb2015-ranking", "otb2015-curves", "otb2015-attributes", "fig8", "fig9"}
    for name, draw in found.items():
        assert drawn_lines(draw()) >= len(board.main), name
    by_attribute = found["fig9"]()
    shown = [title for axis in by_attribute.axes if (title := axis.get_title(loc="left"))]
    assert sorted(shown) == ["Fast motion (1)", "Occlusion (3)"]
    curves = {line.get_label(): line.get_ydata() for line in by_attribute.axes[0].get_lines()}
    assert all(max(values) <= 1 for values in curves.values())
    assert_titles_say_the_first_frames(
        replace(board, scores=tuple(replace(each, seconds=0.1) for each in board.scores))
    )


def test_a_plot_of_speed_is_numbered_plainly_and_blows_up_no_difference(annotations: Path, results: Path) -> None:
    board = score_results(results, load_dataset(annotations))
    alike = [
        replace(score, figures={**score.figures, "auc": 0.67 + 1e-4 * n}, seconds=s)
        for n, (score, s) in enumerate(zip(board.scores, (1 / 30, 1 / 80), strict=True))
    ]
    figure = speed_plot(replace(board, scores=tuple(alike)), {score.tracker: "black" for score in alike})
    axis = figure.axes[0]
    figure.canvas.draw()
    low, high = axis.get_ylim()
    assert high - low >= 0.05
    labels = [label.get_text() for label in (*axis.get_xticklabels(), *axis.get_xticklabels(minor=True))]
    assert {"20", "50", "100"} <= set(labels)


def test_every_figure_of_a_challenge_is_drawn(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "vot" / name / "color").mkdir(parents=True)
        (tmp_path / "vot" / name / "groundtruth.txt").write_text("10,10,30,10,30,20,10,20\n" * 40)
        for frame in range(1, 41):
            (tmp_path / "vot" / name / "color" / f"{frame:08d}.jpg").write_bytes(PICTURE)
        # The first fails once; 2 is a failure, five frames of 0 follow, then it is started again.
        runs = {"fails": ["1", *["10,10,20,10"] * 9, "2", *["0"] * 4, "1", *["10,10,20,10"] * 24], "holds": []}
        runs["holds"] = ["1", *["12,10,20,10"] * 39]
        for tracker, lines in runs.items():
            write_lines(tmp_path / "results" / tracker / name / f"{name}_001.txt", lines)
    board = score_results(tmp_path / "results", load_dataset(tmp_path / "vot"))
    assert {score.tracker: score.figures["robustness"] > 0 for score in board.main} == {"fails": True, "holds": False}
    board = replace(board, benchmark="vot2017")
    found = catalogue.figures([board])
    assert set(found) == {"vot2017-ranking", "vot2017-eao", "vot2017-accuracy-robustness", "fig10"}
    for name, draw in found.items():
        assert drawn_lines(draw()) >= 2, name
    (axis,) = found["vot2017-accuracy-robustness"]().axes
    chances = {round(float(line.get_xdata()[0]), 3) for line in axis.get_lines()}
    assert 1.0 in chances
    assert min(chances) < 1
    papers = [text.get_text() for text in found["fig10"]().axes[0].texts]
    assert "RAR, paper: 0.283" in papers
    assert_titles_say_the_first_frames(board)


def test_without_output_only_the_table_is_printed(
    annotations: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(results), "--dataset", str(annotations), "--format", "csv"]) == 0
    rows = list(csv.reader(capsys.readouterr().out.strip().splitlines()))
    assert [row[0] for row in rows] == ["tracker", "perfect", "halved"]


def test_boxes_counted_from_0_are_told_apart(annotations: Path, results: Path, tmp_path: Path) -> None:
    for name in ("alpha", "beta", "gamma"):
        path = results / "perfect" / f"{name}.txt"
        boxes = np.loadtxt(path, delimiter=",")
        np.savetxt(path, boxes - [1, 1, 0, 0], delimiter=",")
    arguments = ["report", str(results), "--dataset", str(annotations), "--trackers", "perfect", *TABLE_ONLY]
    assert main([*arguments, "--output", str(tmp_path / "wrong")]) == 0
    assert main([*arguments, "--output", str(tmp_path / "right"), "--boxes", "0-based"]) == 0
    assert _scores(tmp_path / "wrong" / "scores.csv")["perfect", "toolkit", "auc"] < 0.9
    assert _scores(tmp_path / "right" / "scores.csv")["perfect", "toolkit", "auc"] == pytest.approx(20 / 21)


def test_the_beginning_of_sequences_can_be_scored_alone(annotations: Path, results: Path) -> None:
    board = score_results(results, load_dataset(annotations), first=10)
    assert {score.tracker: score.figures["dp20"] for score in board.main} == {"perfect": 1, "halved": 1}


def test_a_part_is_called_a_part(annotations: Path, results: Path, tmp_path: Path, capsys) -> None:
    words = ["report", str(results), "--dataset", str(annotations), "--first", "10", "--sequences", "alpha,beta"]
    assert main([*words, "--output", str(tmp_path / "out"), *TABLE_ONLY]) == 0
    said = capsys.readouterr().out
    assert "small: the first 10 frames, not comparable to whole results" in said
    assert "small: 2 of 3 sequences, not comparable to whole results" in said
    found = _scores(tmp_path / "out" / "scores.csv")
    assert (found["perfect", "toolkit", "first_frames"], found["perfect", "toolkit", "left_out_sequences"]) == (10, 1)
    part = score_results(results, load_dataset(annotations, sequences=["alpha"]), first=9)
    for name, table in catalogue.tables([part]).items():
        assert any("the first 9 frames" in note for note in table.notes), name
        assert any("1 of 3 sequences" in note for note in table.notes), name
    board = score_results(results, load_dataset(annotations))
    assert not catalogue.choose_table("small-overall", [board]).notes


def test_files_that_a_mac_leaves_behind_are_passed_over(annotations: Path, results: Path) -> None:
    for folder in (annotations, results / "perfect", results / "halved"):
        for name in ("alpha", "beta"):
            (folder / f"._{name}.txt").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X\377\376")
    board = score_results(results, load_dataset(annotations))
    assert list(board.sequences) == ["alpha", "beta", "gamma"]
    assert [score.tracker for score in board.main] == ["perfect", "halved"]
    assert not board.remarks


def test_incomplete_results_are_left_out_with_one_line_each(
    annotations: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "halved" / "beta.txt").unlink()
    (results / "halved" / "stranger.txt").write_text("1,2,3,4\n")
    assert main(["report", str(results), "--dataset", str(annotations)]) == 0
    output = capsys.readouterr()
    assert "halved" not in output.out
    lines = output.err.splitlines()
    assert "rartrack: halved: no result for 1 (beta) of 3 sequences" in lines
    assert "rartrack: halved: 1 (stranger) not in small, ignored" in lines
    assert any("halved: left out" in line and "--partial" in line for line in lines)


def test_incomplete_results_are_scored_on_request_and_marked(
    annotations: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results / "halved" / "beta.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:7]))
    assert main(["report", str(results), "--dataset", str(annotations), "--partial"]) == 0
    output = capsys.readouterr()
    assert "halved *" in output.out
    assert "only 2 of 3 sequences" in output.out
    assert "halved/beta.txt: 7 lines, shorter than its 40 frames" in output.err


def test_trackers_without_a_common_sequence_are_not_compared(annotations: Path, results: Path) -> None:
    (results / "halved" / "beta.txt").unlink()
    (results / "halved" / "gamma.txt").unlink()
    (results / "perfect" / "alpha.txt").unlink()
    table = comparisons(score_results(results, load_dataset(str(annotations)), partial=True))
    assert table is not None
    assert table.rows == (("halved", None, None, None, None),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rules", "pysott"], "has no rules 'pysott'; it has toolkit, pysot, got10k; did you mean 'pysot'?"),
        (["--trackers", "perfec"], "did you mean 'perfect'?"),
        (["--table", "table2"], "table2 needs results on otb2013 or otb2015"),
        (["--table", "table9"], "no table 'table9'"),
        (["--figure", "fig8"], "--figure needs --output"),
        (["--against", "nobody"], "no such tracker"),
        (["--rules", ","], "--rules ',' names nothing"),
        (["--dataset", " ,"], "--dataset ' ,' names nothing"),
        (["--trackers", ""], "--trackers '' names nothing"),
        (["--protocol", "vot", "--boxes", "1-based"], "--boxes 1-based: results of vot on small count from 0 always"),
        (["--protocol", "got10k", "--first", "1"], "no frame counts (first ones never do, nor unseen targets)"),
    ],
)
def test_wrong_use_is_one_line_and_exit_status_2(
    annotations: Path, results: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["report", str(results), "--dataset", str(annotations), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["index.html", "scores.csv", "attributes.csv", "files.sha256"])
def test_what_is_no_reports_is_not_replaced(
    annotations: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    output = tmp_path / "site"
    output.mkdir()
    (output / name).write_text("precious")
    command = ["report", str(results), "--dataset", str(annotations), "--output", str(output)]
    assert main(command) == 2
    assert f"{name}: not a report's, and would be replaced" in capsys.readouterr().err
    assert (output / name).read_text() == "precious"
    (output / name).unlink()
    assert main(command) == main(command) == 0  # its own is


def test_a_report_that_fails_leaves_no_folder(annotations: Path, results: Path, tmp_path: Path) -> None:
    command = ["report", str(results), "--dataset", str(annotations), "--output", str(tmp_path / "new" / "site")]
    for wrong in (["--trackers", "nobody"], ["--against", "nobody"], ["--table", "table9"]):
        assert main([*command, *wrong]) == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("full_at", ["scores.csv", "small-overall.md", "small-curves.svg", "index.html"])
def test_a_full_disk_is_said_with_the_file_and_keeps_the_earlier_one(
    annotations: Path, results: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str], full_at: str
) -> None:
    command = ["report", str(results), "--dataset", str(annotations), "--output", str(tmp_path / "out")]
    assert main([*command, *TABLE_ONLY]) == 0
    before = (tmp_path / "out" / "scores.csv").read_bytes()
    _fill(monkeypatch, tmp_path / "out", full_at)
    capsys.readouterr()
    assert main(command) == 2
    error = capsys.readouterr().err
    assert f"{full_at}: cannot write: No space left on device" in error
    assert error.count("\n") == 1
    assert (tmp_path / "out" / "scores.csv").read_bytes() == before
    assert not list((tmp_path / "out").rglob("*.partial"))
    assert all(path.stat().st_size for path in (tmp_path / "out").rglob("*.*"))


def test_nothing_to_score_is_one_line_and_exit_status_2(
    annotations: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tracker in results.iterdir():
        (tracker / "alpha.txt").write_text("1,2,3\n")
    assert main(["report", str(results), "--dataset", str(annotations)]) == 2
    assert "no tracker can be scored on small" in capsys.readouterr().err


def test_the_worst_frames_are_the_lowest_and_apart() -> None:
    overlap = np.ones(100)
    overlap[[0, 40, 41, 42, 80]] = 0.0
    overlap[60] = -1
    assert worst_frames.lowest(overlap, 2) == [40, 80]
    assert len(worst_frames.lowest(overlap, 3)) == 3


def test_a_page_shows_the_plots_of_its_own_report_alone(annotations: Path, results: Path, tmp_path: Path) -> None:
    _time(results, 0.01)
    dataset, output = load_dataset(annotations), tmp_path / "report"
    timed = write_report([score_results(results, dataset)], output)[-1].read_text(encoding="utf-8")
    untimed = write_report([score_results(results, dataset, trackers=["halved"])], output)[-1]
    assert "Speed" in timed
    assert "Speed" not in untimed.read_text(encoding="utf-8")


def test_two_data_sets_of_one_name_are_refused(
    annotations: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other" / annotations.name
    shutil.copytree(annotations, other)
    assert main(["report", str(results), "--dataset", f"{annotations},{other}"]) == 2
    assert capsys.readouterr().err == (
        f"rartrack: --dataset {other}: a second data set called small; report them one at a time\n"
    )


def test_a_folder_called_as_the_papers_tables_are_has_its_own(annotations: Path, results: Path, tmp_path: Path) -> None:
    shutil.copytree(annotations, tmp_path / "tabletop")
    words = ["report", str(results), "--dataset", str(tmp_path / "tabletop"), "--output", str(tmp_path / "report")]
    assert main(words) == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "The paper" not in page
    assert html.escape(shlex.join(["rartrack", *words])) in page
    comparison = (tmp_path / "report" / "tables" / "tabletop-comparison.tex").read_text(encoding="utf-8")
    assert comparison.isascii()
    assert r"$\Delta$ AUC" in comparison
