"""Counts (draws, data sets): checks of them, and how a sentence names them."""

from typing import Any

import numpy as np
import psutil

from pp_mlekl.utils.shown import shown


def check_count(name: str, value: Any, at_least: int = 1) -> None:
    """Raise ValueError unless an argument is an integer of at least ``at_least``.

    Examples
    --------
    >>> check_count("draws", 1000)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        wanted = "a positive integer" if at_least == 1 else f"an integer of at least {at_least}"
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}.")


def check_memory(numbers: int, what: str) -> None:
    """Raise ValueError if an array of this many doubles does not fit into the machine's memory.

    Parameters
    ----------
    numbers
        The number of doubles, as a Python integer, which does not overflow.
    what
        The subject of the message's sentence, such as "1000 draws".
    """
    needed, memory = 8 * numbers, psutil.virtual_memory().total
    if needed > memory:
        raise ValueError(
            f"{what} need {needed / 2**30:.3g} GiB of memory, and this machine has {memory / 2**30:.3g}; take fewer."
        )


def counted(number: float, noun: str, plural: str = "") -> str:
    """A number and what is counted, as a sentence has them: in the singular for 1.

    Examples
    --------
    >>> counted(1, "observation"), counted(1200, "observation"), counted(2, "maximum", "maxima")
    ('1 observation', '1,200 observations', '2 maxima')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
