"""Step 4: Chebyshev's inequality, which proves the weak law of large numbers."""

import numpy as np
import xarray as xr

from pp_mlekl.theorem.exact_tails import ObservationTail, mean_tail, observation_tail
from pp_mlekl.theorem.law_of_large_numbers import Deviations
from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import STANDARD_ERRORS, Setting
from pp_mlekl.utils.counts import counted

# Maximum number of comparisons shown; more sizes would repeat the same statement.
_MOST_CHECKS = 7


def chebyshev(setting: Setting, deviations: Deviations) -> Step:
    """Step 4: P(|X - mu| >= k sigma) <= 1 / k^2, and for a mean sigma^2 / (n eps^2)."""
    own = observation_tail(setting)
    checks = [_equality_case(), *_observation_checks(own)]
    curves = {} if own is None else {"k": own.k, "probability": own.probability}
    variance = float(deviations.variance[0])
    middle = deviations.sizes[len(deviations.sizes) // 2]
    eps = float(np.sqrt(4 * variance / middle))
    frequency = np.array([np.mean(np.abs(d[0]) >= eps) for d in deviations.by_size])
    bound = variance / (np.array(deviations.sizes) * eps**2)
    for n, share, limit, d in zip(deviations.sizes, frequency, bound, deviations.by_size, strict=True):
        if limit < 1 and len(checks) < _MOST_CHECKS:
            checks.append(
                Check(
                    what=f"fraction of data sets whose mean log-likelihood deviates by {eps:.3g} or more, n = {n}",
                    left=float(share),
                    right=float(limit),
                    error=STANDARD_ERRORS * float(np.sqrt(limit * (1 - limit) / d.shape[1])),
                    source="binomial standard error",
                    bound=True,
                )
            )
    data = xr.Dataset(
        {"frequency": ("n", frequency), "bound": ("n", bound)}, coords={"n": list(deviations.sizes)}, attrs={"eps": eps}
    )
    if curves:
        data = data.assign_coords(k=curves["k"]).assign(probability=("k", curves["probability"]))
    data, more = _exact_means(setting, data)
    return Step(
        number=4,
        title="Chebyshev's inequality bounds the rate",
        claim="A random variable is k or more standard deviations from its mean with probability at most 1 / k^2. For the "
        "mean of n observations the bound is proportional to 1 / n, for every distribution with a variance.",
        checks=tuple(checks + more),
        data=data,
        note="Equality holds only for a variable that takes the values 0 and exactly +-k standard deviations.",
    )


def _observation_checks(own: ObservationTail | None) -> list[Check]:
    if own is None:
        return []
    return [
        Check(
            what=f"P(|Y - mean| >= {k:g} sd) of the first row against 1 / k^2",
            left=float(p),
            right=float(1 / k**2),
            error=1e-12,
            source="rounding",
            bound=True,
        )
        for k, p in zip(own.k, own.probability, strict=True)
        if k in (1.5, 2.0, 3.0)
    ]


def _equality_case() -> Check:
    """The three-point variable for which the inequality is an equality."""
    k = 2.0
    points, mass = np.array([-k, 0.0, k]), np.array([0.5 / k**2, 1 - 1 / k**2, 0.5 / k**2])
    mean = points @ mass
    deviation = np.sqrt((points - mean) ** 2 @ mass)
    tail = mass[np.abs(points - mean) >= k * deviation - 1e-12].sum()
    return Check(
        what="equality case: X = -2, 0, 2 with probabilities 1/8, 3/4, 1/8, P(|X| >= 2 sd)",
        left=float(tail),
        right=1 / k**2,
        error=1e-12,
        source="rounding",
    )


def _exact_means(setting: Setting, data: xr.Dataset) -> tuple[xr.Dataset, list[Check]]:
    """The exact tail probability of the mean of the observations, for families that are closed under sums."""
    sizes = data["n"].values
    found = mean_tail(setting, sizes)
    if found is None:
        return data, []
    data = data.assign(exact=("n", found.probability), exact_bound=("n", found.bound))
    data.attrs["exact_eps"] = found.eps
    checks = [
        Check(
            what=f"exact P(|mean of {counted(n, 'draw')} of the first row - mean| >= {found.eps:.3g}) against sigma^2 / (n eps^2)",
            left=float(p),
            right=float(b),
            error=1e-12,
            source="rounding",
            bound=True,
        )
        for n, p, b in zip(sizes, found.probability, found.bound, strict=True)
        if b < 1
    ]
    return data, checks[:2]
