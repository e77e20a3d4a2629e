"""Divergence of a distribution from a mixture over posterior draws: the posterior predictive of each row."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distinct import distinct_rows
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.quadrature_nodes import expectation_nodes
from pp_mlekl.divergences.predictive.integrals import by_sampling, on_common_nodes, on_own_nodes
from pp_mlekl.divergences.predictive.mixture import CHUNK
from pp_mlekl.divergences.predictive.nodes import LONGEST_WHOLE_SUM, common_nodes, lengths_of_sums
from pp_mlekl.typing import Array

# Maximum number of log densities; beyond it, rows that need a sample get a smaller one.
_BUDGET = 20_000_000
# Approximate number of nodes of a row; more where many integers are summed.
_NODES_A_ROW = 150
_SMALLEST_SAMPLE, _LARGEST_SAMPLE = 64, 4_096


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictiveDivergence:
    """Divergences between ``p`` and the mean over draws of ``q``, for each row, in nats.

    Parameters
    ----------
    kl
        KL(p||mixture), with the bias of the finite number of draws removed.
    kl_bias
        That bias, estimated from halves of the draws; it falls as one over their number.
    kl_reverse, jsd
        KL(mixture||p) and the Jensen-Shannon divergence.
    wasserstein
        Of order 1, in the unit of the variable; infinite where either has no mean. NaN for vectors, and where there is no
        variance, since the nodes do not reach far enough into such tails.
    kl_influence, kl_reverse_influence, jsd_influence, wasserstein_influence
        Influence of each draw, shape (draws, *rows), mean 0. The standard error of their mean over a (possibly
        autocorrelated) chain is the standard error of the divergence.
    kl_node_error, kl_reverse_node_error, jsd_node_error, wasserstein_node_error
        Sampling error of the expectations themselves; 0 where they are quadratures or sums.
    kl_tail_shape
        Pareto shape of the largest terms of a sampled KL(p||mixture), whose error is invalid above 0.5; -inf where nothing
        is sampled.
    """

    kl: Array
    kl_bias: Array
    kl_reverse: Array
    jsd: Array
    wasserstein: Array
    kl_influence: Array
    kl_reverse_influence: Array
    jsd_influence: Array
    wasserstein_influence: Array
    kl_node_error: Array
    kl_reverse_node_error: Array
    jsd_node_error: Array
    wasserstein_node_error: Array
    kl_tail_shape: Array


def predictive_divergence(p: Distribution, q: Distribution, generator: np.random.Generator) -> PredictiveDivergence:
    """Divergences between each row's distribution and its mixture over draws.

    Parameters
    ----------
    p
        Batch shape (*rows); or (draws, *rows) for a mixture over draws that correspond one by one to those of ``q`` (as for
        the same new groups).
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
        Where there are fewer than four draws, whose halves do not suffice to estimate the bias.

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
    index = np.unravel_index(np.arange(n), rows) if rows else (None,)
    if len(p.batch_shape) < len(q.batch_shape):
        p = p.select((None, ...))
    flat_p, flat_q = p.select((slice(None), *index)), q.select((slice(None), *index))
    first, inverse = distinct_rows(flat_p, flat_q)
    parts = _rows(flat_p.select((slice(None), first)), flat_q.select((slice(None), first)), generator)
    spread = {name: value[..., inverse].reshape((*value.shape[:-1], *rows)) for name, value in parts.items()}
    return PredictiveDivergence(**spread)


def _rows(p: Distribution, q: Distribution, generator: np.random.Generator) -> dict[str, Array]:
    draws, n = q.batch_shape
    sampled = int(np.clip(_BUDGET // (draws * n), _SMALLEST_SAMPLE, _LARGEST_SAMPLE))
    guess = _NODES_A_ROW if p.event_ndim == 0 else sampled
    size = max(1, CHUNK // (draws * guess))
    lengths = lengths_of_sums(p, q)
    # Long sums have nodes of another kind, and infinite ones have none.
    kind = np.zeros(n) if lengths is None else (lengths > LONGEST_WHOLE_SUM) + 1.0 * np.isinf(lengths)
    groups = [np.flatnonzero(kind == k) for k in np.unique(kind)]
    pieces = [group[i : i + size] for group in groups for i in range(0, len(group), size)]
    blocks = [_block(p, q, piece, sampled, generator) for piece in pieces]
    place = np.argsort(np.concatenate(pieces))
    return {name: np.concatenate([b[name] for b in blocks], axis=-1)[..., place] for name in blocks[0]}


def _block(
    p: Distribution, q: Distribution, rows: Array, sampled: int, generator: np.random.Generator
) -> dict[str, Array]:
    p, q = p.select((slice(None), rows)), q.select((slice(None), rows))
    common = common_nodes(p, q)
    both = by_sampling(p, q, sampled, generator) if common is None else on_common_nodes(p, q, common)
    if p.batch_shape[0] > 1 or (common is not None and common.discrete):
        return both
    one = p.select((0,))
    return both | on_own_nodes(one, q, expectation_nodes(one, generator, sampled, deep=False))
