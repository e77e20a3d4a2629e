"""Workers for long runs: processes on this machine, or those of a Dask scheduler."""

import signal
import sys
import warnings
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
        from pp_mlekl.simulation.dask_cluster import NoWorkers, connected
    except ImportError:
        stop("--scheduler and --workers need Dask: pip install pp_mlekl[dask].", WRONG_USE)
    with _workers_ended(), connected(scheduler, workers) as client, warnings.catch_warnings():
        warnings.simplefilter("always", NoWorkers)
        warnings.showwarning = lambda message, *_, **__: print(f"pp-mlekl: {message}", file=sys.stderr, flush=True)
        yield client


@contextmanager
def _workers_ended() -> Iterator[None]:
    """Let SIGTERM interrupt the block, as Ctrl-C does, so that worker processes end before this one."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
