"""Batches run one after another, or on the workers of a Dask cluster."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pp_mlekl.simulation.batches import Batch, Job, Results
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.progress import Progress, progress_bar

if TYPE_CHECKING:
    import distributed


def run_batches(
    job: Job,
    batches: Iterable[Batch],
    keep: Callable[[Batch, Results], None],
    *,
    client: "distributed.Client | None" = None,
    progress: Progress = False,
) -> None:
    """Run batches and hand over each result as soon as it is available.

    Parameters
    ----------
    job
        Runs a batch.
    batches
        The batches to run.
    keep
        Called with each batch and its results, in order of completion.
    client
        Client of a Dask cluster; None runs the batches in this process.
    progress
        A bar, or a function that is called with a line for each batch: data sets per second, and the time left.

    Raises
    ------
    LostWorkers
        Where the cluster has ended or a batch loses its workers repeatedly; results that were handed over are kept.
    """
    todo = list(batches)
    if not todo:
        return
    results = _here(job, todo) if client is None else _on_cluster(client, job, todo)
    sets, began, done = sum(b.count for b in todo), time.monotonic(), 0
    dashboard = getattr(client, "dashboard_link", None)
    title = f"data sets ({dashboard})" if dashboard else "data sets"
    with progress_bar(title, len(todo), progress, finished=True) as step:
        for number, (batch, values) in enumerate(results, 1):
            keep(batch, values)
            done += batch.count
            rate = done / max(time.monotonic() - began, 1e-9)
            left = f"{rate:.3g} data sets/s, {(sets - done) / rate:.0f} s left"
            step(
                f"{number}/{len(todo)}: {counted(batch.count, 'data set')} of {counted(batch.size, 'observation')}, {left}"
            )


def _here(job: Job, batches: list[Batch]) -> Iterator[tuple[Batch, Results]]:
    for batch in batches:
        yield batch, job.run(batch)


def _on_cluster(client: "distributed.Client", job: Job, batches: list[Batch]) -> Iterator[tuple[Batch, Results]]:
    try:
        from pp_mlekl.simulation.dask_cluster import on_cluster
    except ImportError as error:
        raise ImportError("client=... needs Dask: pip install pp_mlekl[dask].") from error
    return on_cluster(client, job, batches)
