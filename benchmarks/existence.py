"""How often a maximum likelihood estimate exists: ``python benchmarks/existence.py`` prints the table of docs/existence.md.

Logistic regression with an intercept and p covariates, all normal, n observations, and gamma the standard deviation of the
linear predictor. As n and p grow with p / n = kappa the estimate exists with probability 1 below a threshold of kappa and 0 above
it (Candes and Sur 2020, Annals of Statistics 48). With ``--plot FILE`` the frequencies are drawn against the threshold.
"""

import argparse

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit, roots_hermite

from pp_mlekl.optimize.audit.linear_existence import linear_existence

KAPPAS = np.round(np.arange(0.05, 0.65, 0.05), 2)
GAMMAS = (0.0, 2.0, 4.0, 6.0)


def threshold(gamma: float) -> float:
    """The kappa above which the estimate does not exist: min over t of E max(Z - t V, 0)^2, without an intercept.

    V is the linear predictor with the sign of the response, Z standard normal and independent of it.
    """
    nodes, weights = roots_hermite(120)
    x, weights = np.sqrt(2.0) * nodes, weights / np.sqrt(np.pi)
    # The response is y = 1 with probability expit(gamma x); V = (2 y - 1) x has density 2 expit(gamma v) phi(v).
    density = 2.0 * expit(gamma * x) * weights
    z = np.linspace(-9.0, 9.0, 4001)
    phi = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])

    def loss(t: float) -> float:
        return float(density @ (np.maximum(z - t * x[:, None], 0.0) ** 2 @ phi))

    return float(minimize_scalar(loss, bounds=(0.0, 50.0), method="bounded").fun)


def frequency(kappa: float, gamma: float, n: int, replicates: int, rng: np.random.Generator) -> float:
    """Share of data sets whose estimate exists."""
    p, exists = max(1, round(kappa * n)), 0
    for _ in range(replicates):
        x = rng.normal(size=(n, p))
        y = rng.random(n) < expit(gamma * x[:, 0])
        exists += linear_existence(np.where(y, 1.0, -1.0)[:, None] * x).exists
    return exists / replicates


def table(n: int, replicates: int, seed: int) -> pd.DataFrame:
    """Frequencies of existence, one row for each gamma, and the thresholds."""
    rng = np.random.default_rng(seed)
    rows = [[threshold(g), *(frequency(k, g, n, replicates, rng) for k in KAPPAS)] for g in GAMMAS]
    return pd.DataFrame(rows, index=pd.Index(GAMMAS, name="gamma"), columns=["threshold", *map(str, KAPPAS)])


def plot(frame: pd.DataFrame, n: int, path: str) -> None:
    """Frequencies against kappa, with the thresholds as vertical lines."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for number, gamma in enumerate(frame.index):
        axes.plot(KAPPAS, frame.loc[gamma].iloc[1:], "o-", color=f"C{number}", label=f"gamma = {gamma:g}")
        axes.axvline(frame.loc[gamma, "threshold"], color=f"C{number}", linestyle="--", linewidth=1)
    axes.set(xlabel="covariates per observation", ylabel="estimate exists", title=f"{n} observations; dashed: limit")
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--observations", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    frame = table(options.observations, options.replicates, options.seed)
    print(frame.to_string(float_format="{:.2f}".format))
    if options.plot:
        plot(frame, options.observations, options.plot)


if __name__ == "__main__":
    main()
