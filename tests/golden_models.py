"""PyMC models of the golden cases: degenerate data, real data, conjugate families."""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pymc as pm

GOLDEN = Path(__file__).parent / "data" / "golden"


def cases(name):
    """The cases of one golden file by id."""
    return {case["id"]: case for case in json.loads((GOLDEN / name).read_text())["cases"]}


def columns(name):
    """The columns of one golden CSV."""
    with (GOLDEN / name).open() as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}


@cache
def separated():
    d = columns("degenerate/separated_logistic.csv")
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0, 5)
        slope = pm.Normal("slope", 0, 2.5)
        pm.Bernoulli("y", logit_p=intercept + slope * d["x"], observed=d["y"].astype(int))
    return model


@cache
def zero_successes():
    d = columns("degenerate/zero_successes.csv")
    with pm.Model() as model:
        p = pm.Beta("p", 2, 2)
        pm.Binomial("y", n=d["n"].astype(int), p=p, observed=d["y"].astype(int))
    return model


def linear(name, names, tau):
    d = columns(f"degenerate/{name}.csv")
    with pm.Model(coords={"column": names}) as model:
        b = pm.Normal("b", 0, tau, dims="column")
        pm.Normal("y", np.stack([d[c] for c in names], axis=1) @ b, 1.0, observed=d["y"])
    return model


@cache
def mixture(scale=pm.HalfNormal, **parameters):
    d = columns("degenerate/mixture_collapse.csv")
    with pm.Model() as model:
        w = pm.Uniform("w", 0, 1)
        mu = pm.Normal("mu", 0, 5, shape=2)
        sigma = scale("sigma", **(parameters or {"sigma": 5}), shape=2)
        pm.NormalMixture("y", w=pm.math.stack([w, 1 - w]), mu=mu, sigma=sigma, observed=d["y"])
    return model


@cache
def all_zero_poisson():
    d = columns("degenerate/all_zero_poisson.csv")
    with pm.Model() as model:
        mu = pm.Gamma("mu", 2, 1)
        pm.Poisson("y", mu, observed=d["y"].astype(int))
    return model


@cache
def eight_schools(centred=True):
    d = columns("degenerate/eight_schools.csv")
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        if centred:
            theta = pm.Normal("theta", mu, tau, shape=8)
        else:
            theta = pm.Deterministic("theta", mu + tau * pm.Normal("eta", 0, 1, shape=8))
        pm.Normal("y", theta, d["sigma"], observed=d["y"])
    return model


@cache
def saddle():
    d = columns("degenerate/saddle_wz.csv")
    with pm.Model() as model:
        w = pm.Normal("w", 0, 1, initval=0.0)
        z = pm.Normal("z", 0, 1, initval=0.0)
        pm.Normal("y", w * z, 0.1, observed=d["y"])
    return model


@cache
def label_switching():
    d = columns("degenerate/label_switching_2.csv")
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=1.0, observed=d["y"])
    return model


@cache
def cauchy():
    d = columns("degenerate/cauchy_two_modes.csv")
    with pm.Model() as model:
        alpha = pm.Normal("alpha", 0, 10)
        pm.Cauchy("y", alpha, 1, observed=d["y"])
    return model


def regression(name, response, family):
    """A regression of ``real/NAME.csv`` with a constant, on all other columns that mle.json names."""
    case, csv_name = next((c, c["csv"]) for c in cases("real/mle.json").values() if c["id"] == name)
    d = columns(f"real/{csv_name}")
    names = [c for c in case["estimates"] if c not in ("sigma", "alpha")]
    x = np.stack([np.ones(case["n"]) if c == "const" else d[c] for c in names], axis=1)
    with pm.Model(coords={"term": names}) as model:
        b = pm.Normal("b", 0, 10, dims="term")
        eta = x @ b
        y = d[response]
        if family == "bernoulli":
            pm.Bernoulli("y", logit_p=eta, observed=y.astype(int))
        elif family == "poisson":
            pm.Poisson("y", pm.math.exp(eta), observed=y.astype(int))
        elif family == "negative_binomial":
            alpha = pm.Gamma("alpha", 2, 1)
            pm.NegativeBinomial("y", mu=pm.math.exp(eta), alpha=alpha, observed=y.astype(int))
        elif family == "normal":
            pm.Normal("y", eta, pm.HalfNormal("sigma", 100), observed=y)
        else:
            alpha = pm.HalfNormal("alpha", 100)
            pm.Gamma("y", alpha=alpha, beta=alpha / pm.math.exp(eta), observed=y)
    return model


