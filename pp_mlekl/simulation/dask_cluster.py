"""Batches on the workers of a Dask cluster, which may be lost and restarted."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any
from uuid import uuid4

import cloudpickle
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed, get_worker

from pp_mlekl.pymc_model.interpreter.lazy_function import reproducible
from pp_mlekl.simulation.batches import Batch, Job, Results
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.freed_memory import freed_memory_kept

# Seconds without a worker after which a message is printed.
_PATIENCE = 5.0
# Number of batches per thread of the cluster that are running or queued, so that no worker waits for the next one.
_IN_HAND = 3


class LostWorkers(ConnectionError):
    """The cluster ended, or a batch failed because its workers were lost repeatedly."""


class NoWorkers(UserWarning):
    """Warning about a Dask cluster without workers."""


@contextmanager
def connected(scheduler: str | None = None, workers: int | None = None) -> Iterator[Client | None]:
    """A client of a scheduler at an address, or of new worker processes on this machine; None without either.

    It is not Dask's default client, so that Dask's own settings stay as they are, also where no scheduler answers.
    """
    if scheduler is not None:
        try:
            client = Client(scheduler, set_as_default=False)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise ValueError(
                f"No Dask scheduler answers at {scheduler}; check the address, or start one with `dask scheduler`."
            ) from error
        with client:
            yield client
    elif workers is not None:
        settings: Any = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
        with (
            LocalCluster(processes=True, **settings) as cluster,  # type: ignore[no-untyped-call]
            Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        ):
            yield client
    else:
        yield None


def on_cluster(client: Any, job: Job, batches: list[Batch]) -> Iterator[tuple[Batch, Results]]:
    """The batches and their results, in order of completion.

    A batch whose worker is lost is run again by another one. Only as many batches are submitted at a time as the workers
    need, so that the memory of the scheduler and of this process does not grow with their number.

    Raises
    ------
    LostWorkers
        Where the client is closed, the scheduler has ended, or a batch loses its worker repeatedly
        (``distributed.scheduler.allowed-failures``).

    Warns
    -----
    NoWorkers
        Where there is no worker for some seconds; the batches wait for one.
    """
    plugin = JobPlugin(job)
    by_key = {f"{plugin.name}-{b.index}": b for b in batches}
    waiting = iter(by_key.items())

    def submitted(key: str, batch: Batch) -> Any:
        return client.submit(_run, plugin.name, batch, key=key, pure=False)

    # Workers that start later, or restart, get the job from the scheduler.
    client.register_plugin(plugin, name=plugin.name)
    ended = threading.Event()
    threading.Thread(target=_watch, args=(client, ended), daemon=True).start()
    try:
        threads = sum(client.nthreads().values())
        first = [submitted(*one) for one in islice(waiting, _IN_HAND * max(threads, 1))]
        # Dask has no annotations.
        queue: Any = as_completed(first, loop=client.loop)  # type: ignore[no-untyped-call]
        for future in queue:
            batch = by_key[future.key]
            values = _result(future, batch)
            future.release()
            following = next(waiting, None)
            if following is not None:
                queue.add(submitted(*following))
            yield batch, values
    finally:
        ended.set()
        if client.status == "running":
            client.unregister_worker_plugin(plugin.name)


def _watch(client: Any, ended: threading.Event) -> None:
    """Warn, once each time, where there are no workers."""
    address, before = client.scheduler.address, True
    # A scheduler that has ended is reported elsewhere.
    with suppress(Exception):
        while not ended.wait(_PATIENCE):
            there = bool(client.nthreads())
            if before and not there and not ended.is_set():
                warnings.warn(
                    f"The Dask scheduler at {address} has no workers; start some with `dask worker {address}`. The batches "
                    f"wait for them.",
                    NoWorkers,
                    stacklevel=1,
                )
            before = there


def _result(future: Any, batch: Batch) -> Results:
    which = f"batch {batch.index} ({counted(batch.count, 'data set')} of {counted(batch.size, 'observation')})"
    if future.status in ("cancelled", "lost"):
        raise LostWorkers(
            f"The Dask client or its scheduler ended before {which} was done; finished batches stay in the store, and the "
            f"same call continues from there."
        )
    try:
        values: Results = future.result()
        return values
    except KilledWorker as error:
        raise LostWorkers(
            f"Every worker that ran {which} was lost, perhaps for want of memory; give the workers more memory. Finished "
            f"batches stay in the store, and the same call continues from there."
        ) from error


class JobPlugin(WorkerPlugin):
    """A job on every worker, unpacked once, by the first batch that needs it."""

    def __init__(self, job: Job):
        self.name = f"pp_mlekl-{uuid4().hex}"
        self._packed = cloudpickle.dumps(job)
        self._job: Any = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "_packed": self._packed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _job=None, _lock=threading.Lock())

    def job(self) -> Job:
        """The job of this process."""
        with self._lock:
            if self._job is None:
                self._job = cloudpickle.loads(self._packed)
            found: Job = self._job
            return found


def _run(name: str, batch: Batch) -> Results:
    worker: Any = get_worker()
    with reproducible(), freed_memory_kept:
        return worker.plugins[name].job().run(batch)
