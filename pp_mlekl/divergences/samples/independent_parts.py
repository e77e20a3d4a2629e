"""Independent parts of two samples that share values or are correlated pair by pair.

Estimates from two samples assume that they are independent. A draw in both samples, or one whose coordinates occur in the other
sample in another order, is its own nearest neighbour. The errors of samples drawn in pairs are correlated. The scatter of the
terms contains neither effect.
"""

from dataclasses import replace

import numpy as np
from scipy import optimize, special, stats

from pp_mlekl.divergences.samples.checks import FEWEST, Draws
from pp_mlekl.divergences.samples.terms import effective_draws
from pp_mlekl.typing import Array

# Fraction of Q's draws with values of P's above which the two samples share draws.
_SHARED = 0.01
# Rounded values coincide by chance, also within one sample. Values that coincide this many times more often are shared.
_OFTENER = 3.0
# Probability that independent samples are mistaken for samples drawn in pairs.
_FALSE_ALARM = 1e-6


def independent_parts(p: Draws, q: Draws, generator: np.random.Generator) -> tuple[Draws, Draws, tuple[str, ...]]:
    """Parts of both samples without shared values and without pairs, and warnings that say so.

    Parameters
    ----------
    p, q
        Draws of one dimension d. Both are returned as they are where they look independent.

    Returns
    -------
    tuple
        The draws of P and of Q to use, and one warning where they are fewer than were given.
    """
    owners = np.full(q.values.shape, -1) if p.discrete else _owners(p.values, q.values)
    shared = float(np.mean(np.any(owners >= 0, axis=1)))
    if shared > _SHARED:
        of_p, of_q = _without_shared_values(p.size, owners, generator)
        reason = f"{shared:.0%} of Q's draws have values of P's"
    elif _are_paired(p, q):
        first = _first_half(p)
        of_p, of_q = first, ~first
        reason = "P's and Q's draws are correlated pair by pair"
    else:
        return p, q, ()
    smaller, other = _kept(p, of_p), _kept(q, of_q)
    if min(smaller.size, other.size) < FEWEST:
        return p, q, (f"{reason}, and too few are left without that: the error is too small; give independent draws.",)
    used = f"{smaller.size} of P's and {other.size} of Q's draws, which are independent, are used"
    return smaller, other, (f"{reason}: {used}. Give independent draws to use all.",)


def _owners(x: Array, y: Array) -> Array:
    """For each value of ``y`` (m, d) a row of ``x`` (n, d) with that value in the same coordinate, -1 without; (m, d)."""
    result = np.full(y.shape, -1)
    for j in range(y.shape[1]):
        order = np.argsort(x[:, j], kind="stable")
        place = _find(x[order, j], y[:, j])
        found = place >= 0
        by_chance = len(x) * len(y) * min(_coincidence(x[:, j]), _coincidence(y[:, j]))
        if np.count_nonzero(found) > _OFTENER * (by_chance + 3 * np.sqrt(by_chance + 1)):
            result[found, j] = order[place[found]]
    return result


def _coincidence(values: Array) -> float:
    """Probability that two values of one sample are equal, as for rounded values; consecutive repeats in a chain count once."""
    moved = values[np.append(True, values[1:] != values[:-1])]
    return 2 * (len(moved) - len(np.unique(moved))) / len(moved) ** 2


def _find(ordered: Array, values: Array) -> Array:
    """The indices of values among ordered ones; -1 where they are absent."""
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.where(ordered[place] == values, place, -1)


def _without_shared_values(n: int, owners: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Which draws of P and Q to keep: rows of P are assigned to the sides at random; Q keeps draws with values of its rows only.

    If a fraction b of the rows is assigned to Q, a draw of Q with values from m rows of P is kept with probability b^m, and P
    keeps a fraction 1 - b. The b that makes the two equal is used.
    """
    known = np.any(owners >= 0, axis=1)
    ordered = np.sort(owners[known], axis=1)
    new = np.concatenate([ordered[:, :1] >= 0, (np.diff(ordered, axis=1) > 0) & (ordered[:, 1:] >= 0)], axis=1)
    m = float(np.mean(new.sum(axis=1)))
    b = optimize.brentq(lambda v: v**m - (1 - v), 0.0, 1.0)
    of_q = generator.uniform(size=n) < b
    # The last entry stands for values that are not P's.
    keep_q = np.all(np.append(of_q, True)[owners], axis=1)
    return ~of_q, keep_q


def _are_paired(p: Draws, q: Draws) -> bool:
    """Whether draws at equal positions are correlated, by normal scores of the coordinates."""
    if p.size != q.size or p.chains != q.chains:
        return False
    scores = [_normal_scores(d.values) for d in (p, q)]
    correlation = np.abs(scores[0].T @ scores[1]) / p.size
    size = min(effective_draws(p), effective_draws(q))
    limit = special.ndtri(1 - _FALSE_ALARM / (2 * correlation.size))
    return bool(np.max(correlation) * np.sqrt(size) > limit)


def _normal_scores(values: Array) -> Array:
    """Ranks as normal scores of mean 0 and variance 1, by coordinate; 0 where a coordinate is constant."""
    scores = special.ndtri((stats.rankdata(values, axis=0) - 0.5) / len(values))
    spread = scores.std(axis=0)
    return np.where(spread > 0, scores / np.where(spread > 0, spread, 1.0), 0.0)


def _first_half(draws: Draws) -> Array:
    """The first half of each chain, (n,)."""
    length = draws.size // (draws.chains or 1)
    return np.tile(np.arange(length) < length // 2, draws.chains or 1)


def _kept(draws: Draws, keep: Array) -> Draws:
    """The draws that are kept; chains are cut to one length."""
    if draws.chains is None:
        return draws.with_values(draws.values[keep])
    length = draws.size // draws.chains
    places = [np.flatnonzero(part) + c * length for c, part in enumerate(keep.reshape(draws.chains, -1))]
    shortest = min(len(v) for v in places)
    return replace(draws, values=draws.values[np.concatenate([v[:shortest] for v in places])])
