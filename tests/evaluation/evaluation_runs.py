"""What tests of runs share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fake_trackers

from rartrack.datasets import load_dataset
from rartrack.evaluation.jobs import Job
from rartrack.evaluation.run import Settings, Summary, evaluate
from rartrack.evaluation.trackers import parse_tracker

SHARED_PROCESS = ThreadPoolExecutor(1)


def run(folder: Path, results: Path, *names: str, **options) -> Summary:
    if "workers" not in options:
        options.setdefault("executor", SHARED_PROCESS)
    trackers = [parse_tracker(f"{name.lower()}={fake_trackers.spec(name)}") for name in names or ("Drifter",)]
    settings = options.pop("settings", Settings())
    return evaluate(
        load_dataset(folder, sequences=options.pop("sequences", None)), trackers, results, settings, **options
    )


def texts(results: Path) -> dict[str, bytes]:
    """The results themselves, without times."""
    found = {str(path.relative_to(results)): path.read_bytes() for path in results.rglob("*.txt")}
    return {name: content for name, content in found.items() if not name.endswith("_time.txt")}


def names_of(jobs: list[Job]) -> list[str]:
    return [job.sequence.name for job in jobs]
