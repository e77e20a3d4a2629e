"""Tests of normality, and the log density of the fitted normal."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pp_mlekl.posterior.bridge.proposals import fit_normal
from pp_mlekl.typing import Array

# Maximum number of draws whose pairwise products are formed, which takes 32 MB and gives the tests enough power.
_MOST = 2000
_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Normality:
    """Tests of draws against a normal: Mardia's (1970), and the skewness of each margin.

    Parameters
    ----------
    log_density
        Log density at the draws of the normal with their moments, shape (n,), in nats.
    p_value
        The smallest p value of joint skewness, joint kurtosis and the margins' skewness, times three.
    missed
        Estimated excess of the normal's entropy over that of the draws, in nats, from their skewness beyond chance.
    """

    log_density: Array
    p_value: float
    missed: float

    @property
    def accepted(self) -> bool:
        """Whether the tests do not reject the normal at the level of 1%."""
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
    # The joint skewness has little power against one skewed margin among many.
    of_margins = d * 2 * stats.norm.sf(np.abs(stats.skew(draws)).max() * np.sqrt(len(draws) / 6))
    of_kurtosis = 2 * stats.norm.sf(abs(kurtosis - d * (d + 2)) / np.sqrt(8 * d * (d + 2) / n))
    # Skewness contributes a twelfth of its square to the negentropy (Edgeworth); the noise of that square is 6 freedom / n.
    missed = max(0.0, float(skewness - 6 * freedom / n)) / 12
    return Normality(
        log_density=normal.log_density(draws),
        p_value=float(min(1.0, 3 * min(of_skewness, of_kurtosis, of_margins))),
        missed=missed,
    )
