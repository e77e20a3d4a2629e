"""Bias and coverage of every kind of interval: ``python benchmarks/intervals.py`` prints the table of docs/intervals.md.

With ``--replicates`` and ``--dear`` it is done on more or fewer data sets, with ``--resamples`` on other bootstraps.
"""

import argparse

import numpy as np
import pandas as pd
import pymc as pm
from scipy import linalg

from pp_mlekl.simulation.study import study

SIZES = (20, 50, 200)
# By the name that the study gives them.
KINDS = {
    "naive": "Wald",
    "unconstrained": "Wald, unconstrained",
    "estimated": "sandwich",
    "profile": "profile",
    "parametric_bootstrap": "parametric bootstrap",
    "case_bootstrap": "case bootstrap",
}
BOOTSTRAPS = ("parametric_bootstrap", "case_bootstrap")
PER_GROUP = 4


def exponential(n):
    with pm.Model() as model:
        pm.Exponential("y", pm.Exponential("rate", 1.0), observed=np.ones(n))
    return model, {"rate": 2.0}


def logistic(n):
    x = np.random.default_rng(n).normal(size=(n, 2))
    with pm.Model(coords={"term": ["intercept", "x", "z"]}) as model:
        b = pm.Normal("b", 0, 3, dims="term")
        pm.Bernoulli("y", logit_p=b[0] + x @ b[1:], observed=np.arange(n) % 2)
    return model, {"b": np.array([0.5, 1.0, -1.0])}


def negative_binomial(n):
    with pm.Model() as model:
        mu, alpha = pm.Gamma("mu", 2, 0.5), pm.Gamma("alpha", 2, 0.5)
        pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=np.arange(n) % 5)
    return model, {"mu": 3.0, "alpha": 1.5}


def random_intercept(groups):
    """A linear mixed model with its latents integrated out: group means and contrasts within groups are independent.

    Its maximum is what ``find_mle(model, marginalize=["u"])`` finds (tests/test_interval_coverage.py), in one batch.
    """
    with pm.Model() as model:
        mu, tau, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        between = pm.math.sqrt(tau**2 + sigma**2 / PER_GROUP)
        pm.Normal("mean", mu, between, observed=np.zeros(groups))
        pm.Normal("contrasts", 0, sigma, observed=np.zeros((groups, PER_GROUP - 1)))
    return model, {"mu": 1.0, "tau": 0.5, "sigma": 1.0}


def contrasts(y):
    """The data of ``random_intercept`` from observations (groups, PER_GROUP)."""
    return {"mean": y.mean(axis=1), "contrasts": y @ linalg.helmert(PER_GROUP).T}


# With the names of the parameters shown, the sizes, and the kinds of intervals that are not for it: the terms of a
# marginal likelihood are groups, not observations.
MODELS = {
    "exponential": (exponential, ["rate"], SIZES, ()),
    "logistic": (logistic, ["b[x]"], SIZES, ()),
    "negative binomial": (negative_binomial, ["mu", "alpha"], SIZES, ()),
    "random intercept, marginal": (random_intercept, ["mu", "tau"], (10, 30, 100), ("estimated", "case_bootstrap")),
}


def cell(name, n, replicates, intervals, resamples, random_seed):
    """Rows of one model and size: bias in per cent, share with an estimate, coverages."""
    build, shown, _, without = MODELS[name]
    model, truth = build(n)
    size = sum(np.size(model.rvs_to_values[rv].data) for rv in model.observed_RVs)
    wanted = [kind for kind in intervals if kind not in without]
    tree = study(
        model,
        truth,
        sizes=[size],
        replicates=replicates,
        intervals=wanted,
        resamples=resamples,
        random_seed=random_seed,
    )
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    drawn = tree["replicates"].to_dataset().isel(size=0, estimator=0)
    rows = []
    for parameter in shown:
        values, true = _of_parameter(drawn, truth, parameter)
        row = {"model": name, "parameter": parameter, "n": n, "exists": float(summary["exists"])}
        row |= {"bias": 100 * (values.mean() / true - 1), "bias_mcse": 100 * values.std() / true / np.sqrt(len(values))}
        kinds = [k for k in KINDS if f"coverage_{k}" in summary and k not in without]
        rows.append(row | {k: float(summary[f"coverage_{k}"].sel(parameter=parameter)) for k in kinds})
    return rows


def _of_parameter(drawn, truth, parameter):
    name, _, term = parameter.partition("[")
    variable = drawn[name].sel(term=term[:-1]) if term else drawn[name]
    true = 1.0 if term else truth[name]
    return variable.where(drawn["exists"]).dropna("replicate").values, true


def table(replicates, dear, resamples, random_seed=1):
    """All cells; the bootstraps on ``dear`` data sets of each."""
    rows = []
    for name, (*_, sizes, _) in MODELS.items():
        for n in sizes:
            cheap = cell(name, n, replicates, ["profile"], 2, random_seed)
            costly = cell(name, n, dear, BOOTSTRAPS, resamples, random_seed + 1)
            pairs = zip(cheap, costly, strict=True)
            rows += [one | {k: other[k] for k in BOOTSTRAPS if k in other} for one, other in pairs]
    return pd.DataFrame(rows)


def markdown(frame):
    """The table as Markdown."""
    header = ["model", "parameter", "n", "bias", "no estimate", *KINDS.values()]
    lines = ["| " + " | ".join(header) + " |", "| --- | --- |" + " ---: |" * (len(header) - 2)]
    for _, row in frame.iterrows():
        cells = [row["model"], row["parameter"], str(row["n"]), f"{row['bias']:+.1f} ± {row['bias_mcse']:.1f}%"]
        cells += [f"{100 * (1 - row['exists']):.1f}%"]
        cells += ["–" if np.isnan(row.get(k, np.nan)) else f"{100 * row[k]:.1f}" for k in KINDS]
        lines.append("| " + " | ".join(cells).replace("-", "−") + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=4000)
    parser.add_argument("--dear", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=200)
    chosen = parser.parse_args()
    print(markdown(table(chosen.replicates, chosen.dear, chosen.resamples)))
