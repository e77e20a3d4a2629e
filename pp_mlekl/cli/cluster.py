"""Workers for long runs: processes on this machine, or those of a Dask scheduler."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pp_mlekl.cli.errors import WRONG_USE, stop


@contextmanager
def cluster(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """A Dask client; None if neither a scheduler nor a number of workers is given."""
    if scheduler is None and workers is None:
        yield None
        return
    if scheduler is not None and workers is not None:
        stop("--scheduler and --workers exclude each other: a scheduler has its own workers.", WRONG_USE)
    try:
        from pp_mlekl.simulation.dask_cluster import connected
    except ImportError:
        stop("--scheduler and --workers need Dask: pip install pp_mlekl[dask].", WRONG_USE)
    with connected(scheduler, workers) as client:
        yield client
