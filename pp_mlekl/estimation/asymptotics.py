"""Asymptotic theory of an estimator: sandwich covariance, expected excess divergence, specification test.

``J = -E[Hessian]`` and ``K = E[score score']`` are for one observation, at the pseudo-true parameter. White (1982),
"Maximum likelihood estimation of misspecified models", Econometrica 50; Takeuchi (1976) for the trace.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pp_mlekl.typing import Array

# A direction carries information where its eigenvalue, after scaling J to a unit diagonal, exceeds this.
RANK_TOLERANCE = 1e-9

# Talbot's contour gains a factor 3.89 of accuracy a point; many weights push the saddle out and need more points.
_CONTOUR_POINTS, _WEIGHTS_A_PAIR = 32, 6


@dataclass(frozen=True, kw_only=True)
class Information:
    """Both information matrices of one observation, with the quantities derived from them.

    Parameters
    ----------
    hessian
        ``J``, minus the expected Hessian of the log density, shape (d, d).
    score
        ``K``, the expected outer product of the score, shape (d, d).

    Examples
    --------
    >>> information = Information(hessian=np.eye(2), score=np.diag([1.0, 2.5]))
    >>> information.rank, information.trace
    (2, 3.5)
    >>> information.sandwich(100).round(3)
    array([[0.01 , 0.   ],
           [0.   , 0.025]])
    """

    hessian: Array
    score: Array

    @property
    def inverse(self) -> Array:
        """Inverse of ``J`` on the directions that carry information (a pseudo-inverse where ``J`` is singular)."""
        values, vectors, scale = _scaled_spectrum(self.hessian)
        kept = values > RANK_TOLERANCE
        scaled = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        return scaled / np.outer(scale, scale)

    @property
    def rank(self) -> int:
        """The number of directions that carry information: the number of identified parameters."""
        return int(np.sum(_scaled_spectrum(self.hessian)[0] > RANK_TOLERANCE))

    @property
    def trace(self) -> float:
        """``trace(J^-1 K)``: the effective number of parameters; the rank where the model is right."""
        return float(np.sum(self.inverse * self.score))

    @property
    def eigenvalues(self) -> Array:
        """Eigenvalues of ``J^-1 K``, ascending: the weights of the chi-squared limit, all 1 in a model that is right."""
        values, vectors, scale = _scaled_spectrum(self.hessian)
        kept = values > RANK_TOLERANCE
        root = vectors[:, kept] / np.sqrt(values[kept])
        middle = root.T @ (self.score / np.outer(scale, scale)) @ root
        return np.linalg.eigvalsh(middle)

    def sandwich(self, n: int) -> Array:
        """Covariance of the estimate from ``n`` observations, ``J^-1 K J^-1 / n``, shape (d, d)."""
        return self.inverse @ self.score @ self.inverse / n

    def naive(self, n: int) -> Array:
        """``J^-1 / n``, the covariance where the model is right, shape (d, d)."""
        return self.inverse / n

    def expected_excess(self, n: int) -> float:
        """``trace(J^-1 K) / 2n``: mean of KL(true||MLE) - KL(true||pseudo-true) per observation, in nats."""
        return self.trace / (2 * n)


def _scaled_spectrum(matrix: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues and vectors of a matrix scaled to a unit diagonal, so that the rank does not depend on units."""
    scale = np.sqrt(np.abs(np.diag(matrix)))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T) / np.outer(scale, scale))
    return values, vectors, scale


