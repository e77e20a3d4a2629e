"""Whether draws are normal, and what their log density is if they are."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pp_mlekl.posterior.bridge.proposals import fit_normal
from pp_mlekl.typing import Array

# Maximum number of draws whose pairwise products are formed: 32 MB, and enough power for the tests.
_MOST = 2000
_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Normality:
    """Tests of draws against a normal: Mardia's (1970), and the skewness of each margin.

    Parameters
    ----------
    log_density
        Of the normal with the draws' moments, at the draws, shape (n,), in nats.
    p_value
        The smallest one of joint skewness, joint kurtosis and the margins' skewness, times three.
    missed
        By how much the entropy of the normal may exceed that of the draws, in nats: what their skewness beyond chance makes of it.
    """

    log_density: Array
    p_value: float
    missed: float

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against the normal."""
        return self.p_value > _LEVEL


def check_normality(draws: Array) -> Normality:
    """Test nearly independent ``draws`` (n, d), and give the log density of the normal that fits them.

    Raises
    ------
    ValueError
        Where they lie in a subspace.
    """
    normal, d = fit_normal(draws), draws.shape[1]
    at_most = draws[:: -(-len(draws) // _MOST)]
    n = len(at_most)
    whitened = np.linalg.solve(fit_normal(at_most).chol, (at_most - at_most.mean(axis=0)).T).T
    products = whitened @ whitened.T
    skewness, kurtosis = np.mean(products**3), np.mean(np.diag(products) ** 2)
    freedom = d * (d + 1) * (d + 2) / 6
    of_skewness = stats.chi2(freedom).sf(n * skewness / 6)
    # One skewed margin among many is lost in the joint skewness.
    of_margins = d * 2 * stats.norm.sf(np.abs(stats.skew(draws)).max() * np.sqrt(len(draws) / 6))
    of_kurtosis = 2 * stats.norm.sf(abs(kurtosis - d * (d + 2)) / np.sqrt(8 * d * (d + 2) / n))
    # Of the negative entropy, skewness has a twelfth of its square (Edgeworth); 6 freedom / n of that is noise.
    missed = max(0.0, float(skewness - 6 * freedom / n)) / 12
    return Normality(
        log_density=normal.log_density(draws),
        p_value=float(min(1.0, 3 * min(of_skewness, of_kurtosis, of_margins))),
        missed=missed,
    )
