"""Divergence of a distribution from a mixture over posterior draws: the posterior predictive of each row."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.nodes import Nodes, expectation_nodes
from pp_mlekl.divergences.predictive_nodes import common_nodes, mixture_sample

# Log densities held at a time: 16 MB for each of the few temporaries.
_CHUNK = 2_000_000
# Log densities computed in all, beyond which rows that need a sample get a smaller one.
_BUDGET = 20_000_000
_SMALLEST_SAMPLE, _LARGEST_SAMPLE = 64, 4_096


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictiveDivergence:
    """Divergences between ``p`` and the mean over draws of ``q``, for each row, in nats.

    Parameters
    ----------
    kl
        KL(p||mixture), with the bias of the finite number of draws removed.
    kl_bias
        That bias, as halves of the draws show it; it falls as one over their number.
    kl_reverse, jsd
        KL(mixture||p) and the Jensen-Shannon divergence.
    kl_influence, kl_reverse_influence, jsd_influence
        What each draw adds, shape (draws, *rows), mean 0: the standard error of their mean over a (possibly
        autocorrelated) chain is that of the divergence.
    kl_node_error, kl_reverse_node_error, jsd_node_error
        Sampling error of the expectations themselves; 0 where they are quadratures or sums.
    """

    kl: Array
    kl_bias: Array
    kl_reverse: Array
    jsd: Array
    kl_influence: Array
    kl_reverse_influence: Array
    jsd_influence: Array
    kl_node_error: Array
    kl_reverse_node_error: Array
    jsd_node_error: Array


def predictive_divergence(p: Distribution, q: Distribution, generator: np.random.Generator) -> PredictiveDivergence:
    """Divergences between each row's distribution and its mixture over draws.

    Parameters
    ----------
    p
        Batch shape (*rows).
    q
        Batch shape (draws, *rows); the mixture over draws has equal weights.
    generator
        For vector-valued rows, whose expectations are sampled.

    Returns
    -------
    PredictiveDivergence

    Raises
    ------
    ValueError
        Where there are fewer than four draws: their halves could not show the bias.

    Examples
    --------
    A thousand draws of a normal mean with sd 0.1 give nearly the predictive N(0, 1.01).

    >>> from pp_mlekl.divergences.families import family
    >>> generator = np.random.default_rng(1)
    >>> normal, draws = family("Normal"), generator.normal(0, 0.1, size=(1000, 1))
    >>> result = predictive_divergence(normal(mu=[0.5], sigma=1), normal(mu=draws, sigma=1), generator)
    >>> bool(abs(result.kl[0] - 0.1238) < 0.005)
    True
    """
    draws, *rows = q.batch_shape
    if draws < 4:
        raise ValueError(f"The posterior predictive needs at least four draws, got {draws}.")
    n = int(np.prod(rows, dtype=int))
    index = np.unravel_index(np.arange(n), rows) if rows else ()
    flat_p = p.select(index) if rows else p.select((None,))
    flat_q = q.select((slice(None), *index)) if rows else q.select((slice(None), None))
    first, inverse = _distinct_rows(flat_p, flat_q, generator)
    parts = _rows(flat_p.select(first), flat_q.select((slice(None), first)), generator)
    spread = {name: value[..., inverse].reshape(*value.shape[:-1], *rows) for name, value in parts.items()}
    return PredictiveDivergence(**spread)


def _distinct_rows(p: Distribution, q: Distribution, generator: np.random.Generator) -> tuple[Array, Array]:
    """The first of each group of equal rows, and every row's group: equal by their densities at some points."""
    draws, n = q.batch_shape
    few = q.select((np.unique(np.linspace(0, draws - 1, 8).astype(int)),))
    row = generator.integers(n)
    x = p.select((np.array([row]),)).sample((16,), generator)
    signature = [p.log_density(x).reshape(-1, n), few.log_density(x[:, None]).reshape(-1, n)]
    rounded = np.concatenate(signature).astype(np.float64)
    _, first, inverse = np.unique(rounded, axis=1, return_index=True, return_inverse=True)
    return first, inverse.ravel()


