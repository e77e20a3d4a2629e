"""PyMC without its notes on what it is about to do."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Let through what PyMC warns of, and none of its notes.

    Examples
    --------
    >>> logger = logging.getLogger("pymc")
    >>> with quiet():
    ...     logger.isEnabledFor(logging.INFO), logger.isEnabledFor(logging.WARNING)
    (False, True)
    """
    logger = logging.getLogger("pymc")
    before = logger.level
    logger.setLevel(max(logging.WARNING, before))
    try:
        yield
    finally:
        logger.setLevel(before)
