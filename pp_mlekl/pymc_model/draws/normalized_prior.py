"""The normalised prior, where the model's prior density does not integrate to one (potentials, orderings)."""

from dataclasses import dataclass

import numpy as np
from pymc.distributions.transforms import Ordered, _default_transform
from pytensor.tensor.variable import TensorVariable
from scipy.special import gammaln, logsumexp

from pp_mlekl.divergences.monte_carlo import RELIABLE_SHAPE, tail_shape
from pp_mlekl.pymc_model.interpreter.constant_values import constant_value
from pp_mlekl.pymc_model.layout import FreeVariable
from pp_mlekl.pymc_model.model_functions import MAX_ROUNDS, ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Maximum number of rounds of draws, and the fewest accepted draws that suffice.
_ROUNDS, _FEWEST = 20, 400
# Prior draws for the prior mass within the transforms' range, where it has no closed form: 1% relative error for a mass of 1/2.
_ATTEMPTS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class ProperPrior:
    """Draws from the normalised prior, and its normalising constant: the mean of exp(potentials) over the prior in range.

    "In range" are prior draws that the transforms can represent, such as those in order under an ordering transform.

    Parameters
    ----------
    draws
        Independent, unconstrained, shape (n, d).
    log_normalizer, standard_error
        Log of the constant and its error, in nats; 0 without potentials that count as prior.
    """

    draws: Array
    log_normalizer: float = 0.0
    standard_error: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PriorMass:
    """Log of the prior mass within the transforms' range, in nats, and its standard error; both 0 without such a restriction."""

    log_mass: float = 0.0
    standard_error: float = 0.0


def prior_potentials(functions: ModelFunctions) -> list[TensorVariable]:
    """The model's potentials that count as prior."""
    likelihood = {v.name for v in functions.observed}
    return [p for p in functions.model.potentials if p.name not in likelihood]


def prior_mass(functions: ModelFunctions) -> PriorMass:
    """The prior mass within the range of transforms such as an ordering, by which evidences are divided.

    For K independent and identically distributed elements in order it is exactly 1 / K!; otherwise it is the fraction of
    prior draws in range.

    Raises
    ------
    ValueError
        Where too few prior draws are in range to estimate the fraction.
    """
    return functions.kept("prior mass", lambda: _prior_mass(functions))


def _prior_mass(functions: ModelFunctions) -> PriorMass:
    restricted = _restricted(functions)
    if all(_is_exchangeable_order(functions, v) for v in restricted):
        orders = [np.prod(v.shape[:-1], dtype=int) * gammaln(v.shape[-1] + 1) for v in restricted]
        return PriorMass(log_mass=-float(sum(orders)))
    inside = np.all(np.isfinite(functions.prior_attempts(_ATTEMPTS, np.random.default_rng(0))), axis=-1)
    if np.sum(inside) < _FEWEST:
        raise _too_little(functions, int(np.sum(inside)), _ATTEMPTS)
    share = float(np.mean(inside))
    return PriorMass(log_mass=np.log(share), standard_error=float(np.sqrt((1 - share) / share / _ATTEMPTS)))


def proper_prior(functions: ModelFunctions, n: int, generator: np.random.Generator) -> ProperPrior:
    """Draw from the prior with its potentials, by rejection, within the transforms' range.

    Parameters
    ----------
    functions
        Of a model without improper priors.
    n
        Number of draws wanted; there may be fewer.
    generator
        Source of the draws.

    Raises
    ------
    ValueError
        Where the potentials leave too little of the prior to draw from, or weight it too unevenly.
    """
    potentials = prior_potentials(functions)
    if not potentials:
        return ProperPrior(draws=prior_within_transforms(functions, n, generator))
    draws, log_weights = np.empty((0, functions.size)), np.empty(0)
    accepted, uniform = np.empty(0, dtype=bool), np.empty(0)
    for _ in range(_ROUNDS):
        z = prior_within_transforms(functions, n, generator)
        draws, log_weights = np.concatenate([draws, z]), np.concatenate([log_weights, _log_weights(functions, z)])
        uniform = np.concatenate([uniform, generator.uniform(size=len(z))])
        with np.errstate(invalid="ignore"):
            accepted = np.log(uniform) < log_weights - log_weights.max()
        if np.sum(accepted) >= n:
            break
    weights = np.exp(log_weights - max(log_weights.max(), -1e300))
    if np.sum(accepted) < _FEWEST or tail_shape(weights) > RELIABLE_SHAPE:
        names = ", ".join(str(p.name) for p in potentials)
        raise ValueError(
            f"{names} leaves too little of the prior to draw from ({np.sum(accepted):,} of {counted(len(draws), 'draw')}); "
            'put the restriction into the priors themselves, or count the potential as potentials="likelihood".'
        )
    error = float(weights.std(ddof=1) / weights.mean() / np.sqrt(len(weights)))
    value = float(logsumexp(log_weights) - np.log(len(log_weights)))
    return ProperPrior(draws=draws[accepted][:n], log_normalizer=value, standard_error=error)


def prior_within_transforms(functions: ModelFunctions, n: int, generator: np.random.Generator) -> Array:
    """Prior draws without potentials that the transforms can represent, unconstrained: shape (at most n, d).

    Raises
    ------
    ValueError
        Where too few draws are in the transforms' range.
    """
    draws = functions.prior_draws(n, generator)
    if len(draws) < min(n, _FEWEST):
        raise _too_little(functions, len(draws), n * MAX_ROUNDS)
    return draws


def _too_little(functions: ModelFunctions, found: int, attempts: int) -> ValueError:
    names = ", ".join(v.name for v in _restricted(functions)) or "some variables"
    return ValueError(
        f"The transforms of {names} leave too little of the prior to draw from ({found:,} of {counted(attempts, 'draw')}); "
        "give the elements priors nearer to that order."
    )


def _log_weights(functions: ModelFunctions, z: Array) -> Array:
    """The sum of the prior potentials at z (n, d), in nats, shape (n,)."""
    result = np.zeros(len(z))
    for values in functions.evaluate(prior_potentials(functions), z):
        result += values.reshape(len(z), -1).sum(axis=-1)
    return np.where(np.isnan(result), -np.inf, result)


def _restricted(functions: ModelFunctions) -> list[FreeVariable]:
    """The variables with a transform other than their family's default, such as an ordering."""
    model = functions.model
    other = {
        rv.name
        for rv, transform in model.rvs_to_transforms.items()
        if type(transform) is not type(_default_transform(rv.owner.op, rv))
    }
    return [v for v in functions.free if v.name in other]


def _is_exchangeable_order(functions: ModelFunctions, variable: FreeVariable) -> bool:
    """Whether a variable is ordered along its last axis, and its elements there are independent and identically distributed."""
    rv = next(rv for rv in functions.model.free_RVs if rv.name == variable.name)
    op = rv.owner.op
    if not isinstance(functions.model.rvs_to_transforms[rv], Ordered) or getattr(op, "ndim_supp", 1) != 0:
        return False
    return all(_is_same_along_last_axis(p) for p in op.dist_params(rv.owner))


def _is_same_along_last_axis(parameter: TensorVariable) -> bool:
    if parameter.type.ndim == 0 or parameter.type.shape[-1] == 1:
        return True
    try:
        values = np.asarray(constant_value(parameter))
    except ValueError:
        # The parameter is random.
        return False
    return bool(np.all(values == values[..., :1]))
