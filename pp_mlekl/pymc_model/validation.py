"""Which models can become smooth functions of a flat vector; others are refused with a remedy."""

import pymc as pm
from pytensor.graph.traversal import ancestors

from pp_mlekl.pymc_model.bambi import pymc_model_of
from pp_mlekl.typing import Potentials


def is_model(thing: object) -> bool:
    """Whether something is a PyMC or a Bambi model."""
    return isinstance(pymc_model_of(thing), pm.Model)


def check_model(model: pm.Model, potentials: Potentials = None) -> None:
    """Raise a one-line error with a remedy where the suite cannot work with the model.

    Parameters
    ----------
    model
        Any PyMC model.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Raises
    ------
    TypeError
        Where ``model`` is not a PyMC model.
    ValueError
        Where it has neither an observed variable nor a potential that counts as likelihood, discrete or hidden free
        variables, minibatches, or potentials without a role.
    """
    if not is_model(model):
        raise TypeError(f"model must be a pymc.Model, got {type(model).__name__}; pass what the builder returns.")
    if potentials not in (None, "prior", "likelihood"):
        raise ValueError(f'potentials must be "prior", "likelihood" or None, got {potentials!r}.')
    _check_free(model)
    if not model.observed_RVs and not (model.potentials and potentials == "likelihood"):
        raise ValueError(
            "The model has no observed variable; pass observed=... to the variable that holds the data, or "
            'potentials="likelihood" where the likelihood is written as a pm.Potential.'
        )
    if model.potentials and potentials is None:
        names = ", ".join(p.name for p in model.potentials)
        raise ValueError(f'pm.Potential ({names}) may be prior or likelihood: pass potentials="prior" or "likelihood".')
    _check_minibatches(model)


def _check_free(model: pm.Model) -> None:
    hidden = [rv.name for rv in model.free_RVs if rv.name.endswith("_unobserved")]
    if hidden:
        raise ValueError(
            f"The observed data have missing values, which PyMC turns into hidden variables ({', '.join(hidden)}); "
            "drop the rows with missing values, or impute them before building the model."
        )
    if not model.free_RVs:
        raise ValueError("The model must have a free variable; there is nothing to estimate.")
    discrete = [rv.name for rv in model.discrete_value_vars]
    if discrete:
        raise ValueError(
            f"Discrete free variables ({', '.join(discrete)}) have no gradient; sum them out of the model, e.g. by a "
            "pm.Mixture or with pymc_extras.marginalize."
        )


def _check_minibatches(model: pm.Model) -> None:
    values = [model.rvs_to_values[rv] for rv in model.observed_RVs]
    for variable in ancestors([*model.basic_RVs, *values]):
        if variable.owner is not None and "Minibatch" in type(variable.owner.op).__name__:
            raise ValueError("The model uses minibatches (pm.Minibatch or total_size); build it on the full data.")


def check_distribution(model: pm.Model, what: str) -> None:
    """Raise ValueError where the likelihood consists of potentials alone, so that no distribution of data is known.

    Parameters
    ----------
    model
        A PyMC model.
    what
        What needs one, as the subject of the message.
    """
    if not model.observed_RVs:
        names = ", ".join(p.name for p in model.potentials)
        raise ValueError(
            f"{what} needs the distribution of new data, which a pm.Potential ({names}) does not define; write the likelihood "
            "as a pm.CustomDist with a random function."
        )


def check_independence(model: pm.Model) -> None:
    """Raise ValueError where observed variables are dependent given the parameters, so that divergences do not add up.

    Dependent observations of one variable (AR, MvNormal, CustomDist over a vector) are allowed: their joint density
    is that of one PyMC variable.
    """
    for name, other in given_observed(model).items():
        raise ValueError(
            f"{name!r} depends on the observed variable {other!r}: dependent observations have a divergence only where "
            f"their joint density is one PyMC variable. To condition on the data of {other!r}, put them into the "
            f"parameters of {name!r} as an array or pm.Data; else write both as one pm.CustomDist."
        )


def given_observed(model: pm.Model) -> dict[str, str]:
    """For each observed variable whose distribution depends on other observed variables, the first of these."""
    result = {}
    for rv in model.observed_RVs:
        parents = {v for v in ancestors(rv.owner.inputs) if v is not rv}
        others = [other.name for other in model.observed_RVs if other in parents]
        if others:
            result[rv.name] = others[0]
    return result
