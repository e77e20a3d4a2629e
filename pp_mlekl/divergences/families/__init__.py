"""The families, looked up by PyMC's class names."""

from difflib import get_close_matches
from typing import Any

# Importing a module of families registers them and their rules.
from pp_mlekl.divergences.families import (  # noqa: F401
    beta,
    binary,
    censored,
    circular,
    counts,
    dirichlet,
    excess_zero_rules,
    extreme,
    few_values,
    gamma,
    hurdle,
    interpolated,
    interval,
    laplace,
    lkj,
    logistic,
    matrix_normal,
    mixture,
    multinomial,
    mv_normal,
    nearly_poisson,
    normal,
    polya_gamma,
    positive,
    powers_of_gamma,
    skewed,
    student,
    truncated,
    wishart,
    zero_inflated,
)
from pp_mlekl.divergences.families.registry import FAMILIES, register_family

__all__ = ["FAMILIES", "family", "register_family"]


def family(name: str) -> type[Any]:
    """The family of a name, e.g. ``family("Normal")(mu=0, sigma=1)``.

    Raises
    ------
    ValueError
        Where there is no such family; the message names the nearest.
    """
    if name not in FAMILIES:
        near = get_close_matches(name, FAMILIES, n=3) or sorted(FAMILIES)
        raise ValueError(f"Unknown distribution {name!r}; did you mean {', '.join(near)}?")
    return FAMILIES[name]
