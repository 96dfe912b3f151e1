"""The same run on a Dask cluster, one of whose workers is killed on the way."""

from __future__ import annotations

import os
import signal

import fake_trackers
import pytest

from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.run import Observer, Settings, evaluate
from rartrack.evaluation.trackers import parse_tracker

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.slow
NAMES = "abcdefghijkl"


class KillOne(Observer):
    """Kills a cluster's worker once the third run is over."""

    def __init__(self, cluster):
        self.cluster, self.finished_runs, self.killed = cluster, [], None

    def finished(self, job, _):
        self.finished_runs.append(job.sequence.name)
        if len(self.finished_runs) == 3:
            with distributed.Client(self.cluster, set_as_default=False) as client:
                self.killed = next(iter(client.run(os.getpid).values()))
            os.kill(self.killed, signal.SIGKILL)


@pytest.fixture
def cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as running:
        yield running


def test_a_killed_worker_loses_and_doubles_nothing(tmp_path, cluster):
    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data", NAMES, frames=25))
    tracker = parse_tracker(f"slow={fake_trackers.spec('SlowDrifter')}")
    settings = Settings(seed=5)
    evaluate(data, [tracker], tmp_path / "here", settings, workers=2)
    address = cluster.scheduler_address.removeprefix("tcp://")
    observer = KillOne(cluster)
    summary = evaluate(data, [tracker], tmp_path / "there", settings, executor=f"dask://{address}", observer=observer)
    assert observer.killed is not None
    assert not summary.failed
    assert sorted(observer.finished_runs) == list(NAMES)
    for name in NAMES:
        there = tmp_path / f"there/slow/{name}.txt"
        assert there.read_bytes() == (tmp_path / f"here/slow/{name}.txt").read_bytes()

    again = evaluate(data, [tracker], tmp_path / "there", settings, executor=f"dask://{address}")
    assert len(again.kept) == len(NAMES)


def test_bad_trackers_are_reported_there_too(tmp_path, cluster):
    data = load_dataset(fake_trackers.make_sequences(tmp_path / "data"))
    trackers = [
        parse_tracker(f"{name.lower()}={fake_trackers.spec(name)}") for name in ("Raising", "Hanging", "Crashing")
    ]
    address = cluster.scheduler_address.removeprefix("tcp://")
    settings = Settings(time_limit=1.0)
    summary = evaluate(data, trackers, tmp_path / "out", settings, executor=f"dask://{address}")
    assert {(job.tracker.name, job.sequence.name) for job, _ in summary.failed} == {
        ("raising", "b"),
        ("hanging", "b"),
        ("crashing", "b"),
    }
    assert len(summary.done) == 6
    with pytest.raises(InputError, match="no callable 'Missing'"):
        evaluate(data, [parse_tracker(fake_trackers.spec("Missing"))], tmp_path / "out", executor=f"dask://{address}")