@dataclass(frozen=True, kw_only=True)
class WeightedChiSquared:
    """Distribution of ``sum_j weights_j X_j`` with independent chi-squared ``X_j`` of one degree of freedom.

    ``n (KL(true||MLE) - KL(true||pseudo-true))`` tends to half of it, with the eigenvalues of ``J^-1 K`` as weights.

    Examples
    --------
    >>> limit = WeightedChiSquared(weights=np.array([1.0, 1.0]))
    >>> limit.mean, limit.variance
    (2.0, 4.0)
    >>> float(limit.cdf(2.0).round(6))
    0.632121
    """

    weights: Array

    @property
    def mean(self) -> float:
        """Sum of the weights."""
        return float(np.sum(self.weights))

    @property
    def variance(self) -> float:
        """Twice the sum of the squared weights."""
        return float(2 * np.sum(np.square(self.weights)))

    def cdf(self, x: Array | float) -> Array:
        """P(sum <= x), to about 1e-10: the Laplace transform inverted on Talbot's contour.

        The transform ``prod (1 + 2 w s)^(-1/2) / s`` has its singularities on the negative axis, the case for
        which the contour was designed; its constants are those of Trefethen, Weideman & Schmelzer (2006), BIT 46, eq. (3.1).
        """
        x = np.asarray(x, dtype=float)
        weights = np.asarray(self.weights, dtype=float)
        weights = weights[weights > 0]
        if len(weights) == 0:
            return np.where(x >= 0, 1.0, 0.0)
        points = _CONTOUR_POINTS + 2 * (len(weights) // _WEIGHTS_A_PAIR)
        theta = np.pi * (2 * np.arange(points) + 1) / points - np.pi
        contour = points * (0.5017 * theta / np.tan(0.6407 * theta) - 0.6122 + 0.2645j * theta)
        slope = 0.5017 / np.tan(0.6407 * theta) - 0.5017 * 0.6407 * theta / np.sin(0.6407 * theta) ** 2 + 0.2645j
        at = np.where(x > 0, x, 1.0)[..., None]
        s = contour / at
        transform = np.prod(1 / np.sqrt(1 + 2 * weights * s[..., None]), axis=-1) / s
        value = np.sum(np.exp(contour) * transform * slope, axis=-1).imag / at[..., 0]
        return np.where(x > 0, np.clip(value, 0.0, 1.0), 0.0)

    def quantile(self, u: Array | float) -> Array:
        """The value that the sum exceeds with probability ``1 - u``, by bisection."""
        u = np.asarray(u, dtype=float)
        low, high = np.zeros(u.shape), np.full(u.shape, self.mean + 1.0)
        for _ in range(200):
            short = self.cdf(high) < u
            if not np.any(short):
                break
            high = np.where(short, 2 * high, high)
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < u
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return 0.5 * (low + high)

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """``n`` independent draws."""
        return generator.standard_normal((n, len(self.weights))) ** 2 @ self.weights


@dataclass(frozen=True, kw_only=True)
class SpecificationTest:
    """Information matrix test of White (1982): whether ``J`` and ``K`` are equal, as they are in a model that is right.

    Parameters
    ----------
    statistic
        ``n m' V^-1 m`` with ``m`` the distinct elements of the mean of Hessian + score score'.
    degrees_of_freedom
        The rank of ``V``.
    p_value
        Tail probability of the chi-squared limit; in small samples the test rejects too often.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def information_matrix_test(scores: Array, hessians: Array, weights: Array | None = None) -> SpecificationTest:
    """White's test from what each observation contributes at the MLE.

    Parameters
    ----------
    scores
        Gradient of each observation's log density, shape (n, d).
    hessians
        Their Hessians, shape (n, d, d).
    weights
        How often each observation counts, shape (n,); 1 by default.

    Returns
    -------
    SpecificationTest

    Raises
    ------
    ValueError
        Where there are too few observations for any direction to be tested.
    """
    scores, hessians = np.asarray(scores, dtype=float), np.asarray(hessians, dtype=float)
    w = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=float)
    n, d = float(np.sum(w)), scores.shape[1]
    if n <= 2:
        raise ValueError(f"The information matrix test needs more than two observations, got {n:g}.")
    rows, columns = np.tril_indices(d)
    difference = (hessians + scores[:, :, None] * scores[:, None, :])[:, rows, columns]
    mean = w @ difference / n
    score = np.einsum("i,ij,ik->jk", w, scores, scores) / n
    # The estimate was fitted to the same data: remove what the score explains (White 1982, theorem 4.1, in the
    # regression form of Chesher 1983 and Lancaster 1984, which needs no third derivatives).
    cross = np.einsum("i,ij,ik->jk", w, scores, difference) / n
    residual = difference - scores @ np.linalg.pinv(score) @ cross
    # Scaled by the variance before the projection: an element that the score explains wholly leaves only rounding.
    scale = np.sqrt(w @ difference**2 / n)
    scale = np.where(scale > 0, scale, 1.0)
    variance = np.einsum("i,ij,ik->jk", w, residual, residual) / n
    values, vectors = np.linalg.eigh(variance / np.outer(scale, scale))
    kept = values > RANK_TOLERANCE
    along = (mean / scale) @ vectors[:, kept]
    statistic = float(n * np.sum(along**2 / values[kept]))
    degrees = int(np.sum(kept))
    return SpecificationTest(
        statistic=statistic, degrees_of_freedom=degrees, p_value=float(stats.chi2.sf(statistic, max(degrees, 1)))
    )


@dataclass(frozen=True, kw_only=True)
class ChebyshevBound:
    """``P(|mean - mu| >= eps) <= sigma^2 / (n eps^2)``; ``value`` is the bound before it is cut at 1.

    Parameters
    ----------
    variance
        Variance of one observation.
    n
        The number of independent observations in the mean.
    eps
        Distance from the expectation.

    Examples
    --------
    >>> ChebyshevBound(variance=1.0, n=100, eps=0.25).value
    0.16
    """

    variance: float
    n: int
    eps: float

    @property
    def value(self) -> float:
        """``sigma^2 / (n eps^2)``; it is trivial where it exceeds 1."""
        return self.variance / (self.n * self.eps**2)
