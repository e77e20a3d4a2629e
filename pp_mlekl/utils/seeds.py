"""Checks of ``random_seed``, and its conversion to a generator or to an integer that can be stored."""

import numpy as np

from pp_mlekl.typing import RandomSeed
from pp_mlekl.utils.shown import shown

# Stored seeds fit into the signed 64-bit integers of file formats.
_LIMIT = 2**63


def generator_of(random_seed: RandomSeed) -> np.random.Generator:
    """The generator of an integer, SeedSequence or Generator; one with a random seed for None.

    Raises
    ------
    ValueError
        If ``random_seed`` is anything else.

    Examples
    --------
    >>> generator_of(-1)
    Traceback (most recent call last):
    ValueError: random_seed must be a whole number of at least 0, a SeedSequence or a Generator, got -1.
    """
    try:
        return np.random.default_rng(random_seed)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_seed must be a whole number of at least 0, a SeedSequence or a Generator, got {shown(random_seed)}."
        ) from error


def integer_of(random_seed: RandomSeed) -> int:
    """An integer seed that can be stored: ``random_seed`` itself, or an integer drawn from its generator.

    Raises
    ------
    ValueError
        As in ``generator_of``.

    Examples
    --------
    >>> integer_of(3), integer_of(np.random.default_rng(1)) == integer_of(np.random.default_rng(1))
    (3, True)
    """
    generator = generator_of(random_seed)
    if isinstance(random_seed, int | np.integer) and random_seed < _LIMIT:
        return int(random_seed)
    return int(generator.integers(_LIMIT))
