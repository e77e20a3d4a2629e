"""The families, looked up by PyMC's class names."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

from pp_mlekl.divergences.families.registry import FAMILIES, register_family

__all__ = ["FAMILIES", "family", "register_family"]

for _module in (
    "normal",
    "gamma",
    "extreme",
    "powers_of_gamma",
    "beta",
    "interval",
    "laplace",
    "logistic",
    "interpolated",
    "polya_gamma",
    "student",
    "circular",
    "skewed",
    "positive",
    "counts",
    "binary",
    "mixture",
    "truncated",
    "censored",
    "zero_inflated",
    "hurdle",
    "mv_normal",
    "dirichlet",
    "multinomial",
    "wishart",
    "matrix_normal",
    "lkj",
    "few_values",
    "excess_zero_rules",
):
    import_module(f"pp_mlekl.divergences.families.{_module}")


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
