"""A hundred seeded changes of right draws: each is found out, or the evidence is as good as before."""

import warnings

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from pp_mlekl.posterior.bridge.bridge_sampling import bridge_sampling
from pp_mlekl.posterior.draws_check import check_draws
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.model_functions import model_functions

GENERATOR = np.random.default_rng(3)
X = np.column_stack([np.ones(40), GENERATOR.normal(size=(40, 2)), GENERATOR.normal(1, 2, size=40)])
RESPONSE = X @ [1.0, 0.5, -0.5, 0.3] + GENERATOR.normal(size=40)
GROUPS = np.array([0.0, 5.0, -5.0])
# Design, response and prior standard deviation of two normal models with known evidence.
CASES = {"regression": (X, RESPONSE, 2.0), "groups": (np.eye(3), GROUPS, 3.0)}
# An unnoticed error of this size, in nats, is a tenth of the smallest change of a log Bayes factor that is worth a mention.
HARMLESS = 0.02


def model_of(x, y, scale):
    with pm.Model(coords={"term": [f"b{i}" for i in range(x.shape[1])]}) as model:
        b = pm.Normal("b", 0, scale, dims="term")
        pm.Normal("y", x @ b, 1.0, observed=y)
    return model


def posterior_draws(x, y, scale, generator, shape=(4, 1000)):
    covariance = np.linalg.inv(x.T @ x + np.eye(x.shape[1]) / scale**2)
    noise = generator.normal(size=(*shape, x.shape[1])) @ np.linalg.cholesky(covariance).T
    return covariance @ x.T @ y + noise


def permuted(b, case, generator):
    order = generator.permutation(b.shape[-1])
    while np.array_equal(order, np.arange(b.shape[-1])):
        order = generator.permutation(b.shape[-1])
    return b[..., order]


def another_prior(b, case, generator):
    x, y, scale = case
    return posterior_draws(x, y, scale * generator.uniform(0.2, 0.7), generator)


def chain_replaced(b, case, generator):
    x, y, scale = case
    b = b.copy()
    b[generator.integers(4)] = posterior_draws(x, y + generator.normal(0, 1, size=len(y)), scale, generator, (1000,))
    return b


def scaled(b, case, generator):
    b = b.copy()
    b[..., generator.integers(b.shape[-1])] *= 1.05
    return b


def wrong_draws(b, case, generator):
    b = b.copy()
    b[:, ::100] = generator.normal(0, case[2], size=b[:, ::100].shape)
    return b


MUTATIONS = {
    "labels permuted": permuted,
    "another prior": another_prior,
    "a chain replaced": chain_replaced,
    "a variable scaled by 1.05": scaled,
    "one wrong draw in 100": wrong_draws,
    "float32": lambda b, case, generator: b.astype(np.float32),
    "thinned": lambda b, case, generator: b[:, :: generator.integers(2, 6)],
    "none": lambda b, case, generator: b,
}
HARMLESS_ONES = ("float32", "thinned", "none")


def outcome(case, mutation, seed):
    x, y, scale = case
    generator = np.random.default_rng(seed)
    functions = model_functions(MODELS[id(x)])
    b = MUTATIONS[mutation](posterior_draws(x, y, scale, generator), case, generator)
    idata = xr.DataTree.from_dict({"posterior": xr.Dataset({"b": (("chain", "draw", "term"), b)})})
    z = unconstrained_draws(functions, idata)
    check = check_draws(functions, idata, z)
    exact = float(stats.multivariate_normal(np.zeros(len(y)), np.eye(len(y)) + scale**2 * x @ x.T).logpdf(y))
    found = bridge_sampling(z, lambda points: functions.value(points, a=1.0, b=1.0), generator)
    verdict = "refused" if check.problems or found.problems else "caution" if check.cautions else "silent"
    error = found.log_normalizer - exact
    return {"mutation": mutation, "verdict": verdict, "error": error, "errors": error / found.standard_error}


MODELS = {id(x): model_of(x, y, scale) for x, y, scale in CASES.values()}


@pytest.mark.slow
def test_each_mutation_is_detected_or_harmless():
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES.values():
            for k, mutation in enumerate(MUTATIONS):
                rows += [outcome(case, mutation, 1000 * k + seed) for seed in range(7)]
    table = pd.DataFrame(rows)
    assert len(table) >= 100
    table["silent_error"] = table["error"].abs().where(table["verdict"] == "silent")
    table["silent_errors"] = table["errors"].abs().where(table["verdict"] == "silent")
    counts = table.groupby("mutation", sort=False)["verdict"].value_counts().unstack(fill_value=0)
    print(counts.join(table.groupby("mutation")[["silent_error", "silent_errors"]].max()).round(4).to_string())
    unnoticed = table[(table["verdict"] == "silent") & (table["errors"].abs() > 4) & (table["error"].abs() > HARMLESS)]
    assert unnoticed.empty, unnoticed
    harmless = table["mutation"].isin(HARMLESS_ONES)
    assert (table.loc[harmless, "verdict"] == "silent").all()


@pytest.mark.parametrize(
    "mutation", ["labels permuted", "another prior", "a chain replaced", "a variable scaled by 1.05"]
)
def test_wrong_draws_are_detected(mutation):
    assert outcome(CASES["groups"], mutation, 1)["verdict"] != "silent"


@pytest.mark.parametrize("mutation", HARMLESS_ONES)
def test_harmless_changes_are_accepted(mutation):
    found = outcome(CASES["groups"], mutation, 1)
    assert found["verdict"] == "silent"
    assert abs(found["errors"]) < 4
