"""Draws of a model's variables given others: new groups given hyperparameters, data given parameters."""

from collections.abc import Sequence

import numpy as np
from pytensor.graph.traversal import ancestors

from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.prior_sampler import PriorSampler, improper_names
from pp_mlekl.typing import Array


def check_redrawn(functions: ModelFunctions, names: Sequence[str]) -> None:
    """Raise ValueError where a name is no free variable, or one whose prior is improper."""
    free = [v.name for v in functions.free]
    unknown = [name for name in names if name not in free]
    if unknown:
        raise ValueError(
            f"new_groups must be free variables, got {unknown[0]!r}; the free variables are {', '.join(free)}."
        )
    improper = sorted(set(names) & set(improper_names(functions.model)))
    if improper:
        raise ValueError(
            f"{improper[0]} has an improper prior, from which no new group can be drawn; give it a proper prior."
        )


def parents_of(functions: ModelFunctions, names: Sequence[str]) -> list[str]:
    """Names of the other free variables on which the priors of ``names`` depend."""
    variables = {rv.name: rv for rv in functions.model.free_RVs}
    found = set(ancestors([i for name in names for i in variables[name].owner.inputs]))
    return [name for name, rv in variables.items() if rv in found and name not in names]


def redrawn(functions: ModelFunctions, z: Array, names: Sequence[str], generator: np.random.Generator) -> Array:
    """Points with some variables redrawn from their prior given all the others, shape (n, d).

    Parameters
    ----------
    functions
        The model's functions.
    z
        Unconstrained, shape (n, d).
    names
        Free variables to redraw; with the same seed and ``n``, equal hyperparameters give equal draws.
    generator
        Source of the draws.

    Raises
    ------
    ValueError
        Where a name is no free variable, or its prior is improper.
    """
    check_redrawn(functions, names)
    free = [v.name for v in functions.free]
    variables = {rv.name: rv for rv in functions.model.free_RVs}
    shapes = {v.name: v.shape for v in functions.free}
    kept = [name for name in free if name not in names]

    def make() -> PriorSampler:
        return PriorSampler(
            [variables[n] for n in names], [shapes[n] for n in names], {}, given=[variables[n] for n in kept]
        )

    sampler = functions.kept(("new groups", *names), make)
    values = functions.natural(z)
    drawn = sampler.draw(len(z), generator, [values[n] for n in kept])
    moved = functions.unconstrain(values | dict(zip(names, drawn, strict=True)))
    result = np.array(z)
    for v in functions.free:
        if v.name in names:
            result[..., v.flat] = moved[..., v.flat]
    return result


def observed_draws(functions: ModelFunctions, name: str, z: Array, generator: np.random.Generator) -> Array:
    """One draw of an observed variable at each point, by PyMC's own random function.

    Parameters
    ----------
    functions
        The model's functions.
    name
        An observed variable; others that it depends on stay at their data.
    z
        Unconstrained, shape (n, d).
    generator
        Source of the draws.

    Returns
    -------
    Array of shape (n, *data shape).

    Raises
    ------
    ValueError
        Where PyMC cannot draw it.
    """
    values = functions.natural(z)
    try:
        sampler = _observed_sampler(functions, name)
        (drawn,) = sampler.draw(len(z), generator, [values[v.name] for v in functions.free])
    except NotImplementedError as error:
        raise ValueError(
            f"PyMC cannot draw {name!r}: its CustomDist has no random= function; give it one (held-out draws can take its "
            "place where a truth is asked for)."
        ) from error
    return drawn


def drawn_one_by_one(functions: ModelFunctions, name: str) -> bool:
    """Whether each draw of an observed variable takes a separate call, so that thousands of draws take minutes."""
    return _observed_sampler(functions, name).one_by_one


def _observed_sampler(functions: ModelFunctions, name: str) -> PriorSampler:
    def make() -> PriorSampler:
        model, data = functions.model, functions.observed_data()
        variables = {rv.name: rv for rv in model.observed_RVs}
        others = {variables[n]: data[n] for n in variables if n != name}
        return PriorSampler([variables[name]], [np.shape(data[name])], others, given=list(model.free_RVs))

    return functions.kept(("observed draws", name), make)
