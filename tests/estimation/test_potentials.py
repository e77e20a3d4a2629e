"""Models whose likelihood is written as a potential alone: estimates and information, but no distribution of data."""

import numpy as np
import pymc as pm
import pytest

import pp_mlekl as mk
from pp_mlekl.pymc_model.model_functions import model_functions

Y = np.random.default_rng(4).normal(1.0, 2.0, size=30)
GIVEN = {"potentials": "likelihood", "random_seed": 1}


def build(terms):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        sigma = pm.HalfNormal("sigma", 5)
        if terms == "observed":
            pm.Normal("y", mu, sigma, observed=Y)
        else:
            density = pm.logp(pm.Normal.dist(mu, sigma), Y)
            pm.Potential("terms", density if terms == "vector" else density.sum())
    return model


@pytest.fixture(scope="module")
def models():
    return {terms: build(terms) for terms in ("observed", "vector", "sum")}


@pytest.mark.parametrize("find", [mk.find_mle, mk.find_map])
@pytest.mark.parametrize("terms", ["vector", "sum"])
def test_estimates_are_those_of_the_observed_variable(models, find, terms):
    other, own = find(models["observed"], random_seed=1), find(models[terms], **GIVEN)
    assert own.status == "converged"
    for name in ("mu", "sigma"):
        assert float(own.values[name]) == pytest.approx(float(other.values[name]), rel=1e-10)
        assert float(own.standard_error[name]) == pytest.approx(float(other.standard_error[name]), rel=1e-8)
    assert own.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    assert own.n_observations == (30 if terms == "vector" else 1)


def test_errors_from_single_terms_need_single_terms(models):
    best = {terms: mk.find_mle(model, **({} if terms == "observed" else GIVEN)) for terms, model in models.items()}
    own = mk.sandwich(models["vector"], best["vector"], potentials="likelihood")
    other = mk.sandwich(models["observed"], best["observed"])
    assert float(own["sigma"]) == pytest.approx(float(other["sigma"]), rel=1e-8)
    with pytest.raises(ValueError, match="leave out its sum") as error:
        mk.sandwich(models["sum"], best["sum"], potentials="likelihood")
    assert "parametric" not in str(error.value)
    for terms in ("vector", "sum"):
        with pytest.raises(ValueError, match="New data cannot be drawn"):
            mk.bootstrap(models[terms], estimate=best[terms], kind="parametric", **GIVEN)
    limits = [
        mk.profile(models[terms], estimate=best[terms], points=2, potentials="likelihood").interval.values
        for terms in ("vector", "sum")
    ]
    np.testing.assert_allclose(limits[0], limits[1], rtol=1e-8)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: mk.fitted_divergence(model, {"mu": 1.0, "sigma": 2.0}, **GIVEN),
        lambda model: mk.without_truth(model, **GIVEN),
        lambda model: mk.compare(model, {"mu": 1.0, "sigma": 2.0}, **GIVEN),
        lambda model: mk.information_matrix_test(model, **GIVEN),
        lambda model: mk.pseudo_true(model, {"mu": 1.0, "sigma": 2.0}, **GIVEN),
    ],
)
def test_what_needs_a_distribution_of_data_says_so(models, ask):
    with pytest.raises(ValueError, match=r"pm\.Potential"):
        ask(models["vector"])


def test_the_user_says_what_a_potential_is(models):
    for potentials in (None, "prior"):
        with pytest.raises(ValueError, match='potentials="likelihood"'):
            mk.find_mle(models["vector"], potentials=potentials)


def test_a_comparison_has_all_but_the_fitted_distributions(models):
    settings = {"skip": ("laplace", "loo", "predictive", "derived"), "progress": False}
    observed = mk.compare(models["observed"], draws=200, chains=2, random_seed=1, **settings)
    draws = observed.tree.filter(lambda node: node.name in (None, "posterior", "sample_stats"))
    comparison = mk.compare(models["vector"], idata=draws, **settings, **GIVEN)
    own, other = (c.tree["information_gain/joint"].to_dataset() for c in (comparison, observed))
    error = np.hypot(float(own["kl_posterior_prior_mcse"]), float(other["kl_posterior_prior_mcse"]))
    assert abs(float(own["kl_posterior_prior"]) - float(other["kl_posterior_prior"])) < 4 * error
    assert comparison.tree["fitted"].sizes["estimator"] == 0
    verdict = comparison.verdict()
    assert "fitted distributions" in [f.topic for f in verdict.findings if f.level == "caution"]
    assert verdict.scope == ""
    assert {"name": "terms", "kind": "potential", "distribution": "counts as likelihood", "size": 30}.items() <= next(
        v for v in comparison.variables if v["name"] == "terms"
    ).items()


def test_a_potential_that_counts_as_prior_is_described_as_such():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        pm.Normal("y", mu, 1.0, observed=Y)
        pm.Potential("tilt", -(mu**2))
    skipped = ("fitted", "evidence", "laplace", "loo", "predictive", "derived")
    described = mk.compare(
        model, draws=50, chains=2, random_seed=1, potentials="prior", skip=skipped, progress=False
    ).variables[-1]
    assert (described["kind"], described["distribution"], described["parents"]) == (
        "potential",
        "counts as prior",
        ["mu"],
    )
    assert model_functions(model, "prior").n_observations == 30
