"""Bambi models and their draws: the centred intercept, the offsets of group effects, Bambi's own names in results."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from tiers import slow_if

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
PREDICTOR = 0.3 * (DATA.x - 6)
DATA["binary"] = GENERATOR.binomial(1, 1 / (1 + np.exp(-PREDICTOR)))
DATA["successes"], DATA["trials"] = GENERATOR.binomial(10, 1 / (1 + np.exp(-PREDICTOR))), 10
DATA["count"], DATA["log_time"] = GENERATOR.poisson(np.exp(PREDICTOR)), GENERATOR.normal(size=60)
DATA["positive"] = GENERATOR.gamma(3, np.exp(PREDICTOR) / 3)
DATA["share"] = GENERATOR.beta(2, 3, size=60)
DATA["grade"] = pd.Categorical(np.digitize(PREDICTOR + GENERATOR.logistic(size=60), [-0.5, 0.5]), ordered=True)
DATA["angle"] = GENERATOR.vonmises(0.5, 3, 60)
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


MODELS = {
    "groups": ("y ~ x + c + (1|g)", "gaussian", {}),
    "group slopes": ("y ~ x + (x|g)", "gaussian", {}),
    "centred groups": ("y ~ x + (1|g)", "gaussian", {"noncentered": False}),
    "crossed groups": ("y ~ x + (1|g) + (1|c)", "gaussian", {}),
    "categorical": ("k ~ x + c", "categorical", {}),
    "categorical groups": ("k ~ x + (1|g)", "categorical", {}),
    "no intercept": ("y ~ 0 + x", "gaussian", {}),
    "intercept alone": ("y ~ 1", "gaussian", {}),
    "predictors as they are": ("y ~ x + w", "gaussian", {"center_predictors": False}),
    "interaction": ("y ~ x * w", "t", {}),
    "interaction of categories": ("y ~ x * c", "gaussian", {}),
    "spline": ("y ~ bs(x, df=5)", "gaussian", {}),
    "Gaussian process": ("y ~ hsgp(x, m=5, c=2)", "gaussian", {}),
    "distributional": (("y ~ x", "sigma ~ w"), "gaussian", {}),
    "bernoulli": ("binary ~ x + w", "bernoulli", {}),
    "probit groups": ("binary ~ x + (1|g)", "bernoulli", {"link": "probit"}),
    "binomial": ("p(successes, trials) ~ x", "binomial", {}),
    "beta-binomial": ("p(successes, trials) ~ x", "beta_binomial", {}),
    "poisson with offset": ("count ~ x + offset(log_time)", "poisson", {}),
    "negative binomial with offset": ("count ~ x + offset(log_time)", "negativebinomial", {}),
    "zero-inflated": ("count ~ x", "zero_inflated_poisson", {}),
    "zero-inflated negative binomial": ("count ~ x", "zero_inflated_negativebinomial", {}),
    "hurdle": ("count ~ x", "hurdle_poisson", {}),
    "gamma": ("positive ~ x", "gamma", {"link": "log"}),
    "wald": ("positive ~ x", "wald", {"link": "log"}),
    "weibull": ("positive ~ x", "weibull", {"link": "log"}),
    "beta": ("share ~ x", "beta", {}),
    "cumulative": ("grade ~ 0 + x", "cumulative", {}),
    "stopping ratio": ("grade ~ 0 + x", "sratio", {}),
    "asymmetric laplace": ("y ~ x", "asymmetriclaplace", {}),
    "von mises": ("angle ~ x", "vonmises", {}),
}
FAST = ("groups", "no intercept")


def fitted_by_bambi(model, functions, z):
    """Draws as PyMC samples them from Bambi's model, and what Bambi makes of them."""
    own, full = model.backend.model, functions.dataset(z, ("chain", "draw"))
    raw = full.rename({name: name.removesuffix("_centered") for name in full.data_vars})
    effects = [d for d in functions.model.deterministics if d.name in own.named_vars and d.name not in raw]
    for d, values in zip(effects, functions.evaluate(effects, z), strict=True):
        dims = own.named_vars_to_dims.get(d.name, ())
        if "__obs__" not in dims:
            raw[d.name] = (("chain", "draw", *dims), values)
    raw = raw.assign_coords({dim: list(own.coords[dim]) for dim in raw.dims if dim in own.coords})
    return full, model.backend._clean_results(xr.DataTree.from_dict({"posterior": raw}), True, False)


@pytest.mark.parametrize("name", slow_if(MODELS, set(MODELS) - set(FAST)))
def test_free_variables_follow_from_what_bambi_keeps(name):
    """Prior draws of all variables; Bambi drops the centred intercept and the offsets."""
    formula, kind, settings = MODELS[name]
    formula = formula if isinstance(formula, str) else bmb.Formula(*formula)
    model = bmb.Model(formula, DATA, family=kind, **settings)
    functions = model_functions(model)
    assert functions.model is pymc_model_of(model)
    z = functions.prior_draws(20, np.random.default_rng(1)).reshape(2, 10, -1)
    full, idata = fitted_by_bambi(model, functions, z)
    assert not any(n.endswith(("_offset", "_centered")) for n in idata["posterior"].data_vars)
    found, completed = matched_posterior(functions, idata), ensure_groups(model, idata, groups=[])["posterior"]
    for variable in full.data_vars:
        # Bambi puts the dims of the response first; the matched draws have the model's order.
        for values in (found[variable], completed.to_dataset()[variable].transpose(*full[variable].dims)):
            np.testing.assert_allclose(values, full[variable], rtol=1e-9, atol=1e-9, err_msg=str(variable))
    own = model.backend.model.compile_logp()
    centred = {n.replace("_centered", ""): value for n, value in functions.model.initial_point().items()}
    start = functions.initial_point()
    assert own(centred) == pytest.approx(float(functions.value(start, a=1.0, b=1.0)), rel=1e-9)


def test_dims_of_ordinal_probabilities_fit():
    """Bambi's own have as many labels as there are categories, and a column fewer; no sampler takes the model as it is."""
    model = pymc_model_of(bmb.Model("grade ~ 0 + x", DATA, family="cumulative"))
    assert "p" in [d.name for d in model.deterministics]
    assert "p" not in model.named_vars_to_dims
    assert "mu" in pymc_model_of(linear()).named_vars_to_dims


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nutpie", "pymc"])
def test_ordinal_models_are_sampled(sampler):
    model = bmb.Model("grade ~ 0 + x", DATA, family="cumulative")
    idata = sample(model, draws=200, chains=2, random_seed=1, nuts_sampler=sampler, cores=1)
    assert np.isfinite(float(mk.log_evidence(model, idata, random_seed=1)))


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