def _rows(p: Distribution, q: Distribution, generator: np.random.Generator) -> dict[str, Array]:
    draws, n = q.batch_shape
    sampled = int(np.clip(_BUDGET // (draws * n), _SMALLEST_SAMPLE, _LARGEST_SAMPLE))
    guess = 150 if p.event_ndim == 0 else sampled
    size = max(1, _CHUNK // (draws * guess))
    blocks = [_block(p, q, slice(i, i + size), sampled, generator) for i in range(0, n, size)]
    return {name: np.concatenate([b[name] for b in blocks], axis=-1) for name in blocks[0]}


def _block(
    p: Distribution, q: Distribution, rows: slice, sampled: int, generator: np.random.Generator
) -> dict[str, Array]:
    p, q = p.select((rows,)), q.select((slice(None), rows))
    forward = _forward(p, q, expectation_nodes(p, generator, sampled, deep=False))
    common = common_nodes(p, q)
    if common is None:
        both = _by_sampling(p, q, sampled, generator)
    else:
        both = _by_common_nodes(p, q, *common)
    return forward | both


def _forward(p: Distribution, q: Distribution, nodes: Nodes) -> dict[str, Array]:
    mixture = _mixture(q, nodes.points)
    log_p = p.log_density(nodes.points)
    kl = nodes.mean(log_p - mixture.log_mean)
    halves = [nodes.mean(log_p - half) for half in mixture.log_halves]
    with np.errstate(invalid="ignore"):
        bias = 0.5 * (halves[0] + halves[1]) - kl
        error = nodes.standard_error(log_p - mixture.log_mean)
    bias = np.where(np.isfinite(bias), bias, 0.0)
    ratio = np.where(nodes.weights > 0, nodes.weights, 0.0)
    return {
        "kl": kl - bias,
        "kl_bias": bias,
        "kl_influence": np.sum(nodes.weights, axis=0) - mixture.sum_over_nodes(ratio),
        "kl_node_error": error,
    }


def _unbiased(whole: Array, halves: list[Array]) -> Array:
    """Remove a bias that falls as one over the number of draws: halves of the draws have twice as much of it."""
    with np.errstate(invalid="ignore"):
        bias = 0.5 * (halves[0] + halves[1]) - whole
    return whole - np.where(np.isfinite(bias), bias, 0.0)


def _by_common_nodes(p: Distribution, q: Distribution, points: Array, measure: Array) -> dict[str, Array]:
    """Both remaining divergences as integrals over ``points`` with respect to ``measure``."""
    mixture = _mixture(q, points)
    log_p = p.log_density(points)
    reverse, jsd = _integrals(log_p, mixture.log_mean, measure)
    halves = [_integrals(log_p, half, measure) for half in mixture.log_halves]
    density_m = np.exp(mixture.log_mean) * measure
    with np.errstate(invalid="ignore"):
        to_p = mixture.log_mean - log_p
        to_middle = mixture.log_mean - np.logaddexp(log_p, mixture.log_mean) + np.log(2)
    # The derivative of each functional in the direction of one draw's density, centred.
    slope = np.where((density_m > 0) & np.isfinite(to_p), density_m * to_p, 0.0)
    slope_jsd = np.where(density_m > 0, 0.5 * density_m * to_middle, 0.0)
    zero = np.zeros(reverse.shape)
    return {
        "kl_reverse": _unbiased(reverse, [h[0] for h in halves]),
        "jsd": _unbiased(jsd, [h[1] for h in halves]),
        "kl_reverse_influence": mixture.sum_over_nodes(slope) - np.sum(slope, axis=0),
        "jsd_influence": mixture.sum_over_nodes(slope_jsd) - np.sum(slope_jsd, axis=0),
        "kl_reverse_node_error": zero,
        "jsd_node_error": zero,
    }


def _integrals(log_p: Array, log_m: Array, measure: Array) -> tuple[Array, Array]:
    """KL(m||p) and the Jensen-Shannon divergence."""
    density_p, density_m = np.exp(log_p) * measure, np.exp(log_m) * measure
    log_middle = np.logaddexp(log_p, log_m) - np.log(2)
    with np.errstate(invalid="ignore"):
        reverse = np.sum(np.where(density_m > 0, density_m * (log_m - log_p), 0.0), axis=0)
        from_p = np.where(density_p > 0, density_p * (log_p - log_middle), 0.0)
        from_m = np.where(density_m > 0, density_m * (log_m - log_middle), 0.0)
    return reverse, 0.5 * np.sum(from_p + from_m, axis=0)


def _by_sampling(p: Distribution, q: Distribution, size: int, generator: np.random.Generator) -> dict[str, Array]:
    x, y = p.sample((size,), generator), mixture_sample(q, size, generator)
    at_x, at_y = _mixture(q, x), _mixture(q, y)
    log_p_x, log_p_y = p.log_density(x), p.log_density(y)
    from_p = log_p_x - np.logaddexp(log_p_x, at_x.log_mean) + np.log(2)
    to_p = at_y.log_mean - log_p_y
    to_middle = at_y.log_mean - np.logaddexp(log_p_y, at_y.log_mean) + np.log(2)
    slope = np.where(np.isfinite(to_p), to_p, 0.0) / size
    with np.errstate(invalid="ignore"):
        reverse_error = np.std(to_p, axis=0, ddof=1) / np.sqrt(size)
    jsd_error = 0.5 * np.sqrt((np.var(from_p, axis=0, ddof=1) + np.var(to_middle, axis=0, ddof=1)) / size)
    return {
        "kl_reverse": np.mean(to_p, axis=0),
        "jsd": 0.5 * (np.mean(from_p, axis=0) + np.mean(to_middle, axis=0)),
        "kl_reverse_influence": at_y.sum_over_nodes(slope) - np.sum(slope, axis=0),
        "jsd_influence": at_y.sum_over_nodes(0.5 * to_middle / size) - np.sum(0.5 * to_middle / size, axis=0),
        "kl_reverse_node_error": reverse_error,
        "jsd_node_error": jsd_error,
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Mixture:
    """The mixture's log density at points (k, rows), its halves', and each draw's share (k, draws, rows)."""

    log_mean: Array
    log_halves: tuple[Array, Array]
    share: Array

    def sum_over_nodes(self, weights: Array) -> Array:
        """``sum_k weights_k q_s(k) / mean q(k)`` for each draw s, shape (draws, rows)."""
        return np.einsum("kr,ksr->sr", weights, self.share)


def _mixture(q: Distribution, points: Array) -> _Mixture:
    draws, rows = q.batch_shape
    size = max(1, _CHUNK // (draws * rows))
    pieces = [_mixture_at(q, points[i : i + size]) for i in range(0, len(points), size)]
    return _Mixture(
        log_mean=np.concatenate([m.log_mean for m in pieces]),
        log_halves=(
            np.concatenate([m.log_halves[0] for m in pieces]),
            np.concatenate([m.log_halves[1] for m in pieces]),
        ),
        share=np.concatenate([m.share for m in pieces]),
    )


def _mixture_at(q: Distribution, points: Array) -> _Mixture:
    log_q = q.log_density(points[:, None])
    half = log_q.shape[1] // 2
    # Each half by its own largest term: far out one half can be negligible beside the other, yet not 0.
    first, second = _log_sum(log_q[:, :half]), _log_sum(log_q[:, half:])
    log_sum = np.logaddexp(first, second)
    with np.errstate(invalid="ignore"):
        share = np.exp(log_q - (log_sum - np.log(log_q.shape[1]))[:, None])
    # Where no draw has any density the shares do not matter.
    return _Mixture(
        log_mean=log_sum - np.log(log_q.shape[1]),
        log_halves=(first - np.log(half), second - np.log(log_q.shape[1] - half)),
        share=np.where(np.isneginf(log_sum)[:, None], 1.0, share),
    )


def _log_sum(log_q: Array) -> Array:
    top = np.max(log_q, axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(log_q - top), axis=1)) + top[:, 0]