def naive_bayes():
    d = columns("real/iris.csv")
    features = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    species = d["species"].astype(int)
    x = np.stack([d[f] for f in features], axis=1)
    with pm.Model(coords={"species": [0, 1, 2], "feature": features}) as model:
        p = pm.Dirichlet("p", np.ones(3), dims="species")
        mu = pm.Normal("mu", 0, 10, dims=("species", "feature"))
        sigma = pm.HalfNormal("sigma", 5, dims=("species", "feature"))
        pm.Categorical("class", p, observed=species)
        pm.Normal("x", mu[species], sigma[species], observed=x)
    return model


REAL = {
    "spector-logit": lambda: regression("spector-logit", "GRADE", "bernoulli"),
    "randhie-poisson": lambda: regression("randhie-poisson", "mdvis", "poisson"),
    "randhie-negbin": lambda: regression("randhie-negbin", "mdvis", "negative_binomial"),
    "diabetes-normal": lambda: regression("diabetes-normal", "target", "normal"),
    "scotland-gamma": lambda: regression("scotland-gamma", "YES", "gamma"),
    "iris-naive-bayes": naive_bayes,
}


_conjugate: dict[str, pm.Model] = {}


def conjugate(case):
    """The model of one record of conjugate.json, the same whenever it is asked for."""
    if case["id"] not in _conjugate:
        _conjugate[case["id"]] = _build_conjugate(case)
    return _conjugate[case["id"]]


def _build_conjugate(case):
    data, prior, kind = case["data"], case["prior"], case["id"]
    given = {name: p["params"] for name, p in prior.items()}
    y = np.array(data.get("y", data.get("counts", [])))
    with pm.Model() as model:
        if kind.startswith("beta-bernoulli"):
            pm.Bernoulli("y", pm.Beta("p", **given["p"]), observed=y)
        elif kind.startswith("beta-binomial"):
            pm.Binomial("y", n=np.array(data["n"]), p=pm.Beta("p", **given["p"]), observed=y)
        elif kind.startswith("gamma-poisson"):
            pm.Poisson("y", pm.Gamma("mu", **given["mu"]), observed=y)
        elif kind.startswith("gamma-exponential"):
            pm.Exponential("y", pm.Gamma("lam", **given["lam"]), observed=y)
        elif kind.startswith("normal-known"):
            pm.Normal("y", pm.Normal("mu", **given["mu"]), data["sigma"], observed=y)
        elif kind.startswith("normal-inversegamma"):
            sigma2 = pm.InverseGamma("sigma2", **given["sigma2"])
            mu = pm.Normal("mu", given["mu"]["m"], pm.math.sqrt(sigma2 / given["mu"]["k"]))
            pm.Normal("y", mu, pm.math.sqrt(sigma2), observed=y)
        elif kind.startswith("dirichlet"):
            p = pm.Dirichlet("p", np.array(given["p"]["a"]))
            pm.Multinomial("counts", data["n"], p, observed=y)
        else:
            d = columns(data["csv"])
            x = np.stack([d[f"x{j}"] for j in range(data["d"])], axis=1)
            b = pm.Normal("b", np.array(given["b"]["mu"]), np.array(given["b"]["sigma"]))
            pm.Normal("y", x @ b, data["sigma"], observed=d["y"])
    return model
