"""Bridge sampling of a normalising constant (Meng and Wong 1996; Gronau et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from pp_mlekl.bridge.chains import effective_size, mean_and_error
from pp_mlekl.bridge.proposals import Target, fit_normal, mirrored

_ITERATIONS = 1000
_TOLERANCE = 1e-10
# A relative error beyond this says that the two densities hardly overlap.
_WORST_ERROR = 0.35


@dataclass(frozen=True, kw_only=True)
class BridgeResult:
    """``log_normalizer`` in nats with its standard error; ``problems`` say why it must not be believed."""

    log_normalizer: float
    standard_error: float
    method: str
    problems: tuple[str, ...] = ()


def bridge_sampling(draws: np.ndarray, target: Target, generator: np.random.Generator) -> BridgeResult:
    """Log normaliser of an unnormalised density from draws of it.

    The proposal is fitted on one half of each chain and used on the other, both ways round, as it stands and
    with the target mirrored; the kind with the smaller error is kept.

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
        With ``log_normalizer`` NaN and the reason in ``problems`` where it failed.
    """
    half = draws.shape[1] // 2
    halves = (draws[:, :half], draws[:, half:])
    kinds: dict[str, list[BridgeResult]] = {"normal": [], "warp-III": []}
    for fitted, used in (halves, halves[::-1]):
        try:
            proposal = fit_normal(fitted.reshape(-1, draws.shape[-1]))
        except ValueError as error:
            return _failed(str(error))
        points = proposal.sample(used.shape[0] * used.shape[1], generator)
        for kind, density in (("normal", target), ("warp-III", mirrored(target, proposal.mean))):
            kinds[kind].append(_one_way(used, points, density, proposal.log_density, kind))
    results = [_combined(kind, ways) for kind, ways in kinds.items()]
    usable = [r for r in results if not r.problems]
    return min(usable or results, key=lambda r: r.standard_error if np.isfinite(r.standard_error) else np.inf)


def _one_way(draws: np.ndarray, points: np.ndarray, target: Target, proposal: Target, kind: str) -> BridgeResult:
    flat = draws.reshape(-1, draws.shape[-1])
    at_draws = target(flat) - proposal(flat)
    at_points = target(points) - proposal(points)
    if not np.all(np.isfinite(at_draws)):
        return _failed("The log density is not finite at some of the draws.", kind)
    at_points = np.where(np.isnan(at_points), -np.inf, at_points)
    if np.any(np.isposinf(at_points)):
        return _failed("The density is unbounded.", kind)
    n1, n2 = effective_size(at_draws.reshape(draws.shape[:2])), float(len(points))
    log_s1, log_s2 = np.log(n1 / (n1 + n2)), np.log(n2 / (n1 + n2))
    log_z, change = np.median(at_draws), np.inf
    for _ in range(_ITERATIONS):
        upper = at_points - np.logaddexp(log_s1 + at_points, log_s2 + log_z)
        lower = -np.logaddexp(log_s1 + at_draws, log_s2 + log_z)
        new = logsumexp(upper) - np.log(len(upper)) - logsumexp(lower) + np.log(len(lower))
        change, log_z = abs(new - log_z), new
        if change < _TOLERANCE:
            break
    if not change < 1e-6:
        return _failed("The iteration did not converge: posterior and proposal hardly overlap.", kind)
    error = _relative_error(at_draws.reshape(draws.shape[:2]) - log_z, at_points - log_z, log_s1, log_s2)
    return BridgeResult(log_normalizer=float(log_z), standard_error=error, method=kind)


def _relative_error(at_draws: np.ndarray, at_points: np.ndarray, log_s1: float, log_s2: float) -> float:
    """Relative error of Fruehwirth-Schnatter (2004, eq. 31) with the chains' autocorrelation in the second term."""
    of_points = np.exp(at_points - np.logaddexp(log_s1 + at_points, log_s2))
    of_draws = np.exp(-np.logaddexp(log_s1 + at_draws, log_s2))
    mean_points = np.mean(of_points)
    mean_draws, error_draws = mean_and_error(of_draws)
    error_points = np.std(of_points, ddof=1) / np.sqrt(len(of_points))
    return float(np.hypot(error_points / mean_points, error_draws / mean_draws))


def _combined(kind: str, ways: list[BridgeResult]) -> BridgeResult:
    problems = tuple(dict.fromkeys(p for way in ways for p in way.problems))
    values = np.array([way.log_normalizer for way in ways])
    errors = np.array([way.standard_error for way in ways])
    method = f"bridge sampling ({kind})"
    if problems:
        return BridgeResult(log_normalizer=np.nan, standard_error=np.nan, method=method, problems=problems)
    gap = abs(values[0] - values[1])
    error = float(np.hypot(*errors) / 2)
    if max(errors) > _WORST_ERROR:
        problems = (f"Posterior and proposal hardly overlap (relative error {max(errors):.2f}).",)
    elif gap > 6 * np.hypot(*errors):
        problems = (f"The halves of the draws disagree by {gap:.3g} nats, {gap / np.hypot(*errors):.0f} errors.",)
    value = np.nan if problems else float(values.mean())
    # The halves' disagreement counts where it is larger than what each half says of itself.
    return BridgeResult(
        log_normalizer=value, standard_error=max(error, gap / 2 / 1.5), method=method, problems=problems
    )


def _failed(reason: str, kind: str = "") -> BridgeResult:
    return BridgeResult(log_normalizer=np.nan, standard_error=np.nan, method=kind, problems=(reason,))
