"""Progress on terminals; nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def steps(name: str) -> Iterator[Callable[[str], None]]:
    """A function that shows the current step."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(name)) as status:
        yield lambda step: status.update(escape(f"{name}: {step}"))
