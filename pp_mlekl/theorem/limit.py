"""Step 5: the MLE tends to the pseudo-true parameter, and its excess divergence to half a weighted chi-squared."""

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.asymptotics import WeightedChiSquared
from pp_mlekl.estimation.replicates.replicate_fits import fit_replicates
from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import LEVEL, STANDARD_ERRORS, Setting
from pp_mlekl.typing import Array

# Observations that one batch of data sets may have in all.
_BATCH_TERMS = 1_000_000
_LAW = "largest distance"
# Constant of the Berry-Esseen theorem (Shevtsova 2011).
_BERRY_ESSEEN = 0.4748
# For scores without a third moment: the same with the moment cut off where |X| = root n (Chen & Shao 2001, Probability Theory
# and Related Fields 120; later constants are smaller).
_TRUNCATED = 4.1
# Weight and share of the nodes on which a moment that does not converge would rest.
_FAR, _FAR_SHARE = 1e-25, 0.01


def convergence(setting: Setting, sizes: tuple[int, ...], counts: tuple[int, ...]) -> Step:
    """Fit many data sets of each size."""
    information = setting.star.information
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
    # The largest size that still has as many data sets as the smallest one shows the limit law best.
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
    notes = [f"Data sets without a maximum inside the model, whose KL is infinite: {missing}."] if missing else []
    if checks and not any(check.what.startswith(_LAW) for check in checks):
        notes.append(
            "At these sizes no bound on the distance from the limit says anything of the whole distribution: it is shown, and "
            "its mean is checked."
        )
    return Step(
        number=5,
        title="The estimate tends to the minimiser of KL",
        claim="The maximum likelihood estimate tends to the parameter that minimises KL(true||model); n times what it "
        "loses is distributed as half a weighted sum of chi-squared variables, with mean trace(J^-1 K) / 2.",
        checks=checks,
        data=data,
        note=" ".join(notes),
    )


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _fits(setting: Setting, size: int, count: int) -> tuple[Array, Array]:
    """Excess divergence and distance from the pseudo-true parameter, of the data sets whose MLE exists."""
    step = max(1, _BATCH_TERMS // size)
    information, kept = setting.star.information, setting.star.problem.kept
    excess, distance = [], []
    for start in range(0, count, step):
        drawn = setting.simulator.draw(size, min(step, count - start), setting.generator)
        fits = fit_replicates(setting.functions, drawn, setting.star)
        moved = fits.flat[fits.exists][:, kept] - setting.star.flat[kept]
        excess.append(fits.excess[fits.exists])
        distance.append(np.sqrt(np.einsum("ri,ij,rj->r", moved, information.hessian, moved)))  # type: ignore[union-attr]
    return np.concatenate(excess), np.concatenate(distance)


def _checks(
    setting: Setting, sizes: tuple[int, ...], scaled: list[Array], usable: list[int], limit: WeightedChiSquared
) -> tuple[Check, ...]:
    # The size at which the comparison is sharpest: small ones have a remainder, large ones few data sets.
    errors = [_error(sizes, scaled, usable, place, limit) for place in range(len(usable))]
    place = int(np.argmin(errors[1:])) + 1 if len(usable) > 1 else 0
    last = usable[place]
    values = scaled[last]
    mean = float(values.mean())
    expected = Check(
        what=f"n times the mean excess KL at n = {sizes[last]}, {len(values)} data sets, against trace(J^-1 K) / 2",
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
        source="it has to fall",
        bound=True,
    )
    return (expected, *law, shrinks)


def _law(
    setting: Setting, sizes: tuple[int, ...], scaled: list[Array], usable: list[int], limit: WeightedChiSquared
) -> tuple[Check, ...]:
    """The whole distribution of n times the excess, at the size where the comparison is sharpest.

    None where it would say nothing: with many parameters and few data the distance that is allowed reaches 1.
    """
    allowed = {i: float(stats.kstwo.isf(LEVEL, len(scaled[i])) + _berry_esseen(setting, sizes[i])) for i in usable}
    best = min(allowed, key=lambda i: allowed[i])
    if allowed[best] >= 1.0:
        return ()
    check = Check(
        what=f"{_LAW} between the distribution of n times the excess and its limit, n = {sizes[best]}",
        left=float(stats.kstest(scaled[best], lambda x: limit.cdf(2 * x)).statistic),
        right=0.0,
        error=allowed[best],
        source="Kolmogorov's critical value, and the bound of Berry and Esseen (without a third moment, of Chen and Shao) for the "
        "normal limit of the score",
    )
    return (check,)


def _error(
    sizes: tuple[int, ...], scaled: list[Array], usable: list[int], place: int, limit: WeightedChiSquared
) -> float:
    """How far the mean of n times the excess may be from its limit at one of the sizes."""
    here = usable[place]
    values = scaled[here]
    error = STANDARD_ERRORS * np.sqrt(limit.variance) / 2 / np.sqrt(len(values))
    if place == 0:
        return float(error)
    earlier = usable[place - 1]
    # The expansion goes on with a term in 1 / n: what is left of it shows in the step from the size before.
    drift = abs(float(scaled[earlier].mean()) - float(values.mean()))
    noise = STANDARD_ERRORS * np.hypot(_standard_error(scaled[earlier]), _standard_error(values))
    remainder = (drift + noise) / (sizes[here] / sizes[earlier] - 1)
    return float(error + remainder)


def _berry_esseen(setting: Setting, size: int) -> float:
    """Bound on the distance of each whitened mean score from normal, summed over directions.

    That of Chen and Shao has E min(X^2, |X|^3 / root n) in place of the third moment over root n, which need not exist.
    """
    nodes, information, kept = setting.star.problem.nodes, setting.star.information, setting.star.problem.kept
    root = np.linalg.cholesky(information.score)  # type: ignore[union-attr]
    scores = setting.functions.scores(np.repeat(setting.star.flat[None], len(nodes.weights), axis=0), data=nodes.data)
    white = np.linalg.solve(root, scores[..., kept].reshape(-1, len(kept)).T)
    weights = nodes.weights.ravel()
    # Weighted moments by logarithms: far out a cube overflows before its weight makes it nothing.
    with np.errstate(divide="ignore"):
        log_weight, log_size = np.log(weights / setting.rows), np.log(np.abs(white))
    whole = np.exp(log_weight + 3 * log_size)
    inside = np.abs(white) <= np.sqrt(size)
    truncated = np.where(inside, whole, np.sqrt(size) * np.exp(log_weight + 2 * log_size)).sum(axis=1)
    third = np.where(_finite_third(whole, weights), whole.sum(axis=1), np.inf)
    bound = np.minimum(_BERRY_ESSEEN * third, _TRUNCATED * truncated) / np.sqrt(size)
    return float(bound.sum())


def _finite_third(terms: Array, weights: Array) -> Array:
    """Whether a third moment converges: the outermost nodes have next to nothing of it."""
    far = terms[:, (weights > 0) & (weights < _FAR)].sum(axis=1)
    return far <= _FAR_SHARE * terms.sum(axis=1)
