"""Bridge sampling of a normalising constant (Meng and Wong 1996; Gronau et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from pp_mlekl.posterior.bridge.number_with_error import WithError
from pp_mlekl.posterior.bridge.proposals import StudentProposal, Target, fit_normal
from pp_mlekl.typing import Array
from pp_mlekl.utils.effective_size import effective_size, mean_and_error

_ITERATIONS = 1000
_TOLERANCE = 1e-10
# A relative error beyond this says that the two densities hardly overlap.
_WORST_ERROR = 0.25
# With fewer independent draws in a fold, neither the proposal nor the error is reliable.
_FEWEST_EFFECTIVE = 20
# Folds where there are as many effective draws for each; two otherwise.
_FOLDS, _EFFECTIVE_PER_FOLD = 4, 100
# Folds further from their mean than this many errors are draws of different densities.
_DISAGREEMENT = 6.0
KINDS = ("normal", "warp-III", "Student t")


@dataclass(frozen=True, kw_only=True, eq=False)
class BridgeResult:
    """``number`` is the log normaliser in nats; it is NaN where ``problems`` say why it must not be believed.

    Its ``influence`` is what each draw adds to the estimate; its ``rest`` comes from the proposal's points and the noise of
    its fit.
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
        """Of the estimate."""
        return self.number.standard_error


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fold:
    """One fold's estimate, its draws' influence (chain, draw), the variance that its points add, and ``shared``.

    The last is the share of the draws' variance that is the noise of the proposal's moments rather than the posterior's shape.
    """

    log_z: float = np.nan
    influence: Array | None = None
    of_points: float = np.nan
    shared: float = 0.0
    problem: str = ""


def bridge_sampling(draws: Array, target: Target, generator: np.random.Generator) -> BridgeResult:
    """Log normaliser of an unnormalised density from draws of it.

    Each chain is cut into folds, and for each fold the proposal is fitted on the others: a normal, a Student t, and a normal
    with the target mirrored about its centre (the symmetric step of Warp-III bridge sampling, Meng and Schilling 2002).
    The kind with the smallest error is kept.

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
        With ``log_normalizer`` NaN and the reason in ``problems`` where it failed: too few draws, chains that have not met,
        a density that is not finite, no overlap, no convergence, folds that disagree.
    """
    n, d = draws.shape[0] * draws.shape[1], draws.shape[-1]
    if n < 4 * d + 4:
        return _failed(f"{n} draws are too few to fit a proposal in {d} dimensions; take at least {4 * d + 4}.")
    at_draws = target(draws.reshape(n, d)).reshape(draws.shape[:2])
    if not np.all(np.isfinite(at_draws)):
        return _failed("The log density is not finite at some of the draws.")
    # Chains that an unbounded density has drawn to the end of floating point stand there, without any autocorrelation.
    distinct = len(np.unique(draws.reshape(n, d), axis=0))
    worth = min(distinct, *(effective_size(draws[..., j]) for j in range(d)))
    if worth < 2 * _FEWEST_EFFECTIVE:
        return _failed(
            f"The draws are worth {worth:.0f} independent ones only: chains that stand still, or that have found different "
            "modes; draw longer chains and look at their R-hat."
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
    """The estimate from the draws of one fold with each kind of proposal, fitted on the others."""
    d = draws.shape[-1]
    others = np.delete(draws, piece, axis=1)
    normal = fit_normal(others.reshape(-1, d))
    flat, at_flat, centre = draws[:, piece].reshape(-1, d), at_draws[:, piece].ravel(), normal.mean
    points, student = normal.sample(len(flat), generator), StudentProposal(normal=normal)
    wide = student.sample(len(flat), generator)
    everywhere = np.concatenate([points, wide, 2 * centre - points, 2 * centre - flat])
    at_points, at_wide, at_mirrored, at_mirrored_flat = np.split(_or_nothing(target(everywhere)), 4)
    # Averaged with its mirror image a density keeps its normaliser and loses its skewness.
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
    """Far outside, overflow makes NaN of a density that is 0."""
    return np.where(np.isnan(log_density), -np.inf, log_density)


def _bridge(at_draws: Array, at_points: Array, d: int, fitted_on: float) -> _Fold:
    """The iterative estimate from log ratios of target to proposal at draws (chain, draw) and at points (n,).

    ``fitted_on`` is the number of draws that the proposal was fitted to, as a multiple of those used here.
    """
    if np.any(np.isposinf(at_points)) or not np.all(np.isfinite(at_draws)):
        return _Fold(problem="The density is unbounded.")
    if np.all(np.isneginf(at_points)):
        return _Fold(problem="The density is 0 at every draw of the proposal: the two do not overlap.")
    n1, n2 = effective_size(at_draws), float(len(at_points))
    if n1 < _FEWEST_EFFECTIVE:
        return _Fold(problem=f"A part of the draws is worth {n1:.0f} independent ones only; draw longer chains.")
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
    # Fruehwirth-Schnatter (2004, eq. 31): the logarithm of a ratio of means moves by their relative deviations.
    of_points = np.exp(at_points - log_z - np.logaddexp(log_s1 + at_points - log_z, log_s2))
    of_draws = np.exp(-np.logaddexp(log_s1 + at_draws - log_z, log_s2))
    # A normal's d (d + 3) / 2 moments, fitted to n draws, differ from the truth's by as many half nats over n.
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
    # Each pair of folds meets twice, once with either as the one fitted, and the product of their noises is the same.
    rest = weights**2 @ of_points + of_draws * (weights @ [fold.shared for fold in folds])
    value, error = float(weights @ log_z), float(np.sqrt(of_draws + rest))
    distances = np.abs(log_z - value) / np.sqrt(own + of_points)
    if error > _WORST_ERROR:
        return _failed(f"Posterior and proposal hardly overlap (relative error {error:.2f}).", method=method)
    if distances.max() > _DISAGREEMENT:
        problem = f"Parts of the draws disagree by {np.ptp(log_z):.3g} nats, {distances.max():.0f} errors."
        return _failed(problem, method=method)
    scale = _excess(distances)
    number = WithError(value=value, influence=scale * influence, rest=scale**2 * float(rest))
    return BridgeResult(number=number, method=method)


def _excess(distances: Array) -> float:
    """What the errors are to be multiplied with where the folds differ by more than chance, as in meta-analysis; else 1."""
    chi_squared, freedom = float(distances @ distances), len(distances) - 1
    return float(np.sqrt(chi_squared / freedom)) if stats.chi2(freedom).sf(chi_squared) < 0.01 else 1.0


def _failed(*problems: str, method: str = "bridge sampling") -> BridgeResult:
    return BridgeResult(number=WithError(value=np.nan, rest=np.nan), method=method, problems=problems)
