"""A progress bar in terminals and notebooks, nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = bool | Callable[[str], None]
"""True for a progress bar, False for none, or a function that is called with the name of each step."""


@contextmanager
def progress_bar(
    title: str, steps: int, progress: Progress, *, finished: bool = False
) -> Iterator[Callable[[str], None]]:
    """Show the progress of a computation in several steps on standard error.

    Parameters
    ----------
    title
        The text before the name of the step.
    steps
        The number of steps.
    progress
        Whether to show a bar (in terminals and notebooks only), or a function to call instead.
    finished
        Whether steps are named when they have ended instead.

    Yields
    ------
    callable
        A function to call with the name of each step when it begins (or has ended).

    Examples
    --------
    >>> with progress_bar("model", 2, print) as step:
    ...     step("sampling")
    sampling
    """
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    if not (console.is_terminal or console.is_jupyter):
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escape(title), total=steps)
        done = int(finished)

        def step(name: str) -> None:
            nonlocal done
            bar.update(task, description=escape(f"{title}: {name}"), completed=done)
            done += 1

        yield step
