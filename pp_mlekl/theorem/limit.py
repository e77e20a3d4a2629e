"""Step 5: the MLE converges to the pseudo-true parameter, n times its excess divergence to half a weighted chi-squared."""

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.asymptotics import WeightedChiSquared
from pp_mlekl.estimation.replicates.replicate_fits import fit_replicates
from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import LEVEL, STANDARD_ERRORS, Setting
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Maximum number of observations in one batch of data sets.
_BATCH_TERMS = 1_000_000
_DISTANCE = "largest distance"
# Constant of the Berry-Esseen theorem (Shevtsova 2011).
_BERRY_ESSEEN = 0.4748
# For scores without a third moment: the same with the moment truncated at |X| = sqrt(n) (Chen & Shao 2001, Probability Theory
# and Related Fields 120; later constants are smaller).
_TRUNCATED = 4.1
# Nodes below this weight carry less than this fraction of a moment that converges.
_TAIL_WEIGHT, _TAIL_FRACTION = 1e-25, 0.01


def convergence(setting: Setting, sizes: tuple[int, ...], counts: tuple[int, ...]) -> Step:
    """Fit many simulated data sets of each size."""
    information = setting.pseudo_true.information
    assert information is not None
    excess, distance, exists = [], [], []
    for size, count in zip(sizes, counts, strict=True):
        found = _fits(setting, size, count)
        excess.append(found[0])
        distance.append(found[1])
        exists.append(len(found[0]) / count)
    limit = WeightedChiSquared(weights=information.eigenvalues)
    scaled = [n * e for n, e in zip(sizes, excess, strict=True)]
    usable = [i for i, share in enumerate(exists) if share == 1.0 and len(excess[i]) > 2]
    checks = _checks(setting, sizes, scaled, usable, limit) if usable else ()
    # The limit law is shown at the largest size with as many data sets as the smallest size.
    full = [i for i in usable if len(scaled[i]) == len(scaled[usable[0]])]
    many, shown = (scaled[full[-1]], int(sizes[full[-1]])) if full else (np.zeros(0), 0)
    grid = limit.quantile(np.linspace(0.01, 0.99, 60)) / 2
    data = xr.Dataset(
        {
            "excess": ("n", [e.mean() if len(e) else np.nan for e in excess]),
            "excess_error": ("n", [_standard_error(e) for e in excess]),
            "theory": ("n", information.trace / (2 * np.array(sizes))),
            "distance": ("n", [np.sqrt(np.mean(d**2)) if len(d) else np.nan for d in distance]),
            "exists": ("n", exists),
            "scaled": ("replicate", many),
            "limit_cdf": ("x", limit.cdf(2 * grid)),
        },
        coords={"n": list(sizes), "x": grid},
        attrs={"half_trace": information.trace / 2, "last": shown},
    )
    missing = ", ".join(f"{1 - s:.1%} at n = {n}" for n, s in zip(sizes, exists, strict=True) if s < 1)
    notes = [f"Data sets without an interior maximum (infinite KL): {missing}."] if missing else []
    if checks and not any(check.what.startswith(_DISTANCE) for check in checks):
        notes.append(
            "At these sizes the bounds on the distance from the limit exceed 1, so the distribution is shown and only its mean "
            "is checked."
        )
    return Step(
        number=5,
        title="The MLE converges to the minimiser of KL",
        claim="The maximum likelihood estimate converges to the parameter that minimises KL(true||model). n times its excess KL "
        "converges in distribution to half a weighted sum of chi-squared variables with mean trace(J^-1 K) / 2.",
        checks=checks,
        data=data,
        note=" ".join(notes),
    )


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _fits(setting: Setting, size: int, count: int) -> tuple[Array, Array]:
    """Excess divergence and distance from the pseudo-true parameter, for data sets with an MLE."""
    step = max(1, _BATCH_TERMS // size)
    information, kept = setting.pseudo_true.information, setting.pseudo_true.problem.kept
    excess, distance = [], []
    for start in range(0, count, step):
        drawn = setting.simulator.draw(size, min(step, count - start), setting.generator)
        fits = fit_replicates(setting.functions, drawn, setting.pseudo_true)
        moved = fits.flat[fits.exists][:, kept] - setting.pseudo_true.flat[kept]
        excess.append(fits.excess[fits.exists])
        distance.append(np.sqrt(np.einsum("ri,ij,rj->r", moved, information.hessian, moved)))  # type: ignore[union-attr]
    return np.concatenate(excess), np.concatenate(distance)


def _checks(
    setting: Setting, sizes: tuple[int, ...], scaled: list[Array], usable: list[int], limit: WeightedChiSquared
) -> tuple[Check, ...]:
    # The size with the smallest allowed error: small sizes have a large remainder, large sizes few data sets.
    errors = [_error(sizes, scaled, usable, place, limit) for place in range(len(usable))]
    place = int(np.argmin(errors[1:])) + 1 if len(usable) > 1 else 0
    last = usable[place]
    values = scaled[last]
    mean = float(values.mean())
    expected = Check(
        what=f"n times the mean excess KL at n = {sizes[last]}, {counted(len(values), 'data set')}, against trace(J^-1 K) / 2",
        left=mean,
        right=limit.mean / 2,
        error=errors[place],
        source="standard error of the mean under the limit law, and the next term of the expansion",
    )
    law = _law(setting, sizes, scaled, usable, limit)
    if len(usable) == 1:
        return (expected, *law)
    last = usable[-1]
    first, final = scaled[usable[0]].mean() / sizes[usable[0]], scaled[last].mean() / sizes[last]
    shrinks = Check(
        what=f"mean excess KL at n = {sizes[last]} against that at n = {sizes[usable[0]]}",
        left=float(final),
        right=float(first),
        error=0.0,
        source="the excess decreases with n",
        bound=True,
    )
    return (expected, *law, shrinks)


def _law(
    setting: Setting, sizes: tuple[int, ...], scaled: list[Array], usable: list[int], limit: WeightedChiSquared
) -> tuple[Check, ...]:
    """Compare the distribution of n times the excess with its limit, at the size with the smallest allowed distance.

    Empty if the allowed distance reaches 1, with many parameters and few data.
    """
    allowed = {i: float(stats.kstwo.isf(LEVEL, len(scaled[i])) + _berry_esseen(setting, sizes[i])) for i in usable}
    best = min(allowed, key=lambda i: allowed[i])
    if allowed[best] >= 1.0:
        return ()
    check = Check(
        what=f"{_DISTANCE} between the distribution of n times the excess and its limit, n = {sizes[best]}",
        left=float(stats.kstest(scaled[best], lambda x: limit.cdf(2 * x)).statistic),
        right=0.0,
        error=allowed[best],
        source="Kolmogorov's critical value plus the bound of Berry and Esseen (without a third moment, Chen and Shao) for the "
        "normal limit of the score",
    )
    return (check,)


def _error(
    sizes: tuple[int, ...], scaled: list[Array], usable: list[int], place: int, limit: WeightedChiSquared
) -> float:
    """Allowed difference between the mean of n times the excess and its limit at one of the sizes."""
    here = usable[place]
    values = scaled[here]
    error = STANDARD_ERRORS * np.sqrt(limit.variance) / 2 / np.sqrt(len(values))
    if place == 0:
        return float(error)
    earlier = usable[place - 1]
    # The next term of the expansion is in 1 / n; the change from the previous size bounds what remains of it.
    drift = abs(float(scaled[earlier].mean()) - float(values.mean()))
    noise = STANDARD_ERRORS * np.hypot(_standard_error(scaled[earlier]), _standard_error(values))
    remainder = (drift + noise) / (sizes[here] / sizes[earlier] - 1)
    return float(error + remainder)


def _berry_esseen(setting: Setting, size: int) -> float:
    """Bound on the Kolmogorov distance of each whitened mean score from normal, summed over directions.

    The bound of Chen and Shao uses E min(X^2, |X|^3 / sqrt(n)) in place of the third moment, which need not exist.
    """
    fit = setting.pseudo_true
    nodes, information, kept = fit.problem.nodes, fit.information, fit.problem.kept
    root = np.linalg.cholesky(information.score)  # type: ignore[union-attr]
    scores = setting.functions.scores(np.repeat(fit.flat[None], len(nodes.weights), axis=0), data=nodes.data)
    white = np.linalg.solve(root, scores[..., kept].reshape(-1, len(kept)).T)
    weights = nodes.weights.ravel()
    # Weighted moments on the log scale: in the far tail the cube overflows before its weight underflows.
    with np.errstate(divide="ignore"):
        log_weight, log_size = np.log(weights / setting.rows), np.log(np.abs(white))
    whole = np.exp(log_weight + 3 * log_size)
    inside = np.abs(white) <= np.sqrt(size)
    truncated = np.where(inside, whole, np.sqrt(size) * np.exp(log_weight + 2 * log_size)).sum(axis=1)
    third = np.where(_finite_third(whole, weights), whole.sum(axis=1), np.inf)
    bound = np.minimum(_BERRY_ESSEEN * third, _TRUNCATED * truncated) / np.sqrt(size)
    return float(bound.sum())


def _finite_third(terms: Array, weights: Array) -> Array:
    """Whether a third moment converges: the outermost nodes contribute a negligible fraction."""
    far = terms[:, (weights > 0) & (weights < _TAIL_WEIGHT)].sum(axis=1)
    return far <= _TAIL_FRACTION * terms.sum(axis=1)
