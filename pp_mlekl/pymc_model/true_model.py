"""A PyMC model that stands for the truth: its observed variables' distributions."""

from collections.abc import Sequence
from typing import Any

import pymc as pm

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.pymc_model.distributions import distribution_of


def is_model(candidate: Any) -> bool:
    """Whether something is a PyMC model."""
    return isinstance(candidate, pm.Model)


def model_distributions(model: pm.Model, names: Sequence[str]) -> dict[str, Distribution]:
    """The distributions of some of a model's variables, which must have constant parameters.

    Raises
    ------
    ValueError
        Where the model has free variables, or lacks one of the names.
    """
    free = [rv.name for rv in model.free_RVs if rv.name not in names]
    if free:
        raise ValueError(
            f"A model that is the truth has no free variables, but this one has {', '.join(free)}; fix them by "
            "pm.do(model, {name: value, ...})."
        )
    variables = {rv.name: rv for rv in model.basic_RVs}
    missing = [name for name in names if name not in variables]
    if missing:
        raise ValueError(f"The true model has no variable {missing[0]!r}; it has {', '.join(variables) or 'none'}.")
    return {name: distribution_of(variables[name]) for name in names}
