"""The prior as a distribution where the model's own density of it does not integrate to one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pymc.distributions.transforms import _default_transform
from scipy.special import logsumexp

from pp_mlekl.divergences.monte_carlo import tail_shape
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# Rounds of draws before too little of the prior is left by its potentials, and the fewest draws that will do.
_ROUNDS, _FEWEST = 20, 400
# Vehtari et al. (2024): with a heavier tail the largest weight is not known from any number of draws.
_HEAVIEST = 0.7


@dataclass(frozen=True, kw_only=True, eq=False)
class ProperPrior:
    """Draws from the normalised prior, and the log of the integral of the model's prior density.

    Parameters
    ----------
    draws
        Independent, unconstrained, shape (n, d).
    log_normalizer, standard_error
        In nats; 0 but for potentials that count as prior and for transforms that cut a part off.
    """

    draws: Array
    log_normalizer: float = 0.0
    standard_error: float = 0.0


def prior_potentials(functions: ModelFunctions) -> list[Any]:
    """The model's potentials that count as prior."""
    likelihood = {v.name for v in functions.observed}
    return [p for p in functions.model.potentials if p.name not in likelihood]


def proper_prior(functions: ModelFunctions, n: int, generator: np.random.Generator) -> ProperPrior:
    """Draw from the prior with its potentials, by rejection, within the transforms' range.

    Parameters
    ----------
    functions
        Of a model without improper priors.
    n
        Draws wanted; there may be fewer.
    generator
        Where they come from.

    Raises
    ------
    ValueError
        Where the potentials leave too little of the prior to draw from, or weigh it too unevenly.
    """
    potentials = prior_potentials(functions)
    if not potentials and not _restricted(functions):
        return ProperPrior(draws=functions.prior_draws(n, generator))
    draws, log_weights = np.empty((0, functions.size)), np.empty(0)
    accepted = np.empty(0, dtype=bool)
    uniform = np.empty(0)
    for _ in range(_ROUNDS):
        z = functions.prior_attempts(n, generator)
        draws, log_weights = np.concatenate([draws, z]), np.concatenate([log_weights, _log_weights(functions, z)])
        uniform = np.concatenate([uniform, generator.uniform(size=n)])
        with np.errstate(invalid="ignore"):
            accepted = np.log(uniform) < log_weights - log_weights.max()
        if np.sum(accepted) >= n:
            break
    names = ", ".join(p.name for p in potentials) or "the transforms"
    weights = np.exp(log_weights - max(log_weights.max(), -1e300))
    if np.sum(accepted) < _FEWEST or tail_shape(weights) > _HEAVIEST:
        raise ValueError(
            f"Too little of the prior is left to draw from under {names} ({np.sum(accepted)} of {len(draws)} draws); put the "
            'restriction into the priors themselves, or count the potential as potentials="likelihood".'
        )
    error = float(weights.std(ddof=1) / weights.mean() / np.sqrt(len(weights)))
    value = float(logsumexp(log_weights) - np.log(len(log_weights)))
    return ProperPrior(draws=draws[accepted][:n], log_normalizer=value, standard_error=error)


def _log_weights(functions: ModelFunctions, z: Array) -> Array:
    """What the potentials add to the log prior density; -inf outside the transforms' range."""
    inside = np.all(np.isfinite(z), axis=-1)
    result = np.where(inside, 0.0, -np.inf)
    for values in functions.evaluate(prior_potentials(functions), z[inside]):
        result[inside] += values.reshape(np.sum(inside), -1).sum(axis=-1)
    return np.where(np.isnan(result), -np.inf, result)


def _restricted(functions: ModelFunctions) -> bool:
    """Whether a variable has another transform than its family's, such as one that puts its elements in order."""
    return any(
        type(transform) is not type(_default_transform(rv.owner.op, rv))
        for rv, transform in functions.model.rvs_to_transforms.items()
    )
