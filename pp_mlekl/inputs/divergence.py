"""Divergences between any two distributions: labelled inputs in, ``Estimate`` out."""

from dataclasses import replace
from math import inf, log
from typing import Any

import numpy as np

from pp_mlekl.divergences import jensen_shannon, kullback_leibler, wasserstein
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.monte_carlo import check_precision
from pp_mlekl.divergences.samples.checks import Draws, checked_draws
from pp_mlekl.divergences.samples.divergence import (
    draws_of,
    in_free_coordinates,
    js_between_draws,
    kl_between_draws,
    kl_to_density,
    of_the_kind_of,
    values_for,
)
from pp_mlekl.divergences.samples.entropy import sample_entropy
from pp_mlekl.divergences.samples.one_sample import cut_circle, thinned
from pp_mlekl.divergences.samples.terms import Terms, estimate
from pp_mlekl.divergences.samples.wasserstein import wasserstein_between_draws
from pp_mlekl.inputs.draws import is_draws
from pp_mlekl.inputs.pairing import alone, paired
from pp_mlekl.typing import DistributionOrDraws, Names, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.seeds import generator_of

_FULL_CIRCLE = 2 * np.pi


@checked_arguments
def kl_divergence(
    p: DistributionOrDraws,
    q: DistributionOrDraws,
    *,
    event_dims: Names | None = None,
    var_names: Names | None = None,
    period: float | None = None,
    base: float | None = None,
    rtol: float | None = None,
    budget: int | None = None,
    random_seed: RandomSeed = None,
) -> Estimate:
    """Kullback-Leibler divergence KL(P||Q) = E_P[log p - log q], in that direction.

    In closed form where there is one, else by quadrature or a sum, else by Monte Carlo; by nearest neighbours or
    spacings where one side is known by draws alone. ``method`` and ``warnings`` of the result say how it was reached.

    Parameters
    ----------
    p, q
        A PyMC ``.dist()``, a frozen SciPy or PreliZ distribution, ``mk.distribution(...)``, a text like
        ``"Gamma(2, 1)"``; or draws: an array of shape (n,) or (n, d), a DataArray with dims chain and draw or sample,
        a Dataset (its variables together) or a DataTree (its posterior). Variables of two Datasets are paired by name,
        labels of a dim that both sides have by label. Parameters of any shapes broadcast, and those with DataArrays as
        parameters keep their dims and coords.
    event_dims
        Dims of DataArray draws that make up one draw: all but the sample dims by default; the others are batch.
    var_names
        Variables of a Dataset to use.
    period
        Length of the circle on which one-dimensional draws lie; that of a von Mises distribution is understood.
    base
        Base of the logarithm: 2 for bits; nats by default.
    rtol
        Relative standard error at which Monte Carlo stops; 50,000 draws where none is asked for.
    budget
        Draws that Monte Carlo may take at the most; a warning says where they did not suffice.
    random_seed
        For what is drawn; the same seed gives the same result.

    Returns
    -------
    Estimate
        ``inf`` where P puts mass where Q has none or where the integral diverges. An estimate from draws is never
        clipped at 0.

    Raises
    ------
    TypeError
        Where ``p`` or ``q`` is none of these.
    ValueError
        Where continuous meets discrete, dimensions, variables or labels differ, a scale is 0 or draws are too few.

    Notes
    -----
    Of draws alone the error holds the bias that can be seen; how often 95% intervals hold the exact value, by dimension
    and tails, is tabled in docs/divergences.md.

    Examples
    --------
    >>> import pp_mlekl as mk
    >>> mk.kl_divergence("Normal(0, 1)", "Normal(1, 1)").value
    0.5
    >>> mk.kl_divergence("Cauchy(0, 1)", "Normal(0, 1)").value
    inf
    """
    _check_options(base, rtol, budget, period)
    generator = generator_of(random_seed)

    def exact(a: Distribution, b: Distribution) -> Estimate:
        return kullback_leibler.kl_divergence(a, b, rtol=rtol, budget=budget, generator=generator)

    def sampled(a: Any, b: Any) -> Estimate:
        return _kl_of_samples(a, b, period, generator)

    return _in_base(paired(p, q, exact, sampled, event_dims, var_names), base)


