"""Entropy from draws."""

import numpy as np
from numpy.typing import ArrayLike

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.samples.checks import checked_draws
from pp_mlekl.divergences.samples.one_sample import cut_circle, log_density_terms, thinned
from pp_mlekl.divergences.samples.terms import estimate


def sample_entropy(
    draws: ArrayLike, ess: float | None = None, *, chains: int | None = None, period: float | None = None
) -> Estimate:
    """Differential entropy of the distribution of draws, in nats; entropy of frequencies for discrete draws.

    One dimension by spacings, more by nearest neighbours, after a smooth map that makes the draws close to normal. The bias of
    the same estimator on normal draws of the same number and dimension is subtracted. The error contains the scatter of
    log p and the remaining bias, which is estimated from parts of the draws.

    Parameters
    ----------
    draws
        Shape (n,) or (n, d), stacked chain by chain where there are chains.
    ess
        Effective sample size; n if neither this nor ``chains`` is given.
    chains
        The number of chains; the effective sample size is then that of the estimate's own terms.
    period
        The length of the circle on which one-dimensional draws lie, e.g. 2 pi.

    Returns
    -------
    Estimate
        Never clipped: it may be negative.

    Raises
    ------
    ValueError
        Where there are too few draws, values that are not finite, many repeats, or a coordinate that is a
        combination of others.

    References
    ----------
    Kozachenko and Leonenko (1987), Probl. Inf. Transm. 23; Vasicek (1976), JRSS B 38.

    Examples
    --------
    >>> import numpy as np
    >>> e = sample_entropy(np.random.default_rng(1).normal(size=2000))
    >>> bool(abs(e.value - 0.5 * np.log(2 * np.pi * np.e)) < 4 * e.mcse)
    True
    """
    checked = checked_draws(np.asarray(draws), chains)
    if period is not None:
        checked = checked.with_values(cut_circle(checked.values, period))
    checked = thinned(checked)
    return estimate(log_density_terms(checked), sign=-1.0, direction="H(P)", chains=checked.chains, ess=ess)
