"""Results on disk, which are also the queue: what is there and was made in the same way is not done again.

One run's files, ``STEM`` being the sequence's name for OPE, ``tre/NAME_01`` or ``sre/NAME_01`` and so on where a
protocol has several runs, ``NAME/NAME`` for VOT, ``unsupervised/NAME/NAME`` and ``realtime/NAME/NAME``:

- ``RESULTS/TRACKER/STEM.txt`` (VOT: ``STEM_001.txt``, ...): x,y,w,h a line;
- ``RESULTS/TRACKER/STEM_time.txt``: seconds, ``init`` first, then each frame;
- ``RESULTS/TRACKER/STEM.json``: what made them, where the run started, hashes of the files, mean, median and 95th
  percentile of the times;
- ``RESULTS/TRACKER/STEM.error``: why there is no result, instead of the others;
- ``RESULTS/TRACKER/speed.csv``: the times of all runs, a line each.

Every file is written under another name, then renamed; the first ``.txt`` comes last and marks the run as finished.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from rartrack.errors import InputError
from rartrack.evaluation.jobs import Job, Outcome
from rartrack.evaluation.provenance import difference
from rartrack.outputs import file_digest, remove_leftovers, replace_file

LOCK = ".lock"
_OF_THE_DATA = ("sequence", "rate", "boxes", "benchmark")
"""What makes a result and differs from sequence to sequence, or from data set to data set."""


@contextmanager
def locked(results: Path) -> Iterator[None]:
    """Hold a results folder, which is made if need be, for one writer; half-written files of a killed one are removed.

    Raises:
        InputError: another run holds it, or it cannot be written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        lock = FileLock(results / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{results}: another run is writing here; wait for it, or give another --output") from None
    except OSError as error:
        raise InputError(f"{results}: cannot be written: {error.strerror}") from None
    try:
        remove_leftovers(results)
        yield
    finally:
        lock.release()


def result_file(results: Path, job: Job) -> Path:
    """The file whose presence marks a run as finished."""
    return _files(results, job, 1)[0]


def is_finished(results: Path, job: Job, made_by: dict[str, Any], machine: dict[str, Any] | None) -> bool:
    """Whether a run's results are there and were made in the way described.

    Args:
        results: the folder.
        job: the run.
        made_by: what would make it now.
        machine: the one it would be made on now, or None where any of several will do.

    Raises:
        InputError: results are there that were made in another way, were changed since, or do not say.
    """
    marker = result_file(results, job)
    if not marker.is_file():
        return False
    mend = "give another --output, or --overwrite to redo it, with all of the tracker's sequences"
    try:
        about = json.loads(_stem(results, job, ".json").read_text(encoding="utf-8"))
        before, hashes = {**about["made_by"], "machine": about["machine"]}, about["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{marker}: no .json beside it says what made it; {mend}") from None
    if changed := difference(before, {**made_by, "machine": before["machine"] if machine is None else machine}):
        raise InputError(f"{marker}: made differently: {changed}; {mend}")
    for name, expected in hashes.items():
        path = marker.parent / name
        if file_digest(path) != expected:
            raise InputError(f"{path}: changed since it was written; {mend}")
    return True


def refuse_other(results: Path, jobs: Sequence[Job], made_by: dict[str, Any]) -> None:
    """Refuse to put runs beside the same tracker's results of other sequences that were made in another way: they would
    be scored as one tracker's. The machine may be another, and what is the data set's.

    Args:
        results: the folder.
        jobs: all runs of one tracker; their own results are not looked at.
        made_by: what makes one of them.

    Raises:
        InputError: there are such results.
    """
    now = {key: value for key, value in made_by.items() if key not in _OF_THE_DATA}
    own = {_stem(results, job, ".json") for job in jobs}
    for path in sorted({*(results / jobs[0].tracker.name).rglob("*.json")} - own):
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["made_by"]
            before = {key: value for key, value in before.items() if key not in _OF_THE_DATA}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # nobody's, or damaged, which is said where its sequence is asked for
        if before.get("protocol") == now["protocol"] and (changed := difference(before, now)):
            raise InputError(
                f"{path}: made differently: {changed}; results of one tracker belong together: give another --output, "
                "name the tracker otherwise (--tracker NAME=SPEC), or --overwrite with all sequences"
            )


def remove(results: Path, job: Job) -> None:
    """Delete a run's results, the mark of its being finished first."""
    result_file(results, job).unlink(missing_ok=True)
    _remove_repetitions(results, job)
    for suffix in (".json", ".error", "_time.txt"):
        _stem(results, job, suffix).unlink(missing_ok=True)


def _remove_repetitions(results: Path, job: Job) -> None:
    folder, stem = _place(results, job)
    for path in [*folder.glob(f"{_escape(stem)}_[0-9][0-9][0-9].txt")] if job.protocol.vot is not None else []:
        path.unlink()


def write(results: Path, job: Job, outcome: Outcome, made_by: dict[str, Any]) -> None:
    """Write what a run gave: its results, or why there are none.

    Raises:
        InputError: the disk refuses.
    """
    if outcome.failure is not None:
        replace_file(_stem(results, job, ".error"), f"{outcome.failure.reason}\n\n{outcome.failure.details}".encode())
        return
    paths = _files(results, job, len(outcome.texts))
    try:
        _stem(results, job, ".error").unlink(missing_ok=True)
        _remove_repetitions(results, job)  # of a run that was killed, there may have been more
    except OSError as error:
        raise InputError(f"{paths[0]}: cannot be replaced: {error.strerror}; what was done is kept") from None
    contents = {path: text.encode() for path, text in zip(paths, outcome.texts, strict=True)}
    hashes = {path.name: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    about = json.dumps(_about(job, outcome, made_by, hashes), indent=1) + "\n"
    replace_file(_stem(results, job, ".json"), about.encode())
    seconds = (outcome.init_seconds, *outcome.frame_seconds)
    times = "".join(f"{second:.6f}\n" for second in seconds)
    replace_file(_stem(results, job, "_time.txt"), times.encode())
    for path, content in reversed(contents.items()):
        replace_file(path, content)


def write_speed(folder: Path) -> None:
    """Write a tracker's ``speed.csv``, a line a finished run, from all its side files.

    Raises:
        InputError: the disk refuses.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["protocol", "sequence", "run", "frames", "init_ms", "mean_ms", "median_ms", "p95_ms", "fps"])
    for path in sorted(folder.rglob("*.json")):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            times, protocol = about["milliseconds"], about["made_by"]["protocol"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        rate = f"{1000 / times['median']:.2f}" if times["median"] else ""
        row = [protocol, about["sequence"], about["run"], about["frames"]]
        table.writerow([*row, *(times[key] for key in ("init", "mean", "median", "p95")), rate])
    if folder.is_dir():
        replace_file(folder / "speed.csv", text.getvalue().encode())


def _about(job: Job, outcome: Outcome, made_by: dict[str, Any], hashes: dict[str, str]) -> dict[str, Any]:
    frames = np.array(outcome.frame_seconds) * 1000
    summary = {
        "init": outcome.init_seconds * 1000,
        "mean": float(frames.mean()) if len(frames) else None,
        "median": float(np.median(frames)) if len(frames) else None,
        "p95": float(np.percentile(frames, 95)) if len(frames) else None,
    }
    return {
        "sequence": job.sequence.name,
        "run": job.start.number,
        "boxes": f"x,y,w,h, {job.origin}-based",
        "start_frame": job.start.frame,
        "disturbance": None if job.start.disturbance is None else job.start.disturbance.name,
        "first_box": list(outcome.first_box),
        "frames": job.frames,
        "files": hashes,
        "milliseconds": {key: None if value is None else round(value, 4) for key, value in summary.items()},
        "machine": outcome.machine,
        "made_by": made_by,
    }


def _place(results: Path, job: Job) -> tuple[Path, str]:
    """A run's folder and the stem of its files."""
    folder, name = results / job.tracker.name, job.sequence.name
    if job.protocol.vot is not None:
        experiment = folder if job.protocol.vot == "supervised" else folder / job.protocol.vot
        return experiment / name, name
    if job.start.number:
        return folder / job.protocol.name, f"{name}_{job.start.number:02d}"
    return folder, name


def _stem(results: Path, job: Job, suffix: str) -> Path:
    folder, stem = _place(results, job)
    return folder / f"{stem}{suffix}"


def _files(results: Path, job: Job, repetitions: int) -> list[Path]:
    folder, stem = _place(results, job)
    if job.protocol.vot is None:
        return [folder / f"{stem}.txt"]
    return [folder / f"{stem}_{number:03d}.txt" for number in range(1, repetitions + 1)]


def _escape(text: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)
