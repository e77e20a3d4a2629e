"""The mean of densities over draws at points: its log, the log of the means of halves of the draws, and each draw's share."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

# Log densities in memory at a time: 16 MB for each of a few temporaries.
CHUNK = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class MixtureValues:
    """The mixture's log density at points (k, rows), its halves', and each draw's share (k, draws, rows)."""

    log_mean: Array
    log_halves: tuple[Array, Array]
    share: Array

    def sum_over_nodes(self, weights: Array) -> Array:
        """``sum_k weights_k q_s(k) / mean q(k)`` for each draw s, shape (draws, rows)."""
        return np.einsum("kr,ksr->sr", weights, self.share)

    def centred_sum(self, weights: Array) -> Array:
        """``sum_over_nodes`` minus its mean over draws, which is 0 for a mixture of one."""
        return self.sum_over_nodes(weights) - np.sum(weights, axis=0)


def mixture_values(q: Distribution, points: Array) -> MixtureValues:
    """Evaluate the mixture over the first batch axis of ``q`` (draws, rows) at points (k, rows, *event).

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> two = family("Normal")(mu=[[-1.0], [1.0]], sigma=1.0)
    >>> mixture_values(two, np.zeros((1, 1))).log_mean.round(4)
    array([[-1.4189]])
    """
    draws, rows = q.batch_shape
    size = max(1, CHUNK // (draws * rows))
    pieces = [_values_at(q, points[i : i + size]) for i in range(0, len(points), size)]
    return MixtureValues(
        log_mean=np.concatenate([m.log_mean for m in pieces]),
        log_halves=(
            np.concatenate([m.log_halves[0] for m in pieces]),
            np.concatenate([m.log_halves[1] for m in pieces]),
        ),
        share=np.concatenate([m.share for m in pieces]),
    )


def _values_at(q: Distribution, points: Array) -> MixtureValues:
    log_q = q.log_density(points[:, None])
    if log_q.shape[1] == 1:
        # One distribution is its own halves.
        whole = log_q[:, 0]
        return MixtureValues(log_mean=whole, log_halves=(whole, whole), share=np.ones_like(log_q))
    half = log_q.shape[1] // 2
    # Each half is scaled by its own largest term, since one may be much smaller than the other in a far tail.
    first, second = _log_sum(log_q[:, :half]), _log_sum(log_q[:, half:])
    log_sum = np.logaddexp(first, second)
    with np.errstate(invalid="ignore"):
        share = np.exp(log_q - (log_sum - np.log(log_q.shape[1]))[:, None])
    # Where no draw has any density, or it is infinite, the shares do not matter.
    return MixtureValues(
        log_mean=log_sum - np.log(log_q.shape[1]),
        log_halves=(first - np.log(half), second - np.log(log_q.shape[1] - half)),
        share=np.where(np.isfinite(log_sum)[:, None], share, 1.0),
    )


def _log_sum(log_q: Array) -> Array:
    top = np.max(log_q, axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(log_q - top), axis=1)) + top[:, 0]
