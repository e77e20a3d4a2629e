"""Log evidences and Bayes factors that were published, or follow from a closed form."""

import warnings

import numpy as np
import pytest
from evidence_problems import PIMA, beta_binomial, galaxy, pima, radiata_pine, sleep_data, turtles

import pp_mlekl as mk
from pp_mlekl.pymc_model.draws.sampling import sample

SHAPE = (4, 1000)


def from_draws(problem, seed=1):
    idata = problem.draw(np.random.default_rng(seed), SHAPE)
    return mk.log_evidence(problem.model, idata, random_seed=seed)


def from_sampler(problem, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        idata = sample(problem.model, random_seed=1, **kwargs)
    return mk.log_evidence(problem.model, idata, random_seed=1)


def assert_agrees(estimate, exact, error=0.0):
    assert estimate.mcse < 0.02
    assert abs(float(estimate) - exact) < 4 * np.hypot(estimate.mcse, error)


def test_beta_binomial():
    """PyMC's example of a Bayes factor: 4.910."""
    one, other = beta_binomial(30.0), beta_binomial(1.0)
    assert np.exp(one.log_evidence - other.log_evidence) == pytest.approx(4.910, abs=5e-4)
    estimates = [from_draws(p) for p in (one, other)]
    for problem, estimate in zip((one, other), estimates, strict=True):
        assert_agrees(estimate, problem.log_evidence)
    factor = np.exp(float(estimates[0]) - float(estimates[1]))
    assert factor == pytest.approx(4.910, rel=4 * np.hypot(*(e.mcse for e in estimates)) + 1e-4)


@pytest.mark.parametrize(("column", "published"), [("density", -310.1283), ("adjusted_density", -301.7046)])
def test_radiata_pine(column, published):
    problem = radiata_pine(column)
    assert problem.log_evidence == pytest.approx(published, abs=5e-5)
    assert_agrees(from_draws(problem), published)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "precision"), PIMA)
def test_pima(number, precision):
    problem = pima(number, precision)
    assert_agrees(from_sampler(problem), PIMA[number, precision], problem.error)


@pytest.mark.slow
@pytest.mark.parametrize(("paired", "published"), [(True, 17.259), (False, 1.266)])
def test_sleep_data(paired, published):
    problem, null = sleep_data(paired), sleep_data(paired, effect=False)
    assert np.exp(problem.log_evidence - null.log_evidence) == pytest.approx(published, abs=5e-4)
    for each in (problem, null):
        assert_agrees(from_sampler(each), each.log_evidence)


@pytest.mark.slow
@pytest.mark.parametrize("clutches", [False, True])
def test_turtles(clutches):
    """The evidence with clutches follows from the quadrature without them and the published Bayes factor."""
    problem = turtles(clutches)
    assert_agrees(from_sampler(problem, draws=2500), problem.log_evidence, problem.error)


@pytest.mark.slow
def test_galaxy():
    """Three normals in order: the prior of the order is normalised, log 3! = 1.79 nats."""
    problem = galaxy()
    estimate = from_sampler(problem, draws=2000)
    print(estimate, "published", problem.log_evidence)
    assert_agrees(estimate, problem.log_evidence, problem.error)
