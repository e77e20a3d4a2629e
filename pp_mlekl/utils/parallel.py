"""The same work on many tasks, here or on the workers of a Dask cluster."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pp_mlekl.typing import Array
from pp_mlekl.utils.freed_memory import freed_memory_kept

if TYPE_CHECKING:
    import distributed


def map_tasks[Task, Result](
    function: Callable[[Task], Result], tasks: Iterable[Task], client: "distributed.Client | None" = None
) -> list[Result]:
    """The result of a function for each task, in the order of the tasks.

    Parameters
    ----------
    function
        A function of one task. Dask pickles it, and what it holds, once for all tasks.
    tasks
        Its arguments.
    client
        A ``dask.distributed.Client``; without one the tasks are done here, one after the other.

    Raises
    ------
    Exception
        The first one that a task raises.

    Examples
    --------
    >>> map_tasks(len, ["a", "bc"])
    [1, 2]
    """
    if client is None:
        return [function(task) for task in tasks]
    # Two calls with equal tasks are two calls: functions here may draw random numbers.
    futures = client.map(partial(done_by_worker, function), list(tasks), pure=False)
    results: list[Result] = client.gather(futures)  # type: ignore[no-untyped-call]
    return results


def done_by_worker[Task, Result](function: Callable[[Task], Result], task: Task) -> Result:
    """The result of a function for a task, with the memory settings of a process that works by itself."""
    with freed_memory_kept:
        return function(task)


def shares(count: int, client: "distributed.Client | None" = None) -> list[Array]:
    """The numbers below ``count`` in consecutive parts, one for each thread of the workers; all in one part without a client.

    Examples
    --------
    >>> [part.tolist() for part in shares(3)]
    [[0, 1, 2]]
    """
    threads = 1 if client is None else sum(client.nthreads().values())  # type: ignore[no-untyped-call]
    return np.array_split(np.arange(count), max(1, min(threads, count)))
