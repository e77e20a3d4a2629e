"""What users pass as ``random_seed``, checked once and as a number that can be kept."""

import numpy as np

from pp_mlekl.typing import RandomSeed

# What draws integers: as many as a file format's integers hold.
_LIMIT = 2**63


def generator_of(random_seed: RandomSeed) -> np.random.Generator:
    """The generator that an integer, SeedSequence or Generator stands for; a random one where it is None.

    Raises
    ------
    ValueError
        Where it is none of these.

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
            f"random_seed must be a whole number of at least 0, a SeedSequence or a Generator, got {random_seed!r}."
        ) from error


def integer_of(random_seed: RandomSeed) -> int:
    """A seed as an integer that gives the same numbers again: itself, or one drawn where it is something else.

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
