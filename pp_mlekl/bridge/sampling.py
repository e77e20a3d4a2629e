"""Bridge sampling of a normalising constant (Meng and Wong 1996; Gronau et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from pp_mlekl.bridge.chains import effective_size, mean_and_error
from pp_mlekl.bridge.proposals import StudentProposal, Target, fit_normal

_ITERATIONS = 1000
_TOLERANCE = 1e-10
# A relative error beyond this says that the two densities hardly overlap.
_WORST_ERROR = 0.35
# With fewer independent draws in a half, neither the proposal nor the error is to be trusted.
_FEWEST_EFFECTIVE = 20
KINDS = ("normal", "warp-III", "Student t")


@dataclass(frozen=True, kw_only=True)
class BridgeResult:
    """``log_normalizer`` in nats with its standard error; ``problems`` say why it must not be believed."""

    log_normalizer: float
    standard_error: float
    method: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _OneWay:
    """One way round: the estimate, what draws and proposal's points add to its relative error, and how common it is.

    ``shared`` is the correlation of the draws' part with that of the other way round. The proposal's misfit is partly the noise
    of its moments, which is the two halves' difference whichever of them is fitted; the rest is the posterior's shape.
    """

    log_z: float = np.nan
    of_draws: float = np.nan
    of_points: float = np.nan
    shared: float = 1.0
    problem: str = ""

    @property
    def error(self) -> float:
        return float(np.hypot(self.of_draws, self.of_points))


def bridge_sampling(draws: np.ndarray, target: Target, generator: np.random.Generator) -> BridgeResult:
    """Log normaliser of an unnormalised density from draws of it.

    The proposal is fitted on one half of each chain and used on the other, both ways round: a normal, a Student t,
    and a normal with the target mirrored about its centre (the symmetric step of Warp-III bridge sampling, Meng and
    Schilling 2002). The kind with the smallest error is kept.

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
        With ``log_normalizer`` NaN and the reason in ``problems`` where it failed: too few draws, a density that is
        not finite, no overlap, no convergence, halves that disagree.
    """
    half = draws.shape[1] // 2
    halves = (draws[:, :half], draws[:, half:])
    at_halves = [target(h.reshape(-1, draws.shape[-1])).reshape(h.shape[:2]) for h in halves]
    if not all(np.all(np.isfinite(v)) for v in at_halves):
        return _failed("The log density is not finite at some of the draws.")
    try:
        ways = [
            _one_way(halves[fitted], halves[used], at_halves[used], target, generator)
            for fitted, used in ((0, 1), (1, 0))
        ]
    except ValueError as error:
        return _failed(str(error))
    results = [_combined(kind, [way[kind] for way in ways]) for kind in KINDS]
    usable = [r for r in results if not r.problems]
    return min(usable or results, key=lambda r: r.standard_error if np.isfinite(r.standard_error) else np.inf)


def _one_way(
    fitted: np.ndarray, used: np.ndarray, at_used: np.ndarray, target: Target, generator: np.random.Generator
) -> dict[str, _OneWay]:
    """The estimate with each kind of proposal, fitted on one set of draws and applied to another."""
    normal = fit_normal(fitted.reshape(-1, fitted.shape[-1]))
    flat, at_flat, centre = used.reshape(-1, used.shape[-1]), at_used.ravel(), normal.mean
    points = normal.sample(len(flat), generator)
    at_points = _or_nothing(target(points))
    student = StudentProposal(normal=normal)
    wide = student.sample(len(flat), generator)
    # Averaged with its mirror image a density keeps its normaliser and loses its skewness.
    mirrored_flat = np.logaddexp(at_flat, _or_nothing(target(2 * centre - flat))) - np.log(2)
    mirrored_points = np.logaddexp(at_points, _or_nothing(target(2 * centre - points))) - np.log(2)
    shape = used.shape[:2]
    at_normal = normal.log_density(flat), normal.log_density(points)
    ratios = {
        "normal": (at_flat - at_normal[0], at_points - at_normal[1]),
        "warp-III": (mirrored_flat - at_normal[0], mirrored_points - at_normal[1]),
        "Student t": (at_flat - student.log_density(flat), _or_nothing(target(wide)) - student.log_density(wide)),
    }
    return {kind: _bridge(first.reshape(shape), second, used.shape[-1]) for kind, (first, second) in ratios.items()}


def _or_nothing(log_density: np.ndarray) -> np.ndarray:
    """Far outside, overflow makes NaN of a density that is 0."""
    return np.where(np.isnan(log_density), -np.inf, log_density)


def _bridge(at_draws: np.ndarray, at_points: np.ndarray, d: int) -> _OneWay:
    """The iterative estimate from log ratios of target to proposal at draws (chain, draw) and at points (n,)."""
    if np.any(np.isposinf(at_points)) or not np.all(np.isfinite(at_draws)):
        return _OneWay(problem="The density is unbounded.")
    if np.all(np.isneginf(at_points)):
        return _OneWay(problem="The density is 0 at every draw of the proposal: the two do not overlap.")
    n1, n2 = effective_size(at_draws), float(len(at_points))
    if n1 < _FEWEST_EFFECTIVE:
        return _OneWay(problem=f"Half of the draws are worth {n1:.0f} independent ones only; draw longer chains.")
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
        return _OneWay(problem="The iteration did not converge: posterior and proposal hardly overlap.")
    # Relative error of Fruehwirth-Schnatter (2004, eq. 31) with the chains' autocorrelation in the draws' part.
    of_points = np.exp(at_points - log_z - np.logaddexp(log_s1 + at_points - log_z, log_s2))
    mean_draws, error_draws = mean_and_error(np.exp(-np.logaddexp(log_s1 + at_draws - log_z, log_s2)))
    # A normal's d (d + 3) / 2 moments, fitted to n draws, differ from the truth's by as many half nats over n.
    noise = d * (d + 3) / 2 / n1
    return _OneWay(
        log_z=float(log_z),
        of_draws=error_draws / mean_draws,
        of_points=float(np.std(of_points, ddof=1) / np.sqrt(n2) / np.mean(of_points)),
        shared=float(min(1.0, noise / max(np.var(at_draws), np.finfo(float).tiny))),
    )


def _combined(kind: str, ways: list[_OneWay]) -> BridgeResult:
    method = f"bridge sampling ({kind})"
    problems = tuple(dict.fromkeys(way.problem for way in ways if way.problem))
    if problems:
        return BridgeResult(log_normalizer=np.nan, standard_error=np.nan, method=method, problems=problems)
    first, second = ways
    separate = np.hypot(first.error, second.error)
    gap = abs(first.log_z - second.log_z)
    common = max(first.shared, second.shared) * first.of_draws * second.of_draws
    error = float(np.sqrt(separate**2 + 2 * common) / 2)
    worst = max(first.error, second.error)
    if worst > _WORST_ERROR:
        problems = (f"Posterior and proposal hardly overlap (relative error {worst:.2f}).",)
    elif gap > 6 * separate:
        problems = (f"The halves of the draws disagree by {gap:.3g} nats, {gap / separate:.0f} errors.",)
    value = np.nan if problems else (first.log_z + second.log_z) / 2
    # The halves' disagreement counts where it is larger than what each half says of itself.
    return BridgeResult(log_normalizer=value, standard_error=max(error, gap / 3), method=method, problems=problems)


def _failed(reason: str) -> BridgeResult:
    return BridgeResult(log_normalizer=np.nan, standard_error=np.nan, method="bridge sampling", problems=(reason,))
