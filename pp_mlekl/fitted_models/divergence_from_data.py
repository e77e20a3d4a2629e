"""KL(data||fitted) for continuous i.i.d. data, whose density is estimated by nearest neighbours."""

import numpy as np

from pp_mlekl.divergences.samples.checks import checked_draws
from pp_mlekl.divergences.samples.one_sample import log_density_terms
from pp_mlekl.divergences.samples.terms import Terms, estimate
from pp_mlekl.estimation.quadrature_data import exchangeable
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


def unavailable_because(functions: ModelFunctions, generator: np.random.Generator) -> str:
    """Why KL(data||fitted) is unavailable: the data are not continuous and i.i.d. in the model; empty if they are."""
    if len(functions.measured) != 1:
        return "kl_data is unavailable: it needs a single observed variable."
    (variable,) = functions.measured
    if not functions.model[variable.name].dtype.startswith("float"):
        return "kl_data is unavailable: it needs continuous data, and the observed variable is discrete."
    nothing = Truth(kind="parameters")
    if not variable.shape or not exchangeable(functions, nothing, generator):
        return "kl_data is unavailable: it needs i.i.d. data, and the rows of the model differ."
    return ""


def log_density_of_data(functions: ModelFunctions) -> Terms:
    """The log density of the data at each observation, by spacings or nearest neighbours.

    Raises
    ------
    ValueError
        If there are too few observations or too many ties.
    """
    (variable,) = functions.measured
    rows = int(np.prod(variable.shape, dtype=int))
    values = functions.observed_data()[variable.name]
    draws = checked_draws(values.reshape(rows, -1), name="the data")
    if draws.discrete:
        raise ValueError("a density estimate needs continuous data without many ties.")
    return log_density_terms(draws)


def divergence_from_data(terms: Terms, log_q: Array) -> tuple[float, float, tuple[str, ...]]:
    """KL(data||fitted) summed over rows, its standard error, and warnings."""
    if not np.all(np.isfinite(log_q)):
        return np.nan, np.nan, ()
    combined = Terms(
        values=terms.values - log_q,
        method=terms.method,
        extra_variance=terms.extra_variance,
        bias=terms.bias,
        warnings=terms.warnings,
    )
    found = estimate(combined, sign=1.0, direction="KL(data||fitted)", chains=None, ess=None)
    n = len(log_q)
    return n * float(found.value), n * float(found.mcse), found.warnings
