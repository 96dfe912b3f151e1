"""Trajectories on disk: what each format holds, that it reads back, and what a broken file is answered with."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rartrack.boxes import Box
from rartrack.errors import InputError
from rartrack.results import Record, Result, Status
from rartrack.trajectories import open_trajectory_writer, read_trajectories
from rartrack.trajectory_formats import FormatName


def record(frame: int, target: str, box: tuple[float, ...], score: float = 1.0, status: str = "tracked") -> Record:
    return Record(frame, frame / 25, target, Result(Box(*box), score, Status(status)))


DOG = [
    record(0, "dog", (10, 20, 30, 40)),
    record(1, "dog", (10.5, 20.25, 30, 40), 0.87654, "uncertain"),
    record(2, "dog", (-3, 0, 30, 40.00004), 0.1, "lost"),
]
CAT = [record(0, "cat, the", (1, 2, 3, 4)), record(1, "cat, the", (2, 2, 3, 4), 0.5)]
BOTH = [DOG[0], CAT[0], DOG[1], CAT[1], DOG[2]]


def written(path: Path, records: list[Record], format: FormatName | None = None) -> str:
    targets = list(dict.fromkeys(one.target for one in records))
    with open_trajectory_writer(path, targets, format) as writer:
        for one in records:
            writer.write(one)
    return path.read_text(encoding="utf-8")


def test_csv_has_the_promised_columns(tmp_path: Path) -> None:
    assert written(tmp_path / "a.csv", BOTH) == (
        "frame,time,target,x,y,w,h,score,status\n"
        "0,0,dog,10,20,30,40,1,tracked\n"
        '0,0,"cat, the",1,2,3,4,1,tracked\n'
        "1,0.04,dog,10.5,20.25,30,40,0.8765,uncertain\n"
        '1,0.04,"cat, the",2,2,3,4,0.5,tracked\n'
        "2,0.08,dog,-3,0,30,40,0.1,lost\n"
    )


def test_json_is_a_list_of_objects_with_the_same_names(tmp_path: Path) -> None:
    rows = json.loads(written(tmp_path / "a.json", DOG))
    assert rows[1] == {
        "frame": 1, "time": 0.04, "target": "dog", "x": 10.5, "y": 20.25, "w": 30, "h": 40, "score": 0.8765,
        "status": "uncertain",
    }  # fmt: skip
    assert len(rows) == 3


def test_otb_text_counts_pixels_from_1(tmp_path: Path) -> None:
    assert written(tmp_path / "a.txt", DOG) == "11,21,30,40\n11.5,21.25,30,40\n-2,1,30,40\n"


def test_vot_text_begins_with_the_mark_of_the_first_frame_and_counts_pixels_from_0(tmp_path: Path) -> None:
    assert written(tmp_path / "a.txt", DOG, "vot") == "1\n10.5,20.25,30,40\n-3,0,30,40\n"


def test_mot_text_counts_frames_targets_and_pixels_from_1(tmp_path: Path) -> None:
    assert written(tmp_path / "a.txt", BOTH) == (
        "1,1,11,21,30,40,1,-1,-1,-1\n"
        "1,2,2,3,3,4,1,-1,-1,-1\n"
        "2,1,11.5,21.25,30,40,0.8765,-1,-1,-1\n"
        "2,2,3,3,3,4,0.5,-1,-1,-1\n"
        "3,1,-2,1,30,40,0.1,-1,-1,-1\n"
    )


@pytest.mark.parametrize(
    ("name", "targets", "expected"),
    [("a.csv", 2, "csv"), ("a.JSON", 2, "json"), ("a.txt", 1, "otb"), ("a.txt", 2, "mot")],
)
def test_the_ending_and_the_number_of_targets_choose_the_format(
    tmp_path: Path, name: str, targets: int, expected: str
) -> None:
    with open_trajectory_writer(tmp_path / name, ["a", "b"][:targets]) as writer:
        assert writer.format == expected


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_csv_and_json_read_back_whole(tmp_path: Path, name: str) -> None:
    written(tmp_path / name, BOTH)
    read = read_trajectories(tmp_path / name)
    assert list(read) == ["dog", "cat, the"]
    for expected, found in zip(DOG + CAT, read["dog"] + read["cat, the"], strict=True):
        assert (found.frame, found.target, found.result.status) == (
            expected.frame, expected.target, expected.result.status,
        )  # fmt: skip
        assert found.time == pytest.approx(expected.time, abs=1e-6)
        assert found.result.box == pytest.approx(expected.result.box, abs=1e-4)
        assert found.result.score == pytest.approx(expected.result.score, abs=1e-4)


@pytest.mark.parametrize("name", ["a.csv", "table.dat"])
@pytest.mark.parametrize(
    "text",
    [
        ",frame,time,target,x,y,w,h,score,status\n0,0,0.0,dog,1.0,2.0,3.0,4.0,,tracked\n1,1.0,,dog,,,,,,lost\n",
        "target,status,score,h,w,y,x,time,frame\ndog,tracked,,4,3,2,1,0,0\ndog,lost,,,,,,,1\n",
        '"frame","time","target","x","y","w","h","score","status","note"\n'
        '0,0,"dog",1,2,3,4,,"tracked","a, b"\n1,,"dog",,,,,,"lost",\n',
    ],
    ids=["pandas with its index", "another order", "another column"],
)
def test_tables_of_other_programs_are_read_by_the_names_of_their_columns(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (first, second) = read_trajectories(tmp_path / name)["dog"]
    assert (first.frame, first.time, first.result.box, first.result.status) == (0, 0, (1, 2, 3, 4), Status.TRACKED)
    assert (second.frame, second.result.status) == (1, Status.LOST)
    assert all(map(math.isnan, (first.result.score, second.time, *second.result.box, second.result.score)))


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.txt"])
def test_frame_numbers_may_be_those_of_arrays(tmp_path: Path, name: str) -> None:
    numbers = [replace(one, frame=np.arange(3)[one.frame]) for one in DOG]
    assert written(tmp_path / name, numbers) == written(tmp_path / f"plain-{name}", DOG)


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
@pytest.mark.parametrize("target", ["a\rdog", "a\r\ndog\n", "dog\r", 'a "dog"'])
def test_a_name_comes_back_as_it_is(tmp_path: Path, name: str, target: str) -> None:
    written(tmp_path / name, [record(frame, target, (1, 2, 3, 4)) for frame in range(2)])
    (found,) = read_trajectories(tmp_path / name).items()
    assert (found[0], len(found[1])) == (target, 2)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("format", ["csv", "json", "otb", "mot"])
def test_lines_may_end_otherwise(tmp_path: Path, format: FormatName, end: bytes) -> None:
    written(tmp_path / "a.dat", DOG, format)
    (tmp_path / "b.dat").write_bytes((tmp_path / "a.dat").read_bytes().replace(b"\n", end))
    expected, found = (read_trajectories(tmp_path / name) for name in ("a.dat", "b.dat"))
    assert found.keys() == expected.keys()
    assert [[one.result.box for one in each] for each in found.values()] == [
        [one.result.box for one in each] for each in expected.values()
    ]


@pytest.mark.parametrize(("format", "frames"), [("otb", [0, 1, 2]), ("vot", [1, 2]), ("mot", [0, 1, 2])])
def test_text_formats_read_back_their_boxes(tmp_path: Path, format: FormatName, frames: list[int]) -> None:
    written(tmp_path / "a.txt", DOG, format)
    (found,) = read_trajectories(tmp_path / "a.txt").values()
    assert [one.frame for one in found] == frames
    for one in found:
        assert one.target == "1"
        assert one.result.box == pytest.approx(DOG[one.frame].result.box, abs=1e-4)
        assert math.isnan(one.time)


def test_boxes_that_do_not_exist_survive(tmp_path: Path) -> None:
    nowhere = [record(0, "dog", (math.nan,) * 4, math.nan, "lost")]
    for name in ("a.csv", "a.json", "a.txt"):
        written(tmp_path / name, nowhere)
        (found,) = read_trajectories(tmp_path / name).values()
        assert all(map(math.isnan, found[0].result.box))
        assert math.isnan(found[0].result.score)


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.txt"])
def test_the_file_is_complete_after_every_record(tmp_path: Path, name: str) -> None:
    writer = open_trajectory_writer(tmp_path / name, ["dog"])
    for count, one in enumerate(DOG, start=1):
        writer.write(one)
        (found,) = read_trajectories(tmp_path / name).values()
        assert len(found) == count
    writer.close()


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_run_that_wrote_nothing_leaves_a_file_that_reads_as_empty(tmp_path: Path, name: str) -> None:
    written(tmp_path / name, [])
    assert read_trajectories(tmp_path / name) == {}


def test_any_mixture_of_separators_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("11,21,30,40\r\n11.5\t21 30 40\n11; 21; 30; 40\n\n", encoding="utf-8")
    assert len(read_trajectories(tmp_path / "a.txt")["1"]) == 3


ROW = '{"frame": 0, "time": 0, "target": "1", "x": 1, "y": 2, "w": 3, "h": 4, "score": 1, "status": "tracked"}'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "frame,x\n", "line 1 is 'frame,x', expected a header with frame,time,"),
        ("a.csv", "frame,HEAD", "line 1 is 'frame,frame,.*, expected a header with .*, each once"),
        ("a.csv", "HEAD,0,dog,1,2,3,4,1,tracked\n", "line 2: frame is '', expected a number"),
        ("a.csv", "HEAD0,0,dog,1,2,3\n", "line 2 has 6 values, 9 expected"),
        ("a.csv", "HEAD0,0,dog,1,2,3,4,1,tracked\n1,0,dog,1,b,3,4,1,tracked\n", "line 3: y is 'b', expected a number"),
        ("a.csv", "HEAD0.5,0,dog,1,2,3,4,1,tracked\n", "line 2: frame is '0.5', expected a whole number"),
        ("a.csv", "HEAD-1,0,dog,1,2,3,4,1,tracked\n", "line 2: frame is '-1'"),
        ("a.csv", "HEAD0,0,dog,1,2,3,4,1,traked\n", r"line 2: status is 'traked'; did you mean 'tracked'\?"),
        ("a.csv", "HEAD" + "0,0,dog,1,2,3,4,1,tracked\n" * 2, "line 3 gives frame 0 of target 'dog' a second time"),
        ("a.csv", "", "line 1 is '', expected a header"),
        ("a.csv", "HEAD0,0," + 200_000 * "x" + "\n", "line 2: field larger than field limit"),
        ("a.json", "[{]", "line 1: not JSON"),
        ("a.json", 100_000 * "[", "not a list of objects"),
        ("a.json", f"[{ROW.replace('0', '1' + 400 * '0', 1)}]", r"record 1: frame is '10{59}', expected a number"),
        ("a.json", "{}", "expected a list"),
        ("a.json", '[{"frame": 0}]', "record 1 is not an object with frame, time"),
        ("a.txt", "1,2,3,4\n1,2,3\n", r"line 2 has 3 numbers, 4 expected \(x,y,w,h\)"),
        ("a.txt", "1,2,3,4\n1,2,x,4\n", "line 2 is '1,2,x,4', numbers expected"),
        ("a.txt", "1\n1,2,3,4\n1,2,3,4,5\n", "line 3 has 5 numbers, 4 expected"),
        ("a.txt", "1,1,1,2,3,4,1\n0,1,1,2,3,4,1\n", "line 2: frame and id must be whole numbers"),
        ("a.txt", "1,1,1,2,3,4,1\n2,1\n", "line 2 has 2 numbers, at least 6"),
        ("a.txt", "\n", "empty; one line per frame expected"),
    ],
)
def test_a_broken_file_is_answered_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text.replace("HEAD", "frame,time,target,x,y,w,h,score,status\n"), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_trajectories(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_a_binary_and_a_misnamed_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_trajectories(tmp_path / "nowhere.csv")
    (tmp_path / "a.txt").write_bytes(b"\xff\x00\x80")
    with pytest.raises(InputError, match="not a text file"):
        read_trajectories(tmp_path / "a.txt")
    with pytest.raises(InputError, match="unknown format 'otbb'; did you mean 'otb'"):
        read_trajectories(written_path(tmp_path), "otbb")  # type: ignore[arg-type]


def written_path(folder: Path) -> Path:
    written(folder / "dog.txt", DOG)
    return folder / "dog.txt"


@pytest.mark.parametrize(
    ("name", "targets", "format", "message"),
    [
        ("a.dat", ["dog"], None, "unknown ending '.dat'; known are .csv, .json, .txt"),
        ("a", ["dog"], None, "no ending"),
        ("a.txt", ["dog"], "voot", r"unknown format 'voot'; did you mean 'vot'\?"),
        ("a.txt", ["dog", "cat"], "otb", "otb text holds one target, 2 were given"),
        ("a.txt", ["dog", "cat"], "vot", "vot text holds one target, 2 were given"),
        ("a.json", ["dog"], "csv", "a.json: the ending says json, the format asked for is csv; change one of them"),
        ("a.CSV", ["dog"], "mot", "the ending says csv, the format asked for is mot"),
        ("nowhere/a.csv", ["dog"], None, "nowhere does not exist"),
        ("there.csv", ["dog"], None, "exists already; give another name, or --overwrite"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_untouched(
    tmp_path: Path, name: str, targets: list[str], format: FormatName | None, message: str
) -> None:
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        open_trajectory_writer(tmp_path / name, targets, format)
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "mine"


def test_overwriting_is_asked_for(tmp_path: Path) -> None:
    path = written_path(tmp_path)
    with open_trajectory_writer(path, ["dog"], overwrite=True) as writer:
        writer.write(DOG[0])
    assert path.read_text(encoding="utf-8") == "11,21,30,40\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.txt"])
def test_a_full_disk_keeps_the_records_before(tmp_path: Path, name: str) -> None:
    code = (
        "import resource, signal, sys\n"
        "from rartrack.boxes import Box; from rartrack.results import Record, Result, Status\n"
        "from rartrack.trajectories import open_trajectory_writer\n"
        "result = Result(Box(1, 2, 3, 4), 1.0, Status.TRACKED)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "try:\n"
        "    with open_trajectory_writer(sys.argv[1], ['1']) as writer:\n"
        "        for frame in range(90): writer.write(Record(frame, 0.0, '1', result))\n"
        "except ValueError as error: print(error, frame)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    message, _, frame = found.stdout.strip().rpartition(" ")
    assert message == f"{tmp_path / name}: File too large; what was written before is kept"
    assert len(read_trajectories(tmp_path / name)["1"]) == int(frame) > 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
def test_a_disk_that_is_full_from_the_start_is_left_without_an_empty_file(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from rartrack.trajectories import open_trajectory_writer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try: open_trajectory_writer(sys.argv[1], ['1'])\n"
        "except ValueError as error: print(error)"
    )
    path = tmp_path / "a.csv"
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert f"{path}: File too large" in found.stdout
    assert not path.exists()


def test_a_pipe_gets_all_that_a_file_would_have(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "a.txt"):
        content = written(tmp_path / name, DOG)
        pipe = tmp_path / f"pipe{name}"
        os.mkfifo(pipe)
        with ThreadPoolExecutor(1) as reader:
            read = reader.submit(pipe.read_text)
            with open_trajectory_writer(pipe, ["dog"], overwrite=True) as writer:
                for one in DOG:
                    writer.write(one)
            assert read.result() == content


def test_an_unannounced_target_is_refused(tmp_path: Path) -> None:
    with (
        open_trajectory_writer(tmp_path / "a.csv", ["dog"]) as writer,
        pytest.raises(InputError, match=r"target 'dogg' was not announced; did you mean 'dog'\?"),
    ):
        writer.write(record(0, "dogg", (1, 2, 3, 4)))
