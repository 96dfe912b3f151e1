"""A run that is killed at any moment goes on where it was: nothing lost, nothing done twice, the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_trackers
import pytest

NAMES = "abcdefgh"
SEED = 20190816


def texts(results: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(results)): path.read_bytes() for path in results.rglob("*.txt")}
    return {name: content for name, content in found.items() if not name.endswith("_time.txt")}


def command(data: Path, results: Path) -> list[str]:
    options = ["--dataset", data, "--output", results, "--tracker", f"slow={fake_trackers.spec('SlowDrifter')}"]
    return [sys.executable, "-m", "rartrack", "evaluate", *map(str, options), "--workers", "2"]


def run_to_the_end(data: Path, results: Path) -> None:
    ended = subprocess.run(command(data, results), capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr


def kill_while_running(data: Path, results: Path, after: float, held: bool) -> bool:
    """Start, wait for the first result that is new, then a while, then kill -9; whether it was still running.

    It cannot but be where it is held: one sequence then never ends.
    """
    already = len(texts(results))
    environment = os.environ | ({"FAKE_TRACKER_HELD": "1"} if held else {})
    process = subprocess.Popen(
        command(data, results), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and len(texts(results)) == already and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(after)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def started(data: Path, folder: Path, **options: bool) -> tuple[subprocess.Popen[bytes], int]:
    """A run into ``folder/out`` whose tracker has begun, and the process of the tracker."""
    pids = folder / "pids"
    environment = os.environ | {"FAKE_TRACKER_PIDS": str(pids)}
    process = subprocess.Popen(command(data, folder / "out"), env=environment, stderr=subprocess.PIPE, **options)
    deadline = time.monotonic() + 60
    # A file is there before what is written to it.
    while not (pids.exists() and pids.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.02)
    [pid] = map(int, pids.read_text().split())
    return process, pid


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_killed_at_ten_random_moments(tmp_path):
    generator = random.Random(SEED)
    moments = [generator.uniform(0, 0.6) for _ in range(10)]
    print(f"seed {SEED}, moments {moments}")
    data = fake_trackers.make_sequences(tmp_path / "data", NAMES, frames=20)
    run_to_the_end(data, tmp_path / "uninterrupted")
    expected = texts(tmp_path / "uninterrupted")
    assert len(expected) == len(NAMES)
    results = tmp_path / "killed"
    for number, moment in enumerate(moments):
        before = {results / name: (results / name).stat().st_mtime_ns for name in texts(results)}
        running = kill_while_running(data, results, moment, held=number == 0)
        assert running or number > 0, "the run ended although one of its sequences does not"
        assert all(path.stat().st_mtime_ns == written for path, written in before.items()), "finished work was redone"
        assert texts(results).items() <= expected.items()
        if len(texts(results)) == len(NAMES):
            # Nothing is left to interrupt: take half away, as if the disk had been full.
            for name in list(NAMES)[::2]:
                (results / f"slow/{name}.txt").unlink()
    run_to_the_end(data, results)
    assert texts(results) == expected


@pytest.mark.parametrize(("number", "group"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGHUP, True)])
def test_a_run_that_is_asked_to_stop_ends_with_130_and_its_workers_with_it(tmp_path, number, group):
    data = fake_trackers.make_sequences(tmp_path / "data", "a", frames=3000)
    process, pid = started(data, tmp_path, start_new_session=True)
    os.killpg(process.pid, number) if group else process.send_signal(number)
    assert (
        process.communicate(timeout=60)[1].decode().splitlines()[-1] == "rartrack: interrupted; what was done is kept"
    )
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not list((tmp_path / "out").rglob("*.error"))


def test_workers_end_with_a_killed_run(tmp_path):
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    data = fake_trackers.make_sequences(tmp_path / "data", "a", frames=3000)
    process, pid = started(data, tmp_path)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_process_that_a_tracker_forks_in_a_worker_can_be_ended() -> None:
    code = (
        "import os, signal, time\n"
        "from rartrack.evaluation.worker import _leave_stopping_to_the_parent\n"
        "_leave_stopping_to_the_parent()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "readable, writable = os.pipe()\n"
        "child = os.fork()\n"
        "if not child: os.write(writable, b'.'); time.sleep(60); os._exit(0)\n"
        "os.read(readable, 1)\n"
        "os.kill(child, signal.SIGTERM)\n"
        "print(os.waitpid(child, 0)[1] == signal.SIGTERM)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout == "True\n"
