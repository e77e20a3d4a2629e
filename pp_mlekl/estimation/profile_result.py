"""Profile likelihood curves and intervals as a result."""

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from pp_mlekl.utils.display import Display, Displayed


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Profile(Displayed):
    """Profile curves and intervals.

    Parameters
    ----------
    curve
        Dataset over (``parameter``, ``point``): the parameter's ``value`` and the ``log_likelihood`` at the maximum
        over all others, in nats.
    interval
        (``parameter``, ``bound``): where the curve has fallen by half the chi-squared quantile; infinite where it
        never falls so far, NaN where the curve ends before it has.
    ci_prob
        Coverage of the intervals.
    warnings
        Why each limit that is NaN was not found, and how far the curve goes.
    """

    curve: xr.Dataset
    interval: xr.DataArray
    ci_prob: float
    warnings: tuple[str, ...] = ()

    def summary(self) -> pd.DataFrame:
        """One row for each parameter: the ends of its interval."""
        tails = [f"{50 * (1 - self.ci_prob):.3g}%", f"{50 * (1 + self.ci_prob):.3g}%"]
        index = pd.Index(self.interval["parameter"].values, name="parameter")
        return pd.DataFrame(self.interval.values, columns=tails, index=index)

    def _display(self) -> Display:
        return Display(title="Profile likelihood", warnings=self.warnings, table=self.summary())
