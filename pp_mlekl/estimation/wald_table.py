"""The table of estimates, standard errors, z, p values and Wald intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.typing import Array


def wald_table(
    names: Sequence[str],
    estimate: Array,
    error: Array,
    ci_prob: float,
    *,
    degrees_of_freedom: Array | float = np.inf,
    index: str = "quantity",
) -> pd.DataFrame:
    """One row for each quantity.

    Parameters
    ----------
    names, estimate, error
        Names, estimates and standard errors of the quantities, (m,).
    ci_prob
        Coverage of the intervals.
    degrees_of_freedom
        Degrees of freedom of Student's t distribution; infinite for the normal distribution.
    index
        What the rows are called.

    Raises
    ------
    ValueError
        Where ``ci_prob`` is not between 0 and 1.

    Examples
    --------
    >>> wald_table(["slope"], np.array([2.0]), np.array([1.0]), 0.95).round(3).iloc[0].tolist()
    [2.0, 1.0, 2.0, 0.046, 0.04, 3.96]
    """
    check_ci_prob(ci_prob)
    with np.errstate(all="ignore"):
        # What has no error because it is a constant is not tested.
        z = np.where(error > 0, estimate / error, np.nan)
    half = stats.t.ppf(0.5 + ci_prob / 2, degrees_of_freedom) * error
    columns = {
        "estimate": estimate,
        "se": error,
        "z": z,
        "p": 2 * stats.t.sf(np.abs(z), degrees_of_freedom),
        f"{100 * (1 - ci_prob) / 2:.3g}%": estimate - half,
        f"{100 * (1 + ci_prob) / 2:.3g}%": estimate + half,
    }
    return pd.DataFrame(columns, index=pd.Index(list(names), name=index))
