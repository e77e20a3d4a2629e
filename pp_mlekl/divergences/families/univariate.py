"""The base class of one-dimensional families: SciPy's densities, quantiles and samplers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.typing import Array
from pp_mlekl.utils.shared_state import silenced


@contextmanager
def quiet() -> Iterator[None]:
    """Silence floating-point warnings of NumPy and of Boost: overflow and underflow in far tails are expected."""
    with np.errstate(all="ignore"), silenced():
        yield


class Univariate(Distribution):
    """A one-dimensional family that SciPy knows; ``frozen`` gives SciPy's distribution."""

    # Smallest tail probability at which SciPy's quantiles are reliable; smaller ones are replaced by it.
    deepest: ClassVar[float] = 0.0

    def frozen(self) -> Any:
        """SciPy's frozen distribution with the family's parameters."""
        raise NotImplementedError

    def log_density(self, x: Array) -> Array:
        """Log density or log mass in nats, ``-inf`` outside the support."""
        with quiet():
            frozen = self.frozen()
            return frozen.logpmf(x) if self.discrete else frozen.logpdf(x)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws of shape (*shape, *batch)."""
        draws = self.frozen().rvs(size=(*shape, *self.batch_shape), random_state=generator)
        return np.asarray(draws, dtype=np.float64)

    def quantile(self, u: Array) -> Array:
        """Lower quantile."""
        with quiet():
            return self.frozen().ppf(np.maximum(u, self.deepest))

    def upper_quantile(self, u: Array) -> Array:
        """Inverse survival function."""
        with quiet():
            return self.frozen().isf(np.maximum(u, self.deepest))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        with quiet():
            return self.frozen().cdf(x)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        with quiet():
            return self.frozen().sf(x)

    def support(self) -> Support:
        """The support that all members of the family share, or that of SciPy's distribution."""
        cls, shape = type(self), self.batch_shape
        is_fixed = cls.narrowest is not Distribution.narrowest and cls.narrowest == cls.widest
        lower, upper = cls.narrowest if is_fixed else self.frozen().support()
        return Support(
            lower=np.broadcast_to(np.asarray(lower, dtype=np.float64), shape),
            upper=np.broadcast_to(np.asarray(upper, dtype=np.float64), shape),
            discrete=self.discrete,
        )

    def entropy(self) -> Array | None:
        """SciPy's closed form, for the families that declare one."""
        if not self.closed_entropy:
            return None
        with np.errstate(all="ignore"):
            return np.broadcast_to(self.frozen().entropy(), self.batch_shape)

    def _require_positive(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not np.all((value > 0) & np.isfinite(value)):
                raise ValueError(f"{type(self).__name__}: {name} must be positive and finite, got {_worst(value)}.")

    def _require_finite(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not np.all(np.isfinite(value)):
                raise ValueError(f"{type(self).__name__}: {name} must be finite, got {_worst(value)}.")

    def _require_probability(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not np.all((value >= 0) & (value <= 1)):
                raise ValueError(f"{type(self).__name__}: {name} must lie in [0, 1], got {_worst(value)}.")


def _worst(value: Array) -> float:
    flat = np.ravel(value)
    bad = flat[~np.isfinite(flat)]
    return float(bad[0]) if bad.size else float(flat.min())