@checked_arguments
def js_divergence(
    p: DistributionOrDraws,
    q: DistributionOrDraws,
    *,
    event_dims: Names | None = None,
    var_names: Names | None = None,
    base: float | None = None,
    rtol: float | None = None,
    budget: int | None = None,
    random_seed: RandomSeed = None,
) -> Estimate:
    """Jensen-Shannon divergence KL(P||M)/2 + KL(Q||M)/2 with M = (P + Q)/2; symmetric, at most log 2.

    It is the divergence; its square root is what ``scipy.spatial.distance.jensenshannon`` returns.

    Parameters
    ----------
    p, q, event_dims, var_names, base, rtol, budget, random_seed
        As for ``kl_divergence``.

    Returns
    -------
    Estimate
        In nats, or in the unit of ``base``.

    Raises
    ------
    TypeError, ValueError
        As ``kl_divergence``.

    Examples
    --------
    >>> import pp_mlekl as mk
    >>> round(mk.js_divergence("Uniform(0, 1)", "Uniform(2, 3)", base=2).value, 9)
    1.0
    """
    _check_options(base, rtol, budget)
    generator = generator_of(random_seed)

    def exact(a: Distribution, b: Distribution) -> Estimate:
        return jensen_shannon.js_divergence(a, b, rtol=rtol, budget=budget, generator=generator)

    def sampled(a: Any, b: Any) -> Estimate:
        return js_between_draws(*_in_density_coordinates(a, b, *_both_drawn(a, b, generator)), generator)

    return _in_base(paired(p, q, exact, sampled, event_dims, var_names), base)


