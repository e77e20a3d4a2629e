"""Bambi models and their draws: the centred intercept, the offsets of group effects, Bambi's own names in results."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import pp_mlekl as mk
from pp_mlekl.pymc_model.bambi import pymc_model_of
from pp_mlekl.pymc_model.draws.match_posterior import matched_posterior, unconstrained_draws
from pp_mlekl.pymc_model.draws.sampling import ensure_groups, sample
from pp_mlekl.pymc_model.model_functions import model_functions

bmb = pytest.importorskip("bambi")
# Bambi selects columns of text in pandas 3 as in pandas 2.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

GENERATOR = np.random.default_rng(0)
DATA = pd.DataFrame(
    {"x": GENERATOR.normal(6, 1, 60), "w": GENERATOR.normal(-2, 1, 60), "g": np.repeat(list("abcdef"), 10)}
)
DATA["c"] = GENERATOR.choice(["u", "v", "t"], 60)
DATA["y"] = 1 + 0.5 * DATA.x - 0.3 * DATA.w + np.repeat(GENERATOR.normal(size=6), 10) + GENERATOR.normal(size=60)
DATA["k"] = GENERATOR.choice(["p", "q", "r"], 60)
INTERCEPT, SLOPES = 5.0, 1.0


def linear(**settings):
    """A regression with known noise whose evidence is exact, as a Bambi model."""
    priors = {
        "Intercept": bmb.Prior("Normal", mu=0, sigma=INTERCEPT),
        "common": bmb.Prior("Normal", mu=0, sigma=SLOPES),
        "sigma": 1.0,
    }
    return bmb.Model("y ~ x + w", DATA, priors=priors, auto_scale=False, **settings)


def exact_draws(generator):
    """Draws as Bambi returns them, with the intercept of predictors as they are, and the log evidence."""
    x = DATA[["x", "w"]].to_numpy()
    design = np.column_stack([np.ones(60), x - x.mean(axis=0)])
    prior = np.diag([INTERCEPT, SLOPES, SLOPES]) ** 2
    covariance = np.linalg.inv(design.T @ design + np.linalg.inv(prior))
    z = (
        covariance @ design.T @ DATA.y.to_numpy()
        + generator.normal(size=(4, 1000, 3)) @ np.linalg.cholesky(covariance).T
    )
    arrays = {"Intercept": z[..., 0] - z[..., 1:] @ x.mean(axis=0), "x": z[..., 1], "w": z[..., 2]}
    dataset = xr.Dataset({k: (("chain", "draw"), v) for k, v in arrays.items()}, attrs={"modeling_interface": "bambi"})
    exact = stats.multivariate_normal(np.zeros(60), np.eye(60) + design @ prior @ design.T).logpdf(DATA.y)
    return xr.DataTree.from_dict({"posterior": dataset}), float(exact)


def test_evidence_of_bambis_draws_is_exact():
    model = linear()
    idata, exact = exact_draws(np.random.default_rng(1))
    estimate = mk.log_evidence(model, idata, random_seed=1)
    assert abs(float(estimate) - exact) < 4 * estimate.mcse + 0.001
    assert estimate.warnings == ()
    gain = mk.information_gain(model, idata, var_names=["x"], random_seed=1)
    assert abs(float(gain["joint"]["log_evidence"]) - exact) < 0.01


def test_bambis_own_names_are_reported():
    model = linear()
    estimate = mk.find_mle(model, random_seed=1)
    assert {"Intercept_centered", "x", "w"} == set(estimate.values)
    design = np.column_stack([np.ones(60), DATA.x, DATA.w])
    exact = np.linalg.lstsq(design, DATA.y, rcond=None)[0]
    found = mk.delta_method(model, estimate=estimate, var_names=["Intercept", "x"])
    np.testing.assert_allclose([float(found.values["Intercept"]), float(found.values["x"])], exact[:2], rtol=1e-5)


def test_bambis_draws_with_the_bare_pymc_model_are_refused():
    model = linear()
    model.build()
    idata, _ = exact_draws(np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"bambi\.Model"):
        mk.log_evidence(model.backend.model, idata)


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y ~ x + c + (1|g)", "gaussian"),
        ("y ~ x + (x|g)", "gaussian"),
        ("k ~ x + c", "categorical"),
        ("y ~ 0 + x", "gaussian"),
    ],
)
def test_free_variables_follow_from_what_bambi_keeps(formula, family):
    """Prior draws of all variables; Bambi drops the centred intercept and the offsets."""
    model = bmb.Model(formula, DATA, family=family)
    functions = model_functions(model)
    assert functions.model is pymc_model_of(model)
    z = functions.prior_draws(20, np.random.default_rng(1)).reshape(2, 10, -1)
    full = functions.dataset(z, ("chain", "draw"))
    deterministics = functions.model.deterministics
    values_of = dict(zip([d.name for d in deterministics], functions.evaluate(deterministics, z), strict=True))
    dims_of = functions.model.named_vars_to_dims
    reported = {name: (dims_of.get(name), values) for name, values in values_of.items()}
    kept = full.drop_vars([n for n in full.data_vars if str(n).endswith(("_centered", "_offset"))])
    for name, (dims, values) in reported.items():
        kept[name] = (("chain", "draw", *(dims or [f"{name}_{i}" for i in range(values.ndim - 2)])), values)
    idata = xr.DataTree.from_dict({"posterior": kept.assign_attrs(modeling_interface="bambi")})
    found, completed = matched_posterior(functions, idata), ensure_groups(model, idata, groups=[])["posterior"]
    for name in full.data_vars:
        np.testing.assert_allclose(found[name], full[name], rtol=1e-9, atol=1e-9, err_msg=str(name))
        np.testing.assert_allclose(completed.to_dataset()[name], full[name], rtol=1e-9, atol=1e-9, err_msg=str(name))
    own = model.backend.model.compile_logp()
    centred = {name.replace("_centered", ""): value for name, value in functions.model.initial_point().items()}
    start = functions.initial_point()
    assert own(centred) == pytest.approx(float(functions.value(start, a=1.0, b=1.0)), rel=1e-9)


@pytest.mark.slow
def test_a_fit_by_bambi_agrees_with_one_of_ours():
    model = bmb.Model("y ~ x + (1|g)", DATA)
    theirs = model.fit(
        inference_method="nutpie", chains=4, draws=2000, target_accept=0.95, random_seed=1, progressbar=False
    )
    ours = sample(model, random_seed=1)
    one = mk.log_evidence(model, theirs, random_seed=1)
    other = mk.log_evidence(model, ours, random_seed=1)
    assert abs(float(one) - float(other)) < 4 * np.hypot(one.mcse, other.mcse)
    assert unconstrained_draws(model_functions(model), theirs).shape[-1] == model_functions(model).size
