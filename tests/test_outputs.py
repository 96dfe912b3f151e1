"""A file to be written is checked before the work that would fill it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rartrack.errors import InputError
from rartrack.outputs import check_output, file_digest, give_name, remove_leftovers, replace_file


def test_a_new_file_in_a_folder_passes_and_is_not_made(tmp_path: Path) -> None:
    assert check_output(str(tmp_path / "a.MP4"), suffixes=[".mp4"]) == tmp_path / "a.MP4"
    assert not list(tmp_path.iterdir())


def test_a_name_alone_means_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_output("a.csv") == Path("a.csv")


def test_an_existing_file_passes_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine", encoding="utf-8")
    check_output(tmp_path / "a.csv", overwrite=True)
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("there.mp4", "exists already; give another name, or --overwrite (from Python overwrite=True)"),
        ("nowhere/a.mp4", "nowhere does not exist; make the folder first"),
        ("there.mp4/a.mp4", "there.mp4 is not a folder"),
        ("folder.mp4", "is a folder; give the name of a file"),
        ("a.avi", "unknown ending '.avi'; known are .mkv, .mp4"),
        ("a", "no ending; known are .mkv, .mp4"),
    ],
)
def test_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "there.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError) as caught:
        check_output(tmp_path / name, suffixes={".mp4", ".mkv"})
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)


def test_a_pipe_is_no_file_to_be_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"a\.mp4: a pipe or a device, no file; give the name of a file"):
        check_output(tmp_path / "a.mp4", overwrite=True)
    check_output(tmp_path / "a.mp4", overwrite=True, pipes=True)


def test_a_link_to_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("nowhere/a.csv")
    with pytest.raises(InputError, match=r"a\.csv: .*nowhere does not exist; make the folder first"):
        check_output(tmp_path / "a.csv")


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.onnx"
    link.symlink_to(tmp_path / "there" / "m.onnx")
    replace_file(link, b"new")
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["m.onnx"]
    assert link.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["0.jpg", "symbolic.csv", "hard.csv"])
def test_what_is_read_is_never_overwritten(tmp_path: Path, name: str) -> None:
    source = tmp_path / "0.jpg"
    source.write_text("mine", encoding="utf-8")
    (tmp_path / "symbolic.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    with pytest.raises(InputError, match="is the source itself"):
        check_output(tmp_path / name, overwrite=True, inputs=[tmp_path / "elsewhere.jpg", source])
    check_output(tmp_path / "new.csv", inputs=[source])


def test_what_killed_runs_left_is_removed_once_nobody_writes_to_it(tmp_path: Path) -> None:
    for name in ("a.1.partial", "b.2.partial", "kept.txt", "own.partial"):
        (tmp_path / name).touch()
    os.utime(tmp_path / "a.1.partial", (0, 0))
    os.utime(tmp_path / "kept.txt", (0, 0))
    os.utime(tmp_path / "own.partial", (0, 0))
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "nowhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.2.partial", "kept.txt", "own.partial"]


def test_a_files_digest_is_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "nowhere") is file_digest(tmp_path) is None


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str) -> None:
    (tmp_path / "a.csv").touch()
    closed = tmp_path if locked == "folder" else tmp_path / "a.csv"
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != closed)  # permissions do not bind an administrator
    with pytest.raises(InputError, match="no permission"):
        check_output(tmp_path / "a.csv", overwrite=True)


def test_a_file_that_another_program_holds_open_is_named_with_what_was_written(tmp_path: Path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Access is denied")

    (tmp_path / "new").touch()
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(InputError, match=r"out\.mp4: cannot be replaced: Access is denied; what was written is .*new$"):
        give_name(tmp_path / "new", tmp_path / "out.mp4", overwrite=True)
