"""Bridge sampling of a normalising constant (Meng and Wong 1996; Gronau et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from pp_mlekl.posterior.bridge.number_with_error import WithError
from pp_mlekl.posterior.bridge.proposals import StudentProposal, Target, fit_normal
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.effective_size import effective_size, mean_and_error

_ITERATIONS = 1000
_TOLERANCE = 1e-10
# Largest relative error; beyond it the two densities hardly overlap.
_WORST_ERROR = 0.25
# Minimum effective sample size of a fold, for a reliable proposal and error.
_FEWEST_EFFECTIVE = 20
# Number of folds, and the effective sample size for each that it requires; with fewer draws there are two folds.
_FOLDS, _EFFECTIVE_PER_FOLD = 4, 100
# Distance of a fold from the mean, in standard errors, beyond which the folds are draws from different densities.
_DISAGREEMENT = 6.0
KINDS = ("normal", "warp-III", "Student t")


@dataclass(frozen=True, kw_only=True, eq=False)
class BridgeResult:
    """``number`` is the log normaliser in nats; it is NaN where there are ``problems``.

    Its ``influence`` is that of each draw; its ``rest`` comes from the proposal's points and the noise of its fit.
    """

    number: WithError
    method: str
    problems: tuple[str, ...] = ()

    @property
    def log_normalizer(self) -> float:
        """The estimate, in nats."""
        return self.number.value

    @property
    def standard_error(self) -> float:
        """Standard error of the estimate, in nats."""
        return self.number.standard_error


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fold:
    """One fold's estimate, the influence of its draws (chain, draw), the variance due to its points, and ``shared``.

    ``shared`` is the fraction of the draws' variance that is noise of the proposal's moments, not the posterior's shape.
    """

    log_z: float = np.nan
    influence: Array | None = None
    of_points: float = np.nan
    shared: float = 0.0
    problem: str = ""


def bridge_sampling(draws: Array, target: Target, generator: np.random.Generator) -> BridgeResult:
    """Log normaliser of an unnormalised density from draws of it.

    Each chain is split into folds. For each fold the proposal is fitted to the others: a normal, a Student t, and a normal
    with the target mirrored about its centre (the symmetric step of Warp-III bridge sampling, Meng and Schilling 2002).
    The kind of proposal with the smallest error is kept.

    Parameters
    ----------
    draws
        Shape (chain, draw, d), in a space without bounds.
    target
        Unnormalised log density of (n, d) points, in nats.
    generator
        Source of the proposal's draws.

    Returns
    -------
    BridgeResult
        With ``log_normalizer`` NaN and the reason in ``problems`` where it failed: too few draws, chains that do not mix,
        a density that is not finite, no overlap, no convergence, folds that disagree.
    """
    n, d = draws.shape[0] * draws.shape[1], draws.shape[-1]
    if n < 4 * d + 4:
        return _failed(
            f"{counted(n, 'draw')} cannot fit a proposal in {counted(d, 'dimension')}; take at least {4 * d + 4}."
        )
    at_draws = target(draws.reshape(n, d)).reshape(draws.shape[:2])
    if not np.all(np.isfinite(at_draws)):
        return _failed("The log density is not finite at some of the draws.")
    # Chains stuck where an unbounded density overflows have no autocorrelation, so distinct draws are counted as well.
    distinct = len(np.unique(draws.reshape(n, d), axis=0))
    worth = min(distinct, *(effective_size(draws[..., j]) for j in range(d)))
    if worth < 2 * _FEWEST_EFFECTIVE:
        return _failed(
            f"The effective sample size is only {worth:.0f}: chains mix slowly, are stuck or are in different modes; draw "
            "longer chains and check R-hat."
        )
    folds = _FOLDS if worth >= _FOLDS * _EFFECTIVE_PER_FOLD else 2
    pieces = np.array_split(np.arange(draws.shape[1]), folds)
    try:
        ways = [_one_way(draws, at_draws, piece, target, generator) for piece in pieces]
    except ValueError as error:
        return _failed(str(error))
    results = [_combined(kind, [way[kind] for way in ways]) for kind in KINDS]
    usable = [r for r in results if not r.problems]
    return min(usable, key=lambda r: r.standard_error) if usable else results[0]


def _one_way(
    draws: Array, at_draws: Array, piece: Array, target: Target, generator: np.random.Generator
) -> dict[str, _Fold]:
    """The estimate from the draws of one fold with each kind of proposal, fitted to the other folds."""
    d = draws.shape[-1]
    others = np.delete(draws, piece, axis=1)
    normal = fit_normal(others.reshape(-1, d))
    flat, at_flat, centre = draws[:, piece].reshape(-1, d), at_draws[:, piece].ravel(), normal.mean
    points, student = normal.sample(len(flat), generator), StudentProposal(normal=normal)
    wide = student.sample(len(flat), generator)
    everywhere = np.concatenate([points, wide, 2 * centre - points, 2 * centre - flat])
    at_points, at_wide, at_mirrored, at_mirrored_flat = np.split(_or_nothing(target(everywhere)), 4)
    # The average of a density and its mirror image has the same normaliser and no skewness.
    mirrored_flat = np.logaddexp(at_flat, at_mirrored_flat) - np.log(2)
    mirrored_points = np.logaddexp(at_points, at_mirrored) - np.log(2)
    at_normal = normal.log_density(flat), normal.log_density(points)
    ratios = {
        "normal": (at_flat - at_normal[0], at_points - at_normal[1]),
        "warp-III": (mirrored_flat - at_normal[0], mirrored_points - at_normal[1]),
        "Student t": (at_flat - student.log_density(flat), at_wide - student.log_density(wide)),
    }
    shape = (len(draws), len(piece))
    fitted_on = others.shape[1] / len(piece)
    return {kind: _bridge(first.reshape(shape), second, d, fitted_on) for kind, (first, second) in ratios.items()}


def _or_nothing(log_density: Array) -> Array:
    """Replace NaN, which overflow far from the posterior causes, by a density of 0."""
    return np.where(np.isnan(log_density), -np.inf, log_density)


def _bridge(at_draws: Array, at_points: Array, d: int, fitted_on: float) -> _Fold:
    """The iterative estimate from log ratios of target to proposal at draws (chain, draw) and at points (n,).

    ``fitted_on`` is the ratio of the number of draws to which the proposal was fitted to the number used here.
    """
    if np.any(np.isposinf(at_points)) or not np.all(np.isfinite(at_draws)):
        return _Fold(problem="The density is unbounded.")
    if np.all(np.isneginf(at_points)):
        return _Fold(problem="The density is 0 at every draw of the proposal: the two do not overlap.")
    n1, n2 = effective_size(at_draws), float(len(at_points))
    if n1 < _FEWEST_EFFECTIVE:
        return _Fold(problem=f"The effective sample size of a part of the draws is only {n1:.0f}; draw longer chains.")
    log_s1, log_s2 = np.log(n1 / (n1 + n2)), np.log(n2 / (n1 + n2))
    log_z, change = np.median(at_draws), np.inf
    for _ in range(_ITERATIONS):
        upper = at_points - np.logaddexp(log_s1 + at_points, log_s2 + log_z)
        lower = -np.logaddexp(log_s1 + at_draws, log_s2 + log_z)
        new = logsumexp(upper) - np.log(upper.size) - logsumexp(lower) + np.log(lower.size)
        change, log_z = abs(new - log_z), new
        if change < _TOLERANCE:
            break
    if not change < 1e-6:
        return _Fold(problem="The iteration did not converge: posterior and proposal hardly overlap.")
    # Fruehwirth-Schnatter (2004, eq. 31): the log of a ratio of means changes by their relative deviations.
    of_points = np.exp(at_points - log_z - np.logaddexp(log_s1 + at_points - log_z, log_s2))
    of_draws = np.exp(-np.logaddexp(log_s1 + at_draws - log_z, log_s2))
    # Fitting the d (d + 3) / 2 moments of a normal to n draws costs half a nat per moment, divided by n.
    noise = d * (d + 3) / 2 / (fitted_on * n1)
    return _Fold(
        log_z=float(log_z),
        influence=1 - of_draws / of_draws.mean(),
        of_points=float(np.var(of_points, ddof=1) / n2 / np.mean(of_points) ** 2),
        shared=float(min(1.0, noise / max(np.var(at_draws), np.finfo(float).tiny))),
    )


def _combined(kind: str, folds: list[_Fold]) -> BridgeResult:
    method = f"bridge sampling ({kind})"
    problems = tuple(dict.fromkeys(fold.problem for fold in folds if fold.problem))
    if problems:
        return _failed(*problems, method=method)
    influences = [fold.influence for fold in folds if fold.influence is not None]
    sizes = np.array([i.shape[1] for i in influences], dtype=float)
    weights, log_z = sizes / sizes.sum(), np.array([fold.log_z for fold in folds])
    own = np.array([mean_and_error(i)[1] ** 2 for i in influences])
    influence = np.concatenate(influences, axis=1)
    of_draws = mean_and_error(influence)[1] ** 2
    of_points = np.array([fold.of_points for fold in folds])
    # Each pair of folds occurs twice, with either as the fitted one, and the product of their noises is the same.
    rest = weights**2 @ of_points + of_draws * (weights @ [fold.shared for fold in folds])
    value = float(weights @ log_z)
    distances = np.abs(log_z - value) / np.sqrt(own + of_points)
    if distances.max() > _DISAGREEMENT:
        problem = f"Parts of the draws disagree by {np.ptp(log_z):.3g} nats, {distances.max():.0f} errors."
        return _failed(problem, method=method)
    scale = _excess(distances)
    number = WithError(value=value, influence=scale * influence, rest=scale**2 * float(rest))
    if number.standard_error > _WORST_ERROR:
        return _failed(
            f"Posterior and proposal hardly overlap (relative error {number.standard_error:.2f}).", method=method
        )
    return BridgeResult(number=number, method=method)


def _excess(distances: Array) -> float:
    """Factor on the errors where the folds differ by more than chance, as in meta-analysis; else 1."""
    chi_squared, freedom = float(distances @ distances), len(distances) - 1
    return float(np.sqrt(chi_squared / freedom)) if stats.chi2(freedom).sf(chi_squared) < 0.01 else 1.0


def _failed(*problems: str, method: str = "bridge sampling") -> BridgeResult:
    return BridgeResult(number=WithError(value=np.nan, rest=np.nan), method=method, problems=problems)
