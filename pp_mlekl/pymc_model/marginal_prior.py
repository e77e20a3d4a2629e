"""The prior density of single elements of a free variable, with its random parents averaged out."""

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors
from scipy import special, stats

from pp_mlekl.pymc_model.batching import BatchedFunction
from pp_mlekl.pymc_model.distributions import distribution_of
from pp_mlekl.pymc_model.layout import FreeVariable
from pp_mlekl.pymc_model.model_functions import ModelFunctions

# Posterior points and prior draws whose pairs are evaluated where the parents are random.
_POINTS, _PARENTS = 1000, 1000


def marginal_log_prior(
    functions: ModelFunctions, variable: FreeVariable, z: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Draws of every element of a variable, and the element's log prior density there.

    Parameters
    ----------
    functions
        Of the model.
    variable
        A free variable.
    z
        Posterior draws (chain, draw, d), unconstrained.
    prior
        Prior draws (n, d), over which random parents are averaged (Rao-Blackwell).

    Returns
    -------
    Draws and log densities, shape (chain, draw, elements), on a scale on which the divergence is invariant; None where the
    elements' density is not known.
    """
    rv = next(rv for rv in functions.model.free_RVs if rv.name == variable.name)
    if type(rv.owner.op).__name__ == "DirichletRV":
        return _dirichlet(functions, variable, z)
    if variable.value_shape != variable.shape:
        return None
    term, alone = functions.kept(("marginal prior", variable.name), lambda: _term(functions, variable))
    if term is None:
        return None
    draws = z[..., variable.flat]
    if alone:
        return draws, term(z)[0].reshape(draws.shape)
    return draws, _averaged(term, variable, z, prior)


def _term(functions: ModelFunctions, variable: FreeVariable) -> tuple[BatchedFunction | None, bool]:
    """Elementwise log density of the unconstrained value, and whether it depends on that value alone."""
    values = functions.values
    i = [v.name for v in functions.free].index(variable.name)
    density = values.log_density_terms()[i]
    transform = values.transforms[values.free[i]]
    value = values.rvs_to_values[values.free[i]]
    jacobian = None
    if transform is not None:
        parents = values.of_value_variables(values.free[i].owner.inputs)
        jacobian = transform.log_jac_det(value, *parents)
    ndim = len(variable.shape)
    if density.type.ndim != ndim or (jacobian is not None and jacobian.type.ndim != ndim):
        return None, False
    total = density if jacobian is None else density + jacobian
    others = set(values.rvs_to_values[rv] for rv in values.free) - {value}
    alone = not others & set(ancestors([total]))
    (graph,) = values.of_z([total])
    return BatchedFunction([values.z], [pt.as_tensor(graph)], functions.size), alone


def _averaged(term: BatchedFunction, variable: FreeVariable, z: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """log mean over prior draws of the parents, at quantiles of the draws, interpolated to all of them."""
    flat = z.reshape(-1, z.shape[-1])[:, variable.flat]
    parents = prior[: min(_PARENTS, len(prior))]
    levels = np.linspace(0, 1, _POINTS)
    points = np.quantile(flat, levels, axis=0)
    density = np.empty_like(points)
    for k, point in enumerate(points):
        composite = parents.copy()
        composite[:, variable.flat] = point
        logs = term(composite)[0].reshape(len(parents), -1)
        density[k] = special.logsumexp(logs, axis=0) - np.log(len(parents))
    columns = [np.interp(flat[:, j], points[:, j], density[:, j]) for j in range(flat.shape[1])]
    return np.stack(columns, axis=-1).reshape(*z.shape[:-1], -1)


def _dirichlet(
    functions: ModelFunctions, variable: FreeVariable, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """An element of a Dirichlet vector is Beta; its logit is used, on which spacings are better behaved."""
    rv = next(rv for rv in functions.model.free_RVs if rv.name == variable.name)
    try:
        a = distribution_of(rv).expand(variable.shape[:-1]).a  # type: ignore[attr-defined]
    except ValueError:
        return None
    p = functions.natural(z)[variable.name].reshape(*z.shape[:-1], -1)
    a = np.broadcast_to(a, variable.shape)
    rest = (a.sum(axis=-1, keepdims=True) - a).ravel()
    log_density = stats.beta(a.ravel(), rest).logpdf(p) + np.log(p) + np.log1p(-p)
    return special.logit(p), log_density
