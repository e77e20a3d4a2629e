"""The marginal prior density of single elements of a free variable, averaged over its random parents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors
from scipy import special, stats
from scipy.interpolate import CubicSpline

from pp_mlekl.pymc_model.distributions.from_pymc import distribution_of
from pp_mlekl.pymc_model.draws.normalized_prior import prior_potentials
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.layout import FreeVariable
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# Points at which the average over random parents is evaluated: quantiles of the draws, and a grid over their range.
_QUANTILES, _GRID = 100, 60
_PARENTS = 4000
# Numbers held at a time for the curves of one variable.
_CURVE_NUMBERS = 20_000_000
# Curves for plots: posterior quantiles and a margin in multiples of their distance, numbers of own and shared points, draws of
# the parents, and the step of the difference quotient for the Jacobian.
_CURVE_QUANTILES, _CURVE_MARGIN, _CURVE_POINTS, _CURVE_PARENTS, _CURVE_STEP = (0.001, 0.999), 1.0, (121, 41), 300, 1e-5


@dataclass(frozen=True, kw_only=True)
class MarginalPrior:
    """Posterior draws of each element of a variable and the element's log prior density there.

    Parameters
    ----------
    draws, log_density
        Shape (chain, draw, elements), on a scale on which the divergence is invariant.
    extra_variance
        Variance of the mean of ``log_density`` due to the finite number of prior draws of the parents, shape (elements,).
    """

    draws: Array
    log_density: Array
    extra_variance: Array


def marginal_log_prior(
    functions: ModelFunctions, variable: FreeVariable, z: Array, prior: Array
) -> MarginalPrior | None:
    """The marginal prior of every element of a variable.

    Parameters
    ----------
    functions
        The model's functions.
    variable
        A free variable.
    z
        Posterior draws (chain, draw, d), unconstrained.
    prior
        Prior draws (n, d), over which random parents are averaged (Rao-Blackwell).

    Returns
    -------
    MarginalPrior or None
        None where the elements' density is unknown.
    """
    rv = next(rv for rv in functions.model.free_RVs if rv.name == variable.name)
    kind = type(rv.owner.op).__name__
    if kind == "DirichletRV":
        return _dirichlet(functions, variable, z)
    if kind == "MvNormalRV":
        return _mv_normal(functions, variable, z)
    if variable.value_shape != variable.shape:
        return None
    term, alone = functions.kept(("marginal prior", variable.name), lambda: _term(functions, variable))
    if term is None:
        return None
    draws = z[..., variable.flat]
    if alone:
        return _exactly(draws, term(z)[0].reshape(draws.shape))
    return _averaged(term, variable, z, prior)


def prior_density_curves(
    functions: ModelFunctions, variable: FreeVariable, z: Array, prior: Array
) -> tuple[Array, Array] | None:
    """The marginal prior density of every element of a variable over the range of its posterior, for plots.

    Parameters
    ----------
    functions
        The model's functions.
    variable
        A free variable.
    z
        Posterior draws (n, d), unconstrained.
    prior
        Prior draws (m, d), over which random parents are averaged.

    Returns
    -------
    x, density
        On the natural scale, (points, elements); None where no elementwise density is known.
    """
    if variable.value_shape != variable.shape:
        return None
    term, alone = functions.kept(("marginal prior", variable.name), lambda: _term(functions, variable))
    if term is None:
        return None
    low, high = np.quantile(z[:, variable.flat], _CURVE_QUANTILES, axis=0)
    margin = _CURVE_MARGIN * (high - low)
    own = np.linspace(low - margin, high + margin, _CURVE_POINTS[0])
    # Elements of one variable may share an axis.
    shared = np.linspace((low - margin).min(), (high + margin).max(), _CURVE_POINTS[1])
    grid = np.sort(np.concatenate([own, np.repeat(shared[:, None], own.shape[1], axis=1)]), axis=0)
    affordable = max(1, _CURVE_NUMBERS // (len(grid) * functions.size))
    parents = prior[: 1 if alone else min(_CURVE_PARENTS, affordable)]
    composite = np.repeat(parents[None], len(grid), axis=0)
    composite[..., variable.flat] = grid[:, None]
    logs = term(composite.reshape(-1, composite.shape[-1]))[0].reshape(*composite.shape[:2], -1)
    log_density = special.logsumexp(logs, axis=1) - np.log(len(parents))
    near = np.repeat(parents[:1], len(grid), axis=0)
    sides = []
    for step in (0.0, -_CURVE_STEP, _CURVE_STEP):
        near[:, variable.flat] = grid + step
        sides.append(functions.natural(near)[variable.name].reshape(len(grid), -1))
    x, before, after = sides
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        density = np.exp(log_density) * 2 * _CURVE_STEP / np.abs(after - before)
    return x, density


def group_log_prior(functions: ModelFunctions, names: Sequence[str], z: Array) -> Array | None:
    """Joint log prior density of the unconstrained values of some free variables, in nats, shape (*batch,).

    None where it is unknown: a parent is random and not among the variables, or a potential is part of the prior.
    """
    values = functions.values
    if prior_potentials(functions):
        return None
    chosen = [(v, rv) for v, rv in zip(functions.free, values.free, strict=True) if v.name in names]
    own = {values.rvs_to_values[rv] for _, rv in chosen}
    others = set(values.rvs_to_values[rv] for rv in values.free) - own

    def make() -> BatchedFunction | None:
        densities = dict(zip(values.free, values.log_density_terms, strict=False))
        terms = [densities[rv].sum() for _, rv in chosen]
        for _, rv in chosen:
            transform = values.transforms[rv]
            if transform is not None:
                parents = values.of_value_variables(rv.owner.inputs)
                terms.append(transform.log_jac_det(values.rvs_to_values[rv], *parents).sum())
        total = pt.add(*terms) if len(terms) > 1 else terms[0]
        if others & set(ancestors([total])):
            return None
        (graph,) = values.of_z([total])
        return BatchedFunction([values.z], [pt.as_tensor(graph)], functions.size)

    function = functions.kept(("group prior", *names), make)
    return None if function is None else function(z)[0]


def log_top_level_prior(functions: ModelFunctions, z: Array) -> Array:
    """Joint log prior density, in nats, of the variables whose parents are constant, shape (*batch,)."""
    values = functions.values
    own = set(values.rvs_to_values.values())
    result = np.zeros(z.shape[:-1])
    terms = functions.log_prior_terms(z)
    for v, rv, density in zip(functions.free, values.free, values.log_density_terms, strict=False):
        if not own & set(ancestors([density])) - {values.rvs_to_values[rv]}:
            term = terms[v.name]
            result = result + term.reshape(*z.shape[:-1], -1).sum(axis=-1)
    return result


def _exactly(draws: Array, log_density: Array) -> MarginalPrior:
    return MarginalPrior(draws=draws, log_density=log_density, extra_variance=np.zeros(draws.shape[-1]))


def _term(functions: ModelFunctions, variable: FreeVariable) -> tuple[BatchedFunction | None, bool]:
    """Elementwise log density of the unconstrained value, and whether it depends on no other value."""
    values = functions.values
    i = [v.name for v in functions.free].index(variable.name)
    density = values.log_density_terms[i]
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
    if jacobian is not None and others & set(ancestors([jacobian])):
        # The transform depends on the parents, so the divergence is not invariant under it.
        return None, False
    alone = not others & set(ancestors([total]))
    (graph,) = values.of_z([total])
    return BatchedFunction([values.z], [pt.as_tensor(graph)], functions.size), alone


def _averaged(term: BatchedFunction, variable: FreeVariable, z: Array, prior: Array) -> MarginalPrior:
    """Log of the mean density over prior draws of the parents, evaluated at points and interpolated to all draws."""
    flat = z.reshape(-1, z.shape[-1])[:, variable.flat]
    parents = prior[:_PARENTS]
    grid = np.linspace(flat.min(axis=0), flat.max(axis=0), _GRID)
    points = np.sort(
        np.concatenate([np.quantile(flat, (np.arange(_QUANTILES) + 0.5) / _QUANTILES, axis=0), grid]), axis=0
    )
    weights = _shares(flat, points)
    density = np.empty_like(points)
    influence = np.zeros((len(parents), flat.shape[1]))
    for k, point in enumerate(points):
        composite = parents.copy()
        composite[:, variable.flat] = point
        logs = term(composite)[0].reshape(len(parents), -1)
        density[k] = special.logsumexp(logs, axis=0) - np.log(len(parents))
        influence += weights[k] * np.exp(logs - density[k])
    columns = [_interpolated(flat[:, j], points[:, j], density[:, j]) for j in range(flat.shape[1])]
    return MarginalPrior(
        draws=flat.reshape(*z.shape[:-1], -1),
        log_density=np.stack(columns, axis=-1).reshape(*z.shape[:-1], -1),
        extra_variance=influence.var(axis=0, ddof=1) / len(parents),
    )


def _shares(flat: Array, points: Array) -> Array:
    """The fraction of draws nearest to each point, of the shape of ``points``."""
    shares = np.empty_like(points)
    for j, column in enumerate(points.T):
        which = np.searchsorted((column[1:] + column[:-1]) / 2, flat[:, j])
        shares[:, j] = np.bincount(which, minlength=len(column)) / len(flat)
    return shares


def _interpolated(x: Array, points: Array, values: Array) -> Array:
    points, first = np.unique(points, return_index=True)
    if len(points) == 1:
        return np.full(x.shape, values[first[0]])
    return CubicSpline(points, values[first])(x)


def _mv_normal(functions: ModelFunctions, variable: FreeVariable, z: Array) -> MarginalPrior | None:
    rv = next(rv for rv in functions.model.free_RVs if rv.name == variable.name)
    try:
        prior = distribution_of(rv)
    except ValueError:
        return None
    variance = np.diagonal(prior.cov, axis1=-2, axis2=-1)  # type: ignore[attr-defined]
    mean = np.broadcast_to(prior.mu, variable.shape).ravel()  # type: ignore[attr-defined]
    draws = z[..., variable.flat]
    return _exactly(draws, stats.norm(mean, np.sqrt(np.broadcast_to(variance, variable.shape).ravel())).logpdf(draws))


def _dirichlet(functions: ModelFunctions, variable: FreeVariable, z: Array) -> MarginalPrior | None:
    """Density of the logit of one element of a Dirichlet vector (a Beta variable); spacings are more regular on this scale."""
    rv = next(rv for rv in functions.model.free_RVs if rv.name == variable.name)
    try:
        a = distribution_of(rv).expand(variable.shape[:-1]).a  # type: ignore[attr-defined]
    except ValueError:
        return None
    p = functions.natural(z)[variable.name].reshape(*z.shape[:-1], -1)
    a = np.broadcast_to(a, variable.shape)
    rest = (a.sum(axis=-1, keepdims=True) - a).ravel()
    log_density = stats.beta(a.ravel(), rest).logpdf(p) + np.log(p) + np.log1p(-p)
    return _exactly(special.logit(p), log_density)
