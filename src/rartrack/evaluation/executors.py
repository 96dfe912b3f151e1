"""Where runs are done: processes of this machine or a Dask cluster, both as ``concurrent.futures`` executors."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from rartrack.errors import InputError
from rartrack.evaluation.processes import Group
from rartrack.extras import need

PROCESSES = "processes"
_CONNECT_SECONDS = 10


@contextmanager
def open_executor(where: str, workers: int) -> Iterator[Executor]:
    """Open an executor and, whatever happens, leave none of its processes behind.

    Args:
        where: ``processes`` or ``dask://HOST:PORT``.
        workers: processes on this machine; a cluster has its own number.

    Raises:
        InputError: an unknown word, Dask is not installed, or its scheduler does not answer.
    """
    if where == PROCESSES:
        # The threads only wait: each has a process of its own (see ``processes``), which holds one tracker.
        group = Group()
        threads = ThreadPoolExecutor(workers, "rartrack", initializer=group.join)
        try:
            yield threads
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            group.end()
            threads.shutdown(wait=True)
    elif where.startswith("dask://"):
        with _dask(where.removeprefix("dask://")) as executor:
            yield executor
    else:
        raise InputError(f"executor {where!r}: expected {PROCESSES!r} or dask://HOST:PORT")


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    distributed = need("distributed", "cluster")
    try:
        client = distributed.Client(f"tcp://{address}", timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"dask://{address}: the scheduler does not answer ({type(error).__name__})") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError(f"dask://{address}: the scheduler has no workers; start some with: dask worker {address}")
        # Runs are not pure functions of their arguments: a second one must not be answered from the first.
        executor: Executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)
