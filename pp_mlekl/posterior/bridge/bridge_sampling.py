"""Bridge sampling of a normalising constant (Meng and Wong 1996; Gronau et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import logsumexp
from scipy.stats import qmc

from pp_mlekl.posterior.bridge.number_with_error import WithError
from pp_mlekl.posterior.bridge.proposals import Target, WarpedProposal, fit_warped
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
KINDS = ("normal", "Student t")
# Number of nets of proposal points of a fold, and the number of points for each of its draws.
_NETS, _POINTS = 16, 8
# Number of values of a coordinate of a net.
_RESOLUTION = 2**30


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

    Each chain is split into folds. For each fold the proposal is fitted to the others: a normal or a Student t of warped
    coordinates. The kind under which the folds' own draws have the higher density is kept. The proposal's points are
    randomised nets, whose means vary less than those of independent points.

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
        fits = [fit_warped(np.delete(draws, piece, axis=1).reshape(-1, d)) for piece in pieces]
    except ValueError as error:
        return _failed(str(error))
    own = [draws[:, piece].reshape(-1, d) for piece in pieces]
    at_own = {kind: [fit[kind].log_density(x) for fit, x in zip(fits, own, strict=True)] for kind in KINDS}
    kind = max(KINDS, key=lambda k: sum(map(np.sum, at_own[k])))
    ways = [
        _one_way(at_draws[:, piece] - q.reshape(len(draws), -1), fit[kind], d, target, generator, folds - 1.0)
        for piece, q, fit in zip(pieces, at_own[kind], fits, strict=True)
    ]
    return _combined(kind, ways)


def _one_way(
    at_draws: Array, proposal: WarpedProposal, d: int, target: Target, generator: np.random.Generator, fitted_on: float
) -> _Fold:
    """The estimate from the log ratios of target to proposal at the draws of one fold (chain, draw)."""
    size = 2 ** int(np.ceil(np.log2(_POINTS * at_draws.size / _NETS)))
    points, log_density = proposal.points(_nets(size, d + 1, generator).reshape(-1, d + 1))
    at_points = _or_nothing(target(points)) - log_density
    return _bridge(at_draws, at_points.reshape(_NETS, size), d, fitted_on)


def _nets(size: int, d: int, generator: np.random.Generator) -> Array:
    """Digital shifts of a scrambled Sobol net (Owen 1998): uniform between 0 and 1, shape (net, size, d)."""
    net = (qmc.Sobol(d, rng=generator).random(size) * _RESOLUTION).astype(np.int64)
    shifts = generator.integers(_RESOLUTION, size=(_NETS, 1, d))
    # Halves keep the numbers away from 0 and 1, whose quantiles are infinite.
    return ((net ^ shifts) + 0.5) / _RESOLUTION


def _or_nothing(log_density: Array) -> Array:
    """Replace NaN, which overflow far from the posterior causes, by a density of 0."""
    return np.where(np.isnan(log_density), -np.inf, log_density)


def _bridge(at_draws: Array, at_points: Array, d: int, fitted_on: float) -> _Fold:
    """The iterative estimate from log ratios of target to proposal at draws (chain, draw) and at nets of points (net, n).

    ``fitted_on`` is the ratio of the number of draws to which the proposal was fitted to the number used here.
    """
    if np.any(np.isposinf(at_points)) or not np.all(np.isfinite(at_draws)):
        return _Fold(problem="The density is unbounded.")
    if np.all(np.isneginf(at_points)):
        return _Fold(problem="The density is 0 at every draw of the proposal: the two do not overlap.")
    n1, n2 = effective_size(at_draws), float(at_points.size)
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
    influence = 1 - of_draws / of_draws.mean()
    # The points, weighted by the density ratio, know the variance better than a few autocorrelated draws do.
    at_density, weights = np.exp(-np.logaddexp(log_s1 + at_points - log_z, log_s2)), np.exp(at_points - at_points.max())
    mean = np.average(at_density, weights=weights)
    by_points = np.average((at_density / mean - 1) ** 2, weights=weights)
    influence *= np.sqrt(max(1.0, by_points / max(np.var(influence), np.finfo(float).tiny)))
    # The d (d + 3) / 2 moments of a normal and two numbers of each coordinate's warp, fitted to n draws, each add 1 / n to the
    # variance of the log ratio.
    noise = d * (d + 7) / 2 / (fitted_on * n1)
    return _Fold(
        log_z=float(log_z),
        influence=influence,
        of_points=float(np.var(of_points.mean(axis=1), ddof=1) / _NETS / np.mean(of_points) ** 2),
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
    variances = own + of_points
    distances = np.abs(log_z - np.average(log_z, weights=1 / variances)) / np.sqrt(variances)
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
