"""Returns of the German mark in pounds: a variance that remembers, GARCH(1,1).

Daily returns from 1984 to 1991. Shows volatility that clusters, with the variance of each day a function of all days
before; the estimates are the benchmark on which programs for such models are compared.

Data: T. Bollerslev and E. Ghysels, Periodic autoregressive conditional heteroscedasticity, Journal of Business and
Economic Statistics 14 (1996); the table as in the R package AER. Published figures, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import read_table

TRUTH = {"mu": 0.0, "omega": 0.01, "alpha": 0.15, "beta": 0.8}

BUILDERS = {
    "build": {
        "tags": "time-series normal",
        "observations": 1974,
        "parameters": 4,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Days (1,974) and the return of each in percent."""
    return read_table("mark_pound")


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """Variance omega + alpha * (last deviation)^2 + beta * last variance, from the mean square before the first day."""
    data = load_data() if data is None else data
    returns = data["returns"].to_numpy()
    with pm.Model(coords={"day": data.index}) as model:
        mu = pm.Normal("mu", 0, 0.1)
        omega = pm.HalfNormal("omega", 0.1)
        alpha = pm.Beta("alpha", 2, 8)
        beta = pm.Beta("beta", 8, 2)
        squares = (returns - mu) ** 2
        before = pm.math.concatenate([[squares.mean()], squares[:-1]])
        start = beta ** np.arange(1, len(returns) + 1) * squares.mean()
        variance = start + geometric_filter(omega + alpha * before, beta)
        pm.Normal("returns", mu, pm.math.sqrt(variance), observed=returns, dims="day")
    return model


def geometric_filter(x: Any, beta: Any) -> Any:
    """The sums of ``beta**k * x[t - k]`` over all k from 0 to t, by doubling the number of terms."""
    n, terms = int(x.type.shape[0] or x.shape[0].eval()), 1
    while terms < n:
        x = x + beta**terms * pm.math.concatenate([np.zeros(terms), x[:-terms]])
        terms *= 2
    return x


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Returns of ``n`` days under ``truth``."""
    truth = TRUTH if truth is None else truth
    variance = truth["omega"] / (1 - truth["alpha"] - truth["beta"])
    returns = []
    for shock in np.random.default_rng(random_seed).normal(size=n):
        deviation = np.sqrt(variance) * shock
        returns.append(truth["mu"] + deviation)
        variance = truth["omega"] + truth["alpha"] * deviation**2 + truth["beta"] * variance
    return pd.DataFrame({"returns": returns})