@checked_arguments
def wasserstein_distance(
    p: DistributionOrDraws,
    q: DistributionOrDraws,
    *,
    order: int = 1,
    event_dims: Names | None = None,
    var_names: Names | None = None,
    random_seed: RandomSeed = None,
) -> Estimate:
    """Wasserstein distance (inf E|X - Y|^order)^(1/order), order 1 or 2, in the unit of the variable.

    By quantiles in one dimension, in closed form between normals (order 2), from draws by order statistics and,
    in more than one dimension, sliced.

    Parameters
    ----------
    p, q
        As for ``kl_divergence``.
    order
        1 or 2.
    event_dims, var_names, random_seed
        As for ``kl_divergence``.

    Returns
    -------
    Estimate
        In the unit of the variable.

    Raises
    ------
    TypeError, ValueError
        As ``kl_divergence``.

    Examples
    --------
    >>> import pp_mlekl as mk
    >>> mk.wasserstein_distance("Normal(0, 1)", "Normal(3, 5)", order=2).value
    5.0
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}.")
    generator = generator_of(random_seed)

    def exact(a: Distribution, b: Distribution) -> Estimate:
        return wasserstein.wasserstein_distance(a, b, order=order)

    def sampled(a: Any, b: Any) -> Estimate:
        return wasserstein_between_draws(*_both_drawn(a, b, generator), order, generator)

    return paired(p, q, exact, sampled, event_dims, var_names)


@checked_arguments
def entropy(
    p: DistributionOrDraws,
    *,
    event_dims: Names | None = None,
    var_names: Names | None = None,
    period: float | None = None,
    base: float | None = None,
    rtol: float | None = None,
    budget: int | None = None,
    random_seed: RandomSeed = None,
) -> Estimate:
    """Entropy E_P[-log p]: differential for continuous P, which may be negative.

    Parameters
    ----------
    p, event_dims, var_names, period, base, rtol, budget, random_seed
        As for ``kl_divergence``.

    Returns
    -------
    Estimate
        In nats, or in the unit of ``base``.

    Raises
    ------
    TypeError, ValueError
        As ``kl_divergence``.

    Examples
    --------
    >>> import pp_mlekl as mk
    >>> mk.entropy("Bernoulli(0.5)", base=2).value
    1.0
    """
    _check_options(base, rtol, budget, period)

    def of_draws(a: Any) -> Estimate:
        return sample_entropy(a[0], chains=a[1], period=period)

    def exact(a: Distribution) -> Estimate:
        return kullback_leibler.entropy(a, rtol=rtol, budget=budget, generator=generator_of(random_seed))

    return _in_base(alone(p, exact, of_draws, event_dims, var_names), base)


@checked_arguments
def cross_entropy(
    p: DistributionOrDraws,
    q: DistributionOrDraws,
    *,
    event_dims: Names | None = None,
    var_names: Names | None = None,
    base: float | None = None,
    rtol: float | None = None,
    budget: int | None = None,
    random_seed: RandomSeed = None,
) -> Estimate:
    """Cross-entropy E_P[-log q] = H(P) + KL(P||Q).

    Parameters
    ----------
    p, q, event_dims, var_names, base, rtol, budget, random_seed
        As for ``kl_divergence``; ``q`` must have a density.

    Returns
    -------
    Estimate
        In nats, or in the unit of ``base``.

    Raises
    ------
    TypeError, ValueError
        As ``kl_divergence``, and where ``q`` is draws.

    Examples
    --------
    >>> import pp_mlekl as mk
    >>> mk.cross_entropy("Bernoulli(0.5)", "Bernoulli(0.25)", base=4).value
    0.603759374819711
    """
    _check_options(base, rtol, budget)
    if is_draws(q):
        raise TypeError("cross_entropy needs the density of q; give q as a distribution, or use kl_divergence.")

    def of_draws(a: Any, b: Any) -> Estimate:
        return _mean_cross_entropy(checked_draws(*a), b)

    def exact(a: Distribution, b: Distribution) -> Estimate:
        generator = generator_of(random_seed)
        return kullback_leibler.cross_entropy(a, b, rtol=rtol, budget=budget, generator=generator)

    return _in_base(paired(p, q, exact, of_draws, event_dims, var_names), base)


def _mean_cross_entropy(p: Draws, q: Distribution) -> Estimate:
    p = of_the_kind_of(p, q)
    values = -np.asarray(q.log_density(values_for(q, p)))
    if np.any(np.isinf(values)):
        return Estimate(value=np.inf, mcse=0.0, method="draws without density", direction="H(P,Q)")
    return estimate(
        Terms(values=values, method="mean over draws"), sign=1.0, direction="H(P,Q)", chains=p.chains, ess=None
    )


def _kl_of_samples(a: Any, b: Any, period: float | None, generator: np.random.Generator) -> Estimate:
    circle = [d for d in (a, b) if type(d).__name__ == "VonMises"]
    period = _FULL_CIRCLE if circle and period is None else period
    if isinstance(b, Distribution):
        p = checked_draws(a[0], a[1], "the draws of P")
        angles = None
        if period is not None:
            angles = np.mod(p.values[:, 0] + period / 2, period) - period / 2
            p = p.with_values(cut_circle(p.values, period))
        else:
            p = thinned(p)
        return kl_to_density(p, b, None if angles is None else angles[:, None])
    p, q = _in_density_coordinates(a, b, *_both_drawn(a, b, generator))
    if period is not None:
        both = cut_circle(np.concatenate([p.values, q.values]), period)
        p, q = p.with_values(both[: p.size]), q.with_values(both[p.size :])
    return kl_between_draws(p, q, generator)


def _both_drawn(a: Any, b: Any, generator: np.random.Generator) -> tuple[Draws, Draws]:
    drawn: list[Draws] = []
    for name, side, other in (("P", a, b), ("Q", b, a)):
        if isinstance(side, Distribution):
            drawn.append(draws_of(side, len(other[0]), generator))
        else:
            drawn.append(checked_draws(side[0], side[1], f"the draws of {name}"))
    return drawn[0], drawn[1]


def _in_density_coordinates(a: Any, b: Any, p: Draws, q: Draws) -> tuple[Draws, Draws]:
    """Both in the coordinates in which the one side that is a distribution has its density."""
    for side in (a, b):
        if isinstance(side, Distribution):
            p, q = in_free_coordinates(p, side), in_free_coordinates(q, side)
    return p, q


def _check_options(base: float | None, rtol: float | None, budget: int | None, period: float | None = None) -> None:
    if period is not None and not 0 < period < inf:
        raise ValueError(f"period must be a positive number, got {period!r}.")
    if base is not None and not 1 < base < inf:
        raise ValueError(f"base must be a number above 1 (2 for bits), got {base!r}.")
    check_precision(rtol, budget)


def _in_base(result: Estimate, base: float | None) -> Estimate:
    if base is None:
        return result
    scale = log(base)
    unit = "bits" if base == 2 else f"log base {base:g}"
    return replace(result, value=result.value / scale, mcse=result.mcse / scale, unit=unit)
